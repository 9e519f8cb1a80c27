"""The figures behind a curve: smoothed, and set against steps, tokens or time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pengadil.curves.reading import Curves

Against = Literal["step", "tokens", "seconds"]
AGAINST: dict[Against, str] = {
    "step": "optimizer step",
    "tokens": "training tokens",
    "seconds": "seconds of training",
}
# The strong line averages over about this share of the steps, and never over fewer than so many.
SHARE, FEWEST = 1 / 40, 10


def span_of(steps: int) -> int:
    """Over how many steps the strong line of a training averages."""
    return max(FEWEST, round(steps * SHARE))


def smoothed(values: Sequence[float], span: int, how: Literal["mean", "median"]) -> list[float]:
    """The mean or median of about `span` values around each, of fewer at both ends.

    What is no number is passed over (nan where there is nothing else). A median hardly moves where
    a single step was slow, because the training paused to validate or to save.
    """
    from pandas import Series

    finite = Series([value if math.isfinite(value) else math.nan for value in values], dtype=float)
    around = finite.rolling(2 * (span // 2) + 1, center=True, min_periods=1)
    return [float(value) for value in getattr(around, how)()]


def speeds(curves: Curves) -> list[float]:
    """Tokens a second of each step but the first, whose own time is not known apart."""
    pairs = zip(curves.steps, curves.seconds, strict=True)
    before = next(pairs)
    found = []
    for step, seconds in pairs:
        took = seconds - before[1]
        found.append((step.tokens - before[0].tokens) / took if took > 0 else math.nan)
        before = step, seconds
    return found


def places(curves: Curves, against: Against) -> dict[int, float]:
    """Where each logged step stands on the axis."""
    if against == "step":
        return {step.step: float(step.step) for step in curves.steps}
    if against == "tokens":
        return {step.step: float(step.tokens) for step in curves.steps}
    pairs = zip(curves.steps, curves.seconds, strict=True)
    return {step.step: seconds for step, seconds in pairs}
