"""From what people said of a row to the one label that it is trained with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pengadil.errors import PengadilError
from pengadil.reviewing.entries import Entry
from pengadil.reviewing.rows import Row, Work
from pengadil.reviewing.standing import Standing


@dataclass(frozen=True, slots=True)
class Label:
    """A row's answer by people, how many of them answered, and its reasoning, "" without one.

    The reasoning is the one that a person wrote for this answer (the latest, of several); else the
    judge's, where people agreed with its verdict and let it stand; else the row's own, where its
    label is the same.
    """

    row: Row
    answer: int
    reviewers: int
    reasoning: str

    @property
    def overruled(self) -> bool:
        """Whether the judge said otherwise, or nothing that could be read."""
        return self.answer != self.row.verdict


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels, and the ids of reviewed rows without one.

    On `divided` rows people disagree, evenly where a majority decides; `too_few` have fewer
    reviewers than were asked for.
    """

    labels: Sequence[Label]
    divided: Sequence[str]
    too_few: Sequence[str]


def labels_of(
    work: Work, standings: Mapping[str, Standing], min_reviewers: int | None = None
) -> Labels:
    """The labels of the reviewed rows, in the order of the work.

    Without `min_reviewers`, everybody who answered a row has to say the same, one person or more.
    With it, a row needs so many answers, and their majority is its label. Raises PengadilError for
    a number below 1.
    """
    if min_reviewers is not None and min_reviewers < 1:
        raise PengadilError(f"--min-reviewers {min_reviewers}", "below 1", "Give 1 or more.")
    answers = [one.answers for one in standings.values()]
    labels: list[Label] = []
    divided: list[str] = []
    too_few: list[str] = []
    for row in work.rows:
        said = [found[row.id] for found in answers if row.id in found]
        if not said:
            continue
        counts = Counter(int(entry.answer or 0) for entry in said)
        if min_reviewers is not None and len(said) < min_reviewers:
            too_few.append(row.id)
        elif counts[0] == counts[1] or (min_reviewers is None and len(counts) > 1):
            divided.append(row.id)
        else:
            answer = max(counts, key=lambda value: counts[value])
            labels.append(Label(row, answer, len(said), _reasoning(row, answer, said)))
    return Labels(labels, divided, too_few)


def _reasoning(row: Row, answer: int, said: Sequence[Entry]) -> str:
    written = [entry for entry in said if entry.answer == answer and entry.reasoning]
    if written:
        return str(max(written, key=lambda entry: entry.at).reasoning)
    if answer == row.verdict and row.reasoning:
        return row.reasoning
    return row.example.reasoning if answer == row.judgement.gold else ""
