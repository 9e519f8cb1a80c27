"""A step's rows are cut into micro-batches without losing, doubling or parting any."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pengadil.errors import PengadilError
from pengadil.training.micro import Backoff, is_out_of_memory, micro_batches
from pengadil.training.rows import TrainingRow


def row(name: str, group: str, length: int) -> TrainingRow:
    return TrainingRow(name, group, [1] * length, [1] * length, [1.0] * length)


def rows(*lengths: int) -> list[TrainingRow]:
    return [row(str(number), str(number), length) for number, length in enumerate(lengths)]


def names(batches: list[list[TrainingRow]]) -> list[list[str]]:
    return [[row.id for row in batch] for batch in batches]


def test_a_step_that_fits_is_left_as_it_is() -> None:
    assert names(micro_batches(rows(5, 9, 7), 8)) == [["0", "1", "2"]]


def test_rows_of_like_length_come_together() -> None:
    assert names(micro_batches(rows(5, 90, 7, 80), 2)) == [["1", "3"], ["2", "0"]]


def test_padding_counts_as_tokens() -> None:
    assert names(micro_batches(rows(10, 10, 10), 8, most_tokens=20)) == [["0", "1"], ["2"]]
    assert names(micro_batches(rows(30, 10, 10), 8, most_tokens=20)) == [["0"], ["1", "2"]]


def test_the_rows_of_a_document_stay_neighbours() -> None:
    mixed = [row("a", "one", 9), row("b", "one", 3), row("c", "two", 8), row("d", "two", 8)]
    assert names(micro_batches(mixed, 2)) == [["a", "b"], ["c", "d"]]


def test_a_lone_row_is_not_padded_to_the_bundle_beside_it() -> None:
    mixed = [row("a", "one", 9), row("b", "one", 9), row("c", "two", 9), row("d", "three", 9)]
    assert names(micro_batches(mixed, 8)) == [["c", "d"], ["a", "b"]]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 40)), max_size=20),
    st.integers(1, 8),
    st.none() | st.integers(1, 100),
)
def test_every_row_is_computed_once_within_the_limits(
    made: list[tuple[str, int]], most_rows: int, most_tokens: int | None
) -> None:
    given_rows = [row(str(at), group, length) for at, (group, length) in enumerate(made)]
    batches = micro_batches(given_rows, most_rows, most_tokens)
    assert sorted(name for batch in names(batches) for name in batch) == sorted(
        row.id for row in given_rows
    )
    for batch in batches:
        assert 1 <= len(batch) <= most_rows
        padded = len(batch) * max(row.size for row in batch)
        assert most_tokens is None or padded <= most_tokens or len(batch) == 1


def test_rows_at_once_are_halved_until_one_is_too_much() -> None:
    said: list[str] = []
    backoff = Backoff(5, said.append)
    error = RuntimeError("CUDA out of memory. Tried to allocate 2 GiB\nand more")
    for expected in (2, 1):
        backoff.halve(100, error)
        assert backoff.rows == expected
    assert said[0].startswith("out of memory: 2 rows at once instead of 5")
    with pytest.raises(PengadilError, match=r"a row of 100 tokens.*Tried to allocate 2 GiB\)"):
        backoff.halve(100, error)


def test_only_a_lack_of_memory_is_taken_for_one() -> None:
    import torch

    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("CUDA out of memory."))
