"""Figures as words: the same in reports, in closing tables and on the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pengadil.records import Judgement
from pengadil.statistics import Interval, Scores, bootstrap_difference, mcnemar

DASH = "–"


def accuracy_with_interval(scores: Scores) -> str:
    """For example "97.0 % of 200 (95 % interval 93.6–98.6)"."""
    interval = interval_text(scores.accuracy_interval) if scores.n else DASH
    return f"{percent(scores.accuracy)} of {scores.n:,} (95 % interval {interval})"


def comparison_line(
    name_a: str, judgements_a: Sequence[Judgement], name_b: str, judgements_b: Sequence[Judgement]
) -> str:
    """Two judges on the rows that both judged: accuracies, difference in points, McNemar.

    Rows are matched by id and need a gold label.
    """
    others = {row.id: row for row in judgements_b}
    pairs = [
        (row, others[row.id]) for row in judgements_a if row.gold is not None and row.id in others
    ]
    if not pairs:
        return f"{name_a} and {name_b} share no row with a gold label"
    right_a = [a.verdict == a.gold for a, _ in pairs]
    right_b = [b.verdict == a.gold for a, b in pairs]
    difference = bootstrap_difference(right_a, right_b)
    test = mcnemar(right_a, right_b)
    points = 100 * (difference.value or 0.0)
    low, high = difference.interval
    return (
        f"{name_a} {percent(sum(right_a) / len(pairs))}, {name_b} "
        f"{percent(sum(right_b) / len(pairs))} of {len(pairs):,}: {points:+.1f} points "
        f"(95 % interval {100 * low:+.1f} to {100 * high:+.1f}); only {name_a} right "
        f"{test.only_a:,}, only {name_b} right {test.only_b:,}, McNemar {p_text(test.p_value)}"
    )


def percent(share: float | None) -> str:
    """0.9712 as "97.1 %"; a dash for None."""
    return DASH if share is None else f"{100 * share:.1f} %"


def interval_text(interval: Interval) -> str:
    """(0.936, 0.986) as "93.6–98.6", in per cent."""
    return f"{100 * interval.low:.1f}–{100 * interval.high:.1f}"


def p_text(p_value: float | None) -> str:
    """ "p = 0.032", "p < 0.001", or a dash for None."""
    if p_value is None:
        return DASH
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def shown_value(value: Any) -> str:
    """A text as it is, a number in at most six digits, a dash for nothing, else JSON."""
    if value is None or value in ("", {}, []):
        return DASH
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
