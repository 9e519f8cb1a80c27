"""Preferences to rows: one prompt with two answers, in the ids that every other row has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pengadil.data.holdout import document_of
from pengadil.records import Preference
from pengadil.tokens import Encoder
from pengadil.training.rows import fitting


@dataclass(frozen=True, slots=True)
class PairRow:
    """One preference as the model sees it: token ids of the prompt and of both answers.

    An answer ends with the end-of-text token. `group` is what the rows of one document share.
    """

    id: str
    group: str
    prompt: list[int]
    chosen: list[int]
    rejected: list[int]

    @property
    def ids(self) -> list[int]:
        """The prompt with the chosen answer: what supervised training would see."""
        return self.prompt + self.chosen

    @property
    def size(self) -> int:
        """How many tokens are computed for it: the prompt goes before either answer."""
        return 2 * len(self.prompt) + len(self.chosen) + len(self.rejected)


def make_pair_rows(
    preferences: Sequence[Preference],
    encoder: Encoder,
    max_length: int,
    left_out: list[str] | None = None,
) -> list[PairRow]:
    """The rows of the preferences, in order.

    A row is as long as its prompt with the longer answer; of those too long for `max_length`, see
    `fitting`.
    """
    rows = [_make_row(preference, encoder) for preference in preferences]
    return fitting(rows, max_length, left_out, _length)


def _length(row: PairRow) -> int:
    return len(row.prompt) + max(len(row.chosen), len(row.rejected))


def _make_row(preference: Preference, encoder: Encoder) -> PairRow:
    return PairRow(
        id=preference.id,
        group=document_of(preference),
        prompt=encoder.chat(preference.messages),
        chosen=encoder.answer(preference.chosen),
        rejected=encoder.answer(preference.rejected),
    )
