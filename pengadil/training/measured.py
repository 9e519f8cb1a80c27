"""All that a validation measured, under the same names whatever it chooses weights by."""

from __future__ import annotations

from pengadil.statistics import Interval
from pengadil.training.watch import Validation
from pengadil.wording import interval_text, percent

# Figures of a validation, by the names that they go by as metrics.
NAMES = {"verdicts": "accuracy", "pairs": "pairs", "margin": "margin"}
SHARES = ("accuracy", "pairs")


def measured(found: Validation) -> dict[str, Validation]:
    """What was measured, by its name: the metric first, then what stands beside it.

    ORPO on judges' pairs chooses by the accuracy of verdicts, else by the margin between chosen and
    rejected; `pairs` is the share of pairs whose chosen answer is preferred.
    """
    known, figures = {found.metric: found}, found.figures
    for name, metric in NAMES.items():
        if {name, f"{name}_low", f"{name}_high"} <= figures.keys() and metric not in known:
            known[metric] = Validation(
                step=found.step,
                metric=metric,
                value=figures[name],
                low=figures[f"{name}_low"],
                high=figures[f"{name}_high"],
                n=int(figures.get(f"{name}_n", found.n)),
                majority=figures.get(f"{name}_majority"),
            )
    return known


def measured_text(found: Validation) -> str:
    """ "accuracy 71.0 % of 48 (95 % interval 57.0–81.9), majority 50.0 %"."""
    if found.metric in SHARES:
        value, interval = percent(found.value), interval_text(Interval(found.low, found.high))
    else:
        value, interval = f"{found.value:.3g}", f"{found.low:.3g} to {found.high:.3g}"
    text = f"{found.metric} {value} of {found.n:,} (95 % interval {interval})"
    return text if found.majority is None else f"{text}, majority {percent(found.majority)}"


def in_words(found: Validation) -> str:
    """The metric and, where that is another one, the accuracy too."""
    named = measured(found)
    names = dict.fromkeys([found.metric, *(["accuracy"] if "accuracy" in named else [])])
    return "; ".join(measured_text(named[name]) for name in names)


def validation_text(found: Validation) -> str:
    """ "step 50: validation accuracy 71.0 % of 48 (95 % interval ...), ..., best so far"."""
    best = ", best so far" if found.best else ""
    return f"step {found.step:,}: validation {in_words(found)}{best}"
