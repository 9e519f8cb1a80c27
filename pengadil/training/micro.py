"""A step's rows in micro-batches: as many at once as memory holds, rows of like length together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from pengadil.errors import PengadilError


def micro_batches(
    rows: Sequence[Any], most_rows: int, most_tokens: int | None = None, bundled: bool = True
) -> list[list[Any]]:
    """The rows cut into batches of at most `most_rows`; one row may exceed `most_tokens` alone.

    Where a batch does not hold them all they come by length, so that little of it is padding;
    tokens are counted with padding. `bundled` rows of one document stay neighbours, and documents
    with as many rows come together: a bundle is as wide as the largest one beside it.
    """
    documents = [[row] for row in rows]
    if bundled:
        documents = [list(group) for _, group in groupby(rows, key=lambda row: row.group)]
    batches: list[list[Any]] = []
    for count in sorted({len(document) for document in documents}):
        alike = [document for document in documents if len(document) == count]
        together = [row for document in alike for row in document]
        if len(together) > most_rows or (most_tokens and _padded(together) > most_tokens):
            alike.sort(key=lambda document: -max(row.size for row in document))
        batches += _cut([row for document in alike for row in document], most_rows, most_tokens)
    return batches


def _cut(rows: Sequence[Any], most_rows: int, most_tokens: int | None) -> list[list[Any]]:
    batches: list[list[Any]] = [[]]
    for row in rows:
        batch = batches[-1]
        full = len(batch) == most_rows
        if batch and (full or (most_tokens and _padded([*batch, row]) > most_tokens)):
            batches.append([row])
        else:
            batch.append(row)
    return batches


def _padded(rows: Sequence[Any]) -> int:
    longest: int = max(row.size for row in rows)
    return len(rows) * longest


class Backoff:
    """How many rows are computed at once; halved whenever memory does not suffice.

    `say` is told of it. What is learned does not change: the step's rows stay the same, only
    more of its gradients are added up.
    """

    def __init__(self, rows: int, say: Callable[[str], None]) -> None:
        self.rows, self._say = rows, say

    def halve(self, longest: int, error: Exception) -> None:
        """PengadilError where a single row is too much already."""
        if self.rows == 1:
            said = (str(error) or type(error).__name__).splitlines()[0]
            raise PengadilError(
                f"a row of {longest} tokens",
                f"the memory does not suffice for it alone ({said[:120]})",
                "Lower --data.max_length, set --model.load_in_4bit true, or take a smaller model.",
            ) from None
        before, self.rows = self.rows, self.rows // 2
        self._say(
            f"out of memory: {self.rows} rows at once instead of {before}; the step is made again, "
            "its rows stay the same"
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch, on any device, or Python could not get memory."""
    from accelerate.utils.memory import should_reduce_batch_size

    if isinstance(error, MemoryError):
        return True
    return isinstance(error, Exception) and bool(should_reduce_batch_size(error))
