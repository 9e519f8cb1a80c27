"""How long the rows are: counted where they are at hand, else at most what the recipe allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pengadil.errors import PengadilError
from pengadil.recipe import Recipe, parse_source


@dataclass(frozen=True, slots=True)
class Lengths:
    """The rows of a whole training, repeated where there are more epochs.

    `rows` and `tokens` are None where the number of rows is not known. Of a preference pair,
    `longest` is the prompt with the longer answer, and `tokens` counts it with both.
    """

    rows: int | None
    tokens: int | None
    longest: int
    exact: bool
    reason: str

    @property
    def mean(self) -> float:
        """Tokens of a row; the longest where they have not been counted."""
        if self.exact and self.rows and self.tokens:
            return self.tokens / self.rows
        return float(self.longest)


def counted(rows: Sequence[Any]) -> Lengths:
    """The lengths of a training's own rows, in its order."""
    longest = max(_longest(row) for row in rows)
    return Lengths(len(rows), sum(row.size for row in rows), longest, True, "counted")


def bounded(recipe: Recipe, why: str) -> Lengths:
    """What can be said without the rows: none is longer than `data.max_length`."""
    longest, sides = recipe.data.max_length, 2 if recipe.train.method == "orpo" else 1
    rows = _expected_rows(recipe)
    tokens = None if rows is None else rows * sides * longest
    reason = f"at most, as data.max_length says; the rows are not at hand ({why})"
    return Lengths(rows, tokens, longest, False, reason)


def _expected_rows(recipe: Recipe) -> int | None:
    train = recipe.train
    if train.max_steps:
        return train.max_steps * train.batch_size
    try:
        counts = [parse_source(source)[1] for source in recipe.data.train]
    except PengadilError:
        return None
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return None
    return max(1, round(sum(known) * (1 - recipe.data.validation_share) * train.epochs))


def _longest(row: Any) -> int:
    if hasattr(row, "rejected"):
        return len(row.prompt) + max(len(row.chosen), len(row.rejected))
    return len(row.ids)
