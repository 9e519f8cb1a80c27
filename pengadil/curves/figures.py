"""A training in numbers: tables for its page and for the terminal, and a line that says it all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from pengadil.curves.lines import smoothed, span_of, speeds
from pengadil.curves.reading import Curves
from pengadil.report.page import Section
from pengadil.report.provenance import leaves
from pengadil.training.measured import in_words, measured, measured_text
from pengadil.training.progress import duration
from pengadil.training.watch import Step
from pengadil.wording import DASH, percent

# Of run.json, what says how a training came about.
PROVENANCE = ("base", "prompt", "data", "engine", "hardware", "versions")
Shown = Callable[[float], str]
short: Shown = "{:.3g}".format


def headline(runs: Sequence[Curves]) -> str:
    """What came out of one training in one line, or of several in a sentence each."""
    if len(runs) > 1:
        return " ".join(f"{run.name}: {_best(run) or _steps(run)}." for run in runs)
    [run] = runs
    text = f"{_steps(run)} in {duration(run.seconds[-1])}"
    if losses := _means(run, lambda step: step.loss):
        text += f", loss {losses[0]:.3g} to {losses[-1]:.3g}"
    if best := _best(run):
        text += f"; {best}"
    return text[0].upper() + text[1:]


def _best(run: Curves) -> str:
    """The best validation with all that must stand beside it; empty where there was none."""
    if run.best is None:
        return ""
    return f"best validation (step {run.best.step:,}): {in_words(run.best)}"


def _steps(run: Curves) -> str:
    last = run.steps[-1]
    if last.step >= last.steps:
        return f"{last.steps:,} steps"
    ended = "ended after" if run.finished else "not finished:"
    return f"{ended} {last.step:,} of {last.steps:,} steps"


def numbers_section(runs: Sequence[Curves]) -> Section:
    """A row a figure, a column a training."""
    columns = [_numbers(run) for run in runs]
    fullest = sorted(columns, key=len, reverse=True)
    names = list(dict.fromkeys(name for column in fullest for name in column))
    note = (
        "Loss, answers right and margin: the strong line's ends and its best. Tokens are those of "
        "the rows, counted as if each were computed alone."
    )
    if any(run.validations for run in runs):
        note += (
            " The best of several validations looks better than it is: chance chose it too. "
            "Measure on rows that chose nothing, with eval/evaluate.py"
            + (", and compare with eval/compare.py." if len(runs) > 1 else ".")
        )
    return Section(
        "In numbers",
        ("figure", *(["value"] if len(runs) == 1 else [run.name for run in runs])),
        [[name, *(column.get(name, DASH) for column in columns)] for name in names],
        note=note,
    )


def _numbers(run: Curves) -> dict[str, str]:
    facts = run.facts
    found = {
        "steps": _steps(run),
        **_first_last_best("loss", _means(run, lambda step: step.loss), min, short),
        **_first_last_best("answers right", _means(run, lambda step: step.accuracy), max),
    }
    margins = _means(run, lambda step: step.figures.get("margin"))
    found |= _first_last_best("margin", margins, max, short)
    kinds = {"first": run.validations[:1], "at last": run.validations[-1:]}
    for kind, validations in {**kinds, "best": [run.best] if run.best else []}.items():
        for one in validations:
            for name, value in measured(one).items():
                text = measured_text(value).removeprefix(f"{name} ")
                found[f"validation {name}, {kind}"] = f"{text}; step {one.step:,}"
    seconds, tokens = run.seconds[-1], run.steps[-1].tokens
    found["seconds"] = f"{seconds:,.1f} ({duration(seconds)})"
    found["tokens"] = f"{tokens:,}"
    if seconds > 0:
        found["tokens a second, by the clock"] = f"{tokens / seconds:,.0f}"
    if pace := [*filter(math.isfinite, speeds(run))]:
        found["tokens a second, median step"] = f"{median(pace):,.0f}"
    for name, *keys in (
        ("recipe", "recipe"),
        ("engine", "engine", "engine"),
        ("number format", "engine", "dtype"),
        ("hardware", "hardware", "device_name"),
    ):
        if value := _at(facts, keys):
            found[name] = str(value)
    return found


def _means(run: Curves, value: Callable[[Step], float | None]) -> list[float]:
    """The strong line of a figure; empty where it was not logged or was never a number."""
    known = [found for step in run.steps if (found := value(step)) is not None]
    around = smoothed(known, span_of(run.steps[-1].steps), "mean")
    return [*filter(math.isfinite, around)]


def _first_last_best(
    name: str,
    values: Sequence[float],
    best: Callable[[Sequence[float]], float],
    shown: Shown = percent,
) -> dict[str, str]:
    if not values:
        return {}
    return {
        f"{name}, first": shown(values[0]),
        f"{name}, at last": shown(values[-1]),
        f"{name}, best": shown(best(values)),
    }


def _at(tree: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def settings_section(runs: Sequence[Curves]) -> Section | None:
    """How it was trained; of several, only what is not the same. None where nothing is known."""
    columns = [_settings(run) for run in runs]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [[name, *(column.get(name, DASH) for column in columns)] for name in names]
    if not rows:
        return None
    if len(runs) == 1:
        return Section("How it was trained", ("setting", "value"), rows)
    differing = [row for row in rows if len(set(row[1:])) > 1]
    return Section(
        "What differs",
        ("setting", *(run.name for run in runs)),
        differing,
        note=f"Of recipe, data, engine, machine and versions; {len(rows) - len(differing)} other "
        "settings are the same.",
    )


def _settings(run: Curves) -> dict[str, str]:
    facts = {key: run.facts[key] for key in PROVENANCE if key in run.facts}
    return dict([*leaves(run.recipe), *leaves(facts)])
