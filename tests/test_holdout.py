"""Held-out rows: whole documents, the same ones each time, in their order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pengadil.data.bundled import load_bundled
from pengadil.data.holdout import document_of, hold_out
from pengadil.data.preferences import preferences_from_examples
from pengadil.errors import PengadilError
from pengadil.prompts import load_prompt
from pengadil.records import Rewrite


def rows_of(groups: list[str]) -> list[Rewrite]:
    return [Rewrite(str(number), group, "x") for number, group in enumerate(groups)]


@given(
    st.lists(st.sampled_from([*map(str, range(30))]), min_size=1, max_size=60),
    st.floats(0, 0.5),
    st.integers(0, 9),
)
def test_no_document_is_cut_and_nothing_is_lost(groups: list[str], share: float, seed: int) -> None:
    rows = rows_of(groups)
    try:
        train, held = hold_out(rows, share, seed)
    except PengadilError:
        assert len(set(groups)) < 4 or max(groups.count(group) for group in groups) > 1
        return
    assert sorted([*train, *held], key=lambda row: int(row.id)) == rows
    assert {row.original for row in train}.isdisjoint(row.original for row in held)
    for part in (train, held):
        assert [int(row.id) for row in part] == sorted(int(row.id) for row in part)
    assert len(held) >= share * len(rows)
    # No document more than it takes.
    sizes = sorted(groups.count(group) for group in {row.original for row in held})
    assert not held or len(held) - sizes[-1] < share * len(rows)
    assert hold_out(rows, share, seed) == (train, held)


def test_another_seed_holds_out_other_documents_and_more_rows_change_little() -> None:
    rows = rows_of([str(number) for number in range(200)])
    held = {row.original for row in hold_out(rows, 0.1)[1]}
    assert len(held) == 20
    assert held != {row.original for row in hold_out(rows, 0.1, seed=1)[1]}
    more = rows_of([str(number) for number in range(210)])
    again = {row.original for row in hold_out(more, 0.1)[1]}
    assert len(held & again) >= 15


def test_a_document_is_the_passage_the_conversation_or_the_original() -> None:
    examples = load_bundled("contoh", "train", 60)
    train, held = hold_out(examples, 0.2)
    assert 12 <= len(held) < 20
    assert {row.passage for row in train}.isdisjoint(row.passage for row in held)
    pairs = preferences_from_examples(examples, load_prompt("verdict"))
    assert [document_of(pair) for pair in pairs] == [row.passage for row in examples]
    assert [row.id for row in hold_out(pairs, 0.2)[1]] == [row.id for row in held]
    others = [replace(pair, document="") for pair in pairs]
    assert len({document_of(pair) for pair in others}) == 60
    assert [len(part) for part in hold_out(others, 0.25)] == [45, 15]
    by_language = hold_out(examples, 0.1, key=lambda row: row.language)
    assert [{row.language for row in part} for part in by_language] == [{"ms"}, {"en"}]


def test_one_document_alone_is_not_held_out() -> None:
    with pytest.raises(PengadilError, match=r"3 rows of 1 documents: .*leaves none to train on"):
        hold_out(rows_of(["a", "a", "a"]), 0.1)
    assert hold_out(rows_of(["a"]), 0.0) == (rows_of(["a"]), [])
