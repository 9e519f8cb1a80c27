"""Which rows are offered first: those on which a person's word tells the most.

The order is: answers that could not be read; then rows by how far the probability of verdict 1
is from 0.5, the nearest first (uncertainty sampling, Lewis and Gale, 1994); then rows of which the
judge gave no probability. Rows that are level keep the order they were judged in.
"""

from __future__ import annotations

from collections.abc import Iterable

from pengadil.records import Judgement
from pengadil.reviewing.rows import Row

UNREADABLE, DOUBTFUL, UNKNOWN = range(3)


def most_doubtful_first(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The rows in the order above."""
    return tuple(sorted(rows, key=lambda row: doubt(row.judgement)))


def doubt(judgement: Judgement) -> tuple[int, float]:
    """What rows are sorted by: the group above, and the distance from 0.5 in it."""
    if judgement.verdict is None:
        return UNREADABLE, 0.0
    if judgement.probability is None:
        return UNKNOWN, 0.0
    return DOUBTFUL, abs(judgement.probability - 0.5)
