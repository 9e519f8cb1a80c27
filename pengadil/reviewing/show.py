"""The state of a review as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pengadil.comparison.agreement import RaterPair
from pengadil.comparison.agreement_page import kappa_interval
from pengadil.report.page import Section
from pengadil.reviewing.kappas import judge_pairs, people_pairs
from pengadil.reviewing.labels import Labels
from pengadil.reviewing.rows import Work
from pengadil.reviewing.standing import Standing
from pengadil.wording import DASH, interval_text, percent

REVIEWERS = ("reviewer", "rows", "agreed", "overruled", "reasonings", "skipped", "earlier")
AGREEMENT = ("first", "second", "rows", "agree", "95 % interval", "kappa", "95 % interval")
NOTE = (
    "Of the rows reviewed so far, most doubtful first and with the judge's verdict in sight: not "
    "the agreement on all rows, and no blind one. Kappa: Cohen (1960). An unreadable answer agrees "
    "with nobody."
)


def sections(work: Work, standings: Mapping[str, Standing]) -> list[Section]:
    """A table of the reviewers, and one of how far they and the judge agree."""
    pairs = [*judge_pairs(work, standings), *people_pairs(standings)]
    return [
        Section(
            "Reviewers",
            REVIEWERS,
            [_reviewer(work, one) for one in standings.values()],
            note="earlier: answers on rows that were judged otherwise since, or by another judge; "
            "they are kept, and count no more.",
        ),
        *([Section("Agreement", AGREEMENT, list(map(_pair, pairs)), note=NOTE)] if pairs else []),
    ]


def headline(work: Work, standings: Mapping[str, Standing], labels: Labels) -> str:
    """How many rows are reviewed, and what came of them."""
    reviewed = {row for one in standings.values() for row in one.answers}
    overruled = sum(label.overruled for label in labels.labels)
    more = f", {len(labels.too_few):,} with too few reviewers" if labels.too_few else ""
    return (
        f"{work.title}: {len(reviewed):,} of {len(work.rows):,} rows reviewed; "
        f"{len(labels.labels):,} have a label by people, {overruled:,} of them another than the "
        f"judge's; on {len(labels.divided):,} people are divided{more}."
    )


def _reviewer(work: Work, one: Standing) -> list[str]:
    answers = one.answers
    agreed = sum(entry.answer == work.by_id[row].verdict for row, entry in answers.items())
    corrected = sum(entry.reasoning is not None for entry in answers.values())
    counts = (len(answers), agreed, len(answers) - agreed, corrected, len(one.skipped), one.stale)
    return [one.person, *(f"{count:,}" for count in counts)]


def _pair(pair: RaterPair) -> Sequence[str]:
    kappa = pair.kappa
    return [
        pair.first,
        pair.second,
        f"{kappa.n:,}",
        percent(kappa.agreement),
        interval_text(kappa.agreement_interval) if kappa.n else DASH,
        DASH if kappa.value is None else f"{kappa.value:.2f}",
        DASH if kappa.value is None else kappa_interval(kappa.interval),
    ]
