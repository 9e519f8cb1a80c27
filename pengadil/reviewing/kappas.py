"""How far the judge agrees with each reviewer so far, and reviewers with each other.

Rows are reviewed most doubtful first, and with the judge's verdict in sight. So kappa is that of
the rows reviewed, which are the hardest for the judge, and people may follow it more than they
would without: until all rows are done, it is not that of the slice.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from pengadil.comparison.agreement import UNREADABLE, RaterPair, rater_pair
from pengadil.reviewing.rows import Work
from pengadil.reviewing.standing import Standing


def judge_pairs(work: Work, standings: Mapping[str, Standing]) -> list[RaterPair]:
    """The judge beside each reviewer, on the rows that they answered; an unreadable answer differs.

    Reviewers without an answer are left out.
    """
    judged = {row.id: UNREADABLE if row.verdict is None else str(row.verdict) for row in work.rows}
    said = _said(standings)
    return [rater_pair((work.model, judged), found) for found in said.items()]


def people_pairs(standings: Mapping[str, Standing]) -> list[RaterPair]:
    """Each two reviewers, on the rows that both answered; without such rows they are left out."""
    pairs = [rater_pair(a, b) for a, b in combinations(_said(standings).items(), 2)]
    return [pair for pair in pairs if pair.kappa.n]


def _said(standings: Mapping[str, Standing]) -> dict[str, dict[str, str]]:
    return {
        person: {row: str(entry.answer) for row, entry in one.answers.items()}
        for person, one in standings.items()
        if one.answers
    }
