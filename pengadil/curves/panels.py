"""What is drawn of one or more trainings: a panel a figure, with a trace for each training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pengadil.curves.lines import Against, places, smoothed, span_of, speeds
from pengadil.curves.reading import Curves
from pengadil.training.measured import SHARES, measured
from pengadil.training.watch import Step, Validation

METHODS = {
    "sft": "supervised",
    "orpo": "ORPO",
    "rewrite": "rewriting",
    "classifier": "classifier",
}


@dataclass(frozen=True, slots=True)
class Trace:
    """A line of one training, the `run`th: `faint` as logged, `strong` over it.

    `held_out` marks what was measured now and then on rows that are not trained on. `low` and
    `high` bound a 95 % interval; `best` is a point to mark, `baseline` a level.
    """

    run: int
    x: Sequence[float]
    strong: Sequence[float]
    faint: Sequence[float] = ()
    held_out: bool = False
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    best: tuple[float, float] | None = None
    baseline: float | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure of all trainings; `share` says that its values are shares of 1.

    `note` says what is seen, `key` the same in a few words.
    """

    title: str
    note: str
    traces: Sequence[Trace]
    share: bool = False
    key: str = ""


def panels(runs: Sequence[Curves], against: Against = "step") -> list[Panel]:
    """Loss, answers right, validations, margin, learning rate and speed, as far as logged."""
    averaged = "Faint: each step's rows, before the step. Strong: the mean of about " + _each(
        [f"{span_of(run.steps[-1].steps):,} steps" for run in runs], runs
    )
    counted = f"{averaged} Counted: {_each([_counted(run) for run in runs], runs)}"
    margin = f"{averaged} Mean log-probability of the chosen answer's tokens less the rejected's."
    unlike = _losses(runs)
    losses = _averages(runs, against, lambda step: step.loss)
    right = _averages(runs, against, lambda step: step.accuracy)
    margins = _averages(runs, against, lambda step: step.figures.get("margin"))
    held = {name: _held_out(runs, against, name) for name in ("accuracy", "loss")}
    drawn = [
        Panel("Loss", averaged + unlike, losses, key="not one quantity" if unlike else ""),
        _joined(
            Panel("Answers right", counted, right, share=True), _held_out(runs, against, "pairs")
        ),
        *held.values(),
        _joined(
            Panel("Margin, chosen over rejected", margin, margins),
            _held_out(runs, against, "margin"),
        ),
        _rates(runs, against),
        _speeds(runs, against),
    ]
    return [
        panel
        for panel in drawn
        if any(any(map(math.isfinite, trace.strong)) for trace in panel.traces)
    ]


def _averages(
    runs: Sequence[Curves], against: Against, value: Callable[[Step], float | None]
) -> list[Trace]:
    """A figure of every step, as logged and averaged; nothing of trainings that lack it."""
    traces = []
    for number, run in enumerate(runs):
        at = places(run, against)
        found = [(at[step.step], value(step)) for step in run.steps]
        known = [(x, y) for x, y in found if y is not None]
        if known:
            faint = [y for _, y in known]
            strong = smoothed(faint, span_of(run.steps[-1].steps), "mean")
            traces.append(Trace(number, [x for x, _ in known], strong, faint))
    return traces


def _held_out(runs: Sequence[Curves], against: Against, name: str) -> Panel:
    """A panel of what the validations measured under a name; without traces where none did."""
    traces, judged, counts, chosen_by = [], [], [], []
    for number, run in enumerate(runs):
        at = places(run, against)
        found = [one for one in run.validations if one.step in at and name in measured(one)]
        if not found:
            continue
        values = [measured(one)[name] for one in found]
        judged.append(run)
        counts.append(_counts(values))
        best = next((one for one in values if run.best and one.step == run.best.step), None)
        chosen_by.append(found[-1].metric)
        traces.append(
            Trace(
                number,
                [at[one.step] for one in values],
                [one.value for one in values],
                held_out=True,
                low=[one.low for one in values],
                high=[one.high for one in values],
                best=(at[best.step], best.value) if best else None,
                baseline=values[-1].majority,
            )
        )
    note = f"Dots: held-out rows, {_each(counts, judged)} Band: 95 % interval."
    key = "band: 95 % interval"
    if any(trace.best for trace in traces):
        note += f" Ring: the best so far, by {_each(chosen_by, judged)}"
    if any(trace.baseline is not None for trace in traces):
        note += " Dashed: always giving the commonest label."
        key += ", dashed: majority"
    return Panel(f"Validation {name}", note, traces, name in SHARES, key)


def _joined(panel: Panel, held_out: Panel) -> Panel:
    """The panel with what was measured of held-out rows in it, if anything was."""
    if not held_out.traces:
        return panel
    traces = [*panel.traces, *held_out.traces]
    note = f"{panel.note} {held_out.note}"
    return replace(panel, note=note, traces=traces, key="dots: held-out rows")


def _rates(runs: Sequence[Curves], against: Against) -> Panel:
    traces = []
    for number, run in enumerate(runs):
        at = places(run, against)
        rates = [step.learning_rate for step in run.steps]
        traces.append(Trace(number, [at[step.step] for step in run.steps], rates))
    return Panel("Learning rate", "The one that each step was made with.", traces)


def _speeds(runs: Sequence[Curves], against: Against) -> Panel:
    traces = []
    for number, run in enumerate(runs):
        at, found = places(run, against), speeds(run)
        strong = smoothed(found, span_of(run.steps[-1].steps), "median")
        traces.append(Trace(number, [at[step.step] for step in run.steps[1:]], strong, found))
    note = "By the clock; pauses to validate and save count. Faint: each step. Strong: the median."
    return Panel("Tokens a second", note, traces)


def _losses(runs: Sequence[Curves]) -> str:
    """A warning where the losses of several trainings are not the same quantity."""
    kinds = [_loss_of(run) for run in runs]
    if len(set(kinds)) < 2:
        return ""
    return f" Not one quantity, so not to be compared: {_each(kinds, runs)}"


def _loss_of(run: Curves) -> str:
    """The loss in words: two trainings with the same ones have losses that can be compared."""
    method, kind = METHODS.get(run.method, run.method), run.setting("train", "loss")
    about = {
        "orpo": f" (beta {run.setting('train', 'beta')})",
        "sft": f" ({kind})",
    }
    if run.method == "sft" and kind == "weighted":
        about["sft"] = f" (weighted, verdict {run.setting('train', 'verdict_weight')})"
    return f"{method} loss{about.get(run.method, '')}"


def _counted(run: Curves) -> str:
    """What Step.accuracy counts in this training."""
    if run.method == "orpo":
        return "pairs whose chosen answer is preferred"
    if run.method == "classifier":
        return "labels"
    if run.method == "sft" and run.setting("train", "loss") == "verdict":
        return "verdicts"
    return "tokens of the answers, weighted as in the loss"


def _counts(validations: Sequence[Validation]) -> str:
    """ "48", or "40 to 48" where they were not always as many."""
    counts = [one.n for one in validations]
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _each(texts: Sequence[str], runs: Sequence[Curves]) -> str:
    """What is said of every run as one sentence: once where it is the same for all."""
    if len(set(texts)) <= 1:
        return "".join(texts[:1]) + "."
    pairs = zip(runs, texts, strict=True)
    return "; ".join(f"{run.name} {text}" for run, text in pairs) + "."
