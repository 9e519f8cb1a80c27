"""How well contradictions are caught at a threshold, and which threshold suits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pengadil.errors import PengadilError
from pengadil.guard.thresholds import DEFAULT
from pengadil.statistics import Interval, f1_interval, wilson

DEFAULT_CRITERION = "precision=0.9"
CRITERION = re.compile(r"f1|(?:precision|recall)=(?:0?\.\d+|1(?:\.0*)?)")


@dataclass(frozen=True, slots=True)
class Support:
    """How far the guard supports something, 0 to 1, and whether it is right (gold 1) or not (0).

    None where the judge's answer could not be read.
    """

    gold: int
    support: float | None

    def caught(self, threshold: float) -> bool:
        """Whether it is held back at this threshold; what cannot be read always is."""
        return self.support is None or self.support < threshold


@dataclass(frozen=True, slots=True)
class Catching:
    """Of `n` sentences or answers `wrong` are wrong, `flagged` held back, `caught` both.

    `precision` is the share of wrong ones among those held back, `recall` the share held back
    among the wrong ones; None where there are none. `unreadable` ones count as held back.
    `majority` is the accuracy of always saying the commoner of right and wrong; holding everything
    back has the precision `wrong` / `n` and the recall 1. Intervals are 95 % (Wilson).
    """

    threshold: float
    n: int
    wrong: int
    flagged: int
    caught: int
    unreadable: int
    precision: float | None
    precision_interval: Interval
    recall: float | None
    recall_interval: Interval
    f1: float | None
    f1_interval: Interval
    accuracy: float | None
    accuracy_interval: Interval
    majority: float | None


def catching(rows: Sequence[Support], threshold: float) -> Catching:
    """Precision and recall of catching what is wrong at this threshold."""
    wrong = sum(row.gold == 0 for row in rows)
    held = [row for row in rows if row.caught(threshold)]
    caught = sum(row.gold == 0 for row in held)
    mistaken = (len(held) - caught) + (wrong - caught)
    right = len(rows) - mistaken
    return Catching(
        threshold=threshold,
        n=len(rows),
        wrong=wrong,
        flagged=len(held),
        caught=caught,
        unreadable=sum(row.support is None for row in rows),
        precision=_share(caught, len(held)),
        precision_interval=wilson(caught, len(held)),
        recall=_share(caught, wrong),
        recall_interval=wilson(caught, wrong),
        f1=_share(2 * caught, 2 * caught + mistaken),
        f1_interval=f1_interval(caught, mistaken),
        accuracy=_share(right, len(rows)),
        accuracy_interval=wilson(right, len(rows)),
        majority=_share(max(wrong, len(rows) - wrong), len(rows)),
    )


def check_criterion(criterion: str) -> None:
    """PengadilError unless it is "f1", "precision=0.9" or "recall=0.9", with any share."""
    if not CRITERION.fullmatch(criterion):
        raise PengadilError(
            f"criterion {criterion!r}", "no such criterion", "Give f1, precision=0.9 or recall=0.9."
        )


def choose(rows: Sequence[Support], criterion: str) -> tuple[float, str]:
    """The threshold that meets the criterion best on these rows, and the criterion in words.

    "precision=0.9" is the highest recall of what is wrong at a precision of at least 0.9,
    "recall=0.9" the highest precision at that recall, "f1" the highest F1. Where no threshold
    reaches the share, it is the highest F1, and the words say so. Of equal ones it is the one
    closest to 0.5. Raises PengadilError for rows that are all right or all wrong.
    """
    check_criterion(criterion)
    if len({row.gold for row in rows}) < 2:
        raise PengadilError(
            f"{len(rows)} rows",
            "all have one label, and a threshold must tell two apart",
            "Give rows of both labels.",
        )
    kind, _, share = criterion.partition("=")
    tried = [_Tried.at(rows, threshold) for threshold in candidates(rows)]
    other = "recall" if kind == "precision" else "precision"
    if share:
        fit = [one for one in tried if getattr(one, kind) >= float(share)]
        if fit:
            best = max(fit, key=lambda one: (getattr(one, other), getattr(one, kind), one.nearness))
            return best.threshold, f"highest {other} of contradictions at {kind} {share} or more"
    best = max(tried, key=lambda one: (one.f1, one.nearness))
    reached = f": no threshold reached {kind} {share}" if share else " of contradictions"
    return best.threshold, f"highest F1{reached}"


def candidates(rows: Sequence[Support]) -> list[float]:
    """Thresholds that tell the rows apart differently: between two supports, and 0.5."""
    values = sorted({row.support for row in rows if row.support is not None} | {0.0, 1.0})
    middles = [(low + high) / 2 for low, high in pairwise(values)]
    return sorted({DEFAULT, *(round(middle, 7) for middle in middles)})


@dataclass(frozen=True, slots=True)
class _Tried:
    threshold: float
    precision: float
    recall: float
    f1: float

    @staticmethod
    def at(rows: Sequence[Support], threshold: float) -> _Tried:
        held = [row.gold for row in rows if row.caught(threshold)]
        caught, wrong = held.count(0), sum(row.gold == 0 for row in rows)
        precision = caught / len(held) if held else 0.0
        recall = caught / wrong
        return _Tried(threshold, precision, recall, 2 * caught / (len(held) + wrong))

    @property
    def nearness(self) -> float:
        return -abs(self.threshold - DEFAULT)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
