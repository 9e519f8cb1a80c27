"""A step's rows in micro-batches: as many at once as memory holds, rows of like length together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from pengadil.errors import PengadilError

# Padded tokens in a micro-batch on a CPU: its matrix products are as fast as they get from about
# a thousand on, and a wider batch only adds padding and leaves the cache.
CPU_TOKENS = 2048


def micro_batches(
    rows: Sequence[Any], most_rows: int, most_tokens: int | None = None
) -> list[list[Any]]:
    """The rows cut into batches of at most `most_rows`; one row may exceed `most_tokens` alone.

    Rows of one document stay neighbours. Documents come by length where the step does not fit
    into one batch, so that little of it is padding; tokens are counted with padding.
    """
    if not rows:  # of another process
        return []
    documents = [list(group) for _, group in groupby(rows, key=lambda row: row.group)]
    if len(rows) > most_rows or (most_tokens and _padded(rows) > most_tokens):
        documents.sort(key=lambda document: -max(row.size for row in document))
    batches: list[list[Any]] = []
    for row in (row for document in documents for row in document):
        batch = batches[-1] if batches else []
        full = len(batch) == most_rows
        if not batch or full or (most_tokens and _padded([*batch, row]) > most_tokens):
            batches.append([row])
        else:
            batch.append(row)
    return batches


def _padded(rows: Sequence[Any]) -> int:
    return len(rows) * max(row.size for row in rows)


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
