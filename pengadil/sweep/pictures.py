"""The pictures of a sweep, as PNG."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pengadil.report.pictures import BLUE, GREY, INK, new_figure, png
from pengadil.report.text import plain, shortened
from pengadil.sweep.space import Parameter, value_text
from pengadil.sweep.trials import (
    COMPLETE,
    PRUNED,
    TrialRecord,
    best_trial,
    complete_trials,
)

LONGEST_NAME = 24


def history_picture(trials: Sequence[TrialRecord]) -> bytes:
    """The value of each trial by its number, and the best so far."""
    figure, axes = new_figure(4.8, 3.2)
    _dots(axes, trials, lambda trial: float(trial.number))
    complete = complete_trials(trials)
    so_far = [best_trial(complete[: place + 1]) for place in range(len(complete))]
    axes.step(
        [trial.number for trial in complete],
        [trial.result.value for trial in so_far if trial and trial.result],
        where="post",
        color=BLUE,
        linewidth=1.2,
    )
    axes.set_xlabel("trial")
    axes.xaxis.get_major_locator().set_params(integer=True)
    return _finished(figure, axes, trials)


def parameter_picture(trials: Sequence[TrialRecord], parameter: Parameter) -> bytes:
    """The value of each trial by one of its settings; the best trial is ringed."""
    figure, axes = new_figure(4.2, 3.0)
    places = {value_text(choice): place for place, choice in enumerate(parameter.choices)}

    def across(trial: TrialRecord) -> float:
        value = trial.drawn[parameter.name]
        return float(places[value_text(value)]) if places else float(value)

    _dots(axes, trials, across)
    best = best_trial(trials)
    if best and best.result:
        axes.plot(across(best), best.result.value, "o", markersize=13, fillstyle="none", color=INK)
    if places:
        names = [shortened(plain(name), LONGEST_NAME) for name in places]
        # A dollar sign in a name would begin a formula.
        axes.set_xticks(range(len(names)), names, parse_math=False)
        axes.set_xlim(-0.5, len(names) - 0.5)
    elif parameter.log:
        from matplotlib.ticker import NullLocator

        axes.set_xscale("log")
        # The library's own labels run into each other below a few powers of ten.
        ticks = [parameter.low, math.sqrt(parameter.low * parameter.high), parameter.high]
        axes.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(parameter.name)
    return _finished(figure, axes, trials)


def importance_picture(importance: Mapping[str, float]) -> bytes:
    """A bar for each setting's share of the explained variance, the largest on top."""
    figure, axes = new_figure(4.8, 0.9 + 0.4 * len(importance))
    names = list(importance)[::-1]
    axes.barh(names, [importance[name] for name in names], color=BLUE, height=0.6)
    for place, name in enumerate(names):
        axes.text(importance[name], place, f" {importance[name]:.2f}", va="center", color=INK)
    axes.set_xlim(0, 1.15 * max(importance.values()) or 1)
    axes.set_xlabel("share of the variance explained")
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def curves_picture(trials: Sequence[TrialRecord]) -> bytes:
    """Every trial's validations by step: the best in blue, the pruned dashed."""
    figure, axes = new_figure(4.8, 3.2)
    best = best_trial(trials)
    # The best is drawn last, on top.
    for trial in sorted(trials, key=lambda trial: trial is best):
        strong = trial is best
        axes.plot(
            list(trial.curve),
            list(trial.curve.values()),
            color=BLUE if strong else GREY,
            linewidth=2 if strong else 1,
            linestyle="-" if trial.state == COMPLETE else "--",
            marker="x" if trial.state == PRUNED else None,
            markevery=[-1],
            label=f"trial {trial.number}" if strong else None,
        )
    axes.set_xlabel("optimizer step")
    if best:
        axes.legend(frameon=False)
    return _finished(figure, axes, trials)


def _dots(axes: Any, trials: Sequence[TrialRecord], across: Callable[[TrialRecord], float]) -> None:
    """A dot with its 95 % interval for each complete trial, a cross for each other measured one."""
    for trial in trials:
        if trial.result:
            place, found, complete = across(trial), trial.result, trial.state == COMPLETE
            if complete:
                axes.plot([place, place], [found.low, found.high], color=GREY, linewidth=0.8)
            axes.plot(
                place, found.value, "o" if complete else "x", color=BLUE if complete else GREY
            )


def _finished(figure: Any, axes: Any, trials: Sequence[TrialRecord]) -> bytes:
    metrics = {trial.result.metric: None for trial in trials if trial.result}
    axes.set_ylabel(f"validation {' or '.join(metrics)}")
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure)
