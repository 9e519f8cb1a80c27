"""What is told of an evaluation or a training to a tracking service, and what is not."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pengadil.records import Example, Judgement
from pengadil.runs import Run
from pengadil.training.measured import measured
from pengadil.training.watch import Step, Validation

ROW_FIELDS = ("id", "gold", "verdict", "rule", "probability")
# The parts of summary.json with figures, and what their names begin with.
FIGURES = {"scores": "", "baselines": "", "usage": "usage/"}
NOT_SETTINGS = (*FIGURES, "by")
# Of run.json, what is told of a training beside its recipe, and under which names.
TRAINING_FACTS = {
    **{key: key for key in ("recipe_sha256", "base", "prompt", "engine", "hardware", "versions")},
    **{"data": "data.rows", "processes": "processes", "steps": "steps"},
}
BETWEEN_PATHS = re.compile(r"(,\s*|;\s*|:\s+)")


def title(summary: Mapping[str, Any]) -> str:
    """What a run is called: model, slice and mode."""
    names = (summary["model"]["name"], summary["slice"]["name"])
    return " · ".join([*map(_shortened, names), summary["mode"]])


def settings(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What was run, on what and where: all of summary.json but its figures."""
    return {key: _shortened(summary[key]) for key in summary if key not in NOT_SETTINGS}


def figures(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Scores, baselines and usage by flat names: accuracy, accuracy_low, majority/accuracy, ..."""
    found: dict[str, Any] = {}
    for section, before in FIGURES.items():
        found |= _flat(summary.get(section) or {}, before)
    return found


def rows(
    judgements: Sequence[Judgement], examples: Iterable[Example], include_text: bool
) -> list[dict[str, Any]]:
    """A dictionary a row, all with the same keys: ROW_FIELDS, and the texts where asked for."""
    by_id = {example.id: example for example in examples}
    found = []
    for judgement in judgements:
        row = {name: getattr(judgement, name) for name in ROW_FIELDS}
        if include_text:
            example = by_id.get(judgement.id)
            row["passage"] = example.passage if example else None
            row["question"] = example.question if example else None
            row["raw"] = judgement.raw
        found.append(row)
    return found


def training_settings(run: Path) -> dict[str, Any]:
    """What is trained, on what, how and where, by flat names: train.learning_rate, base.name, ...

    From a run folder's recipe and run.json. Raises PengadilError without a readable run.json.
    """
    facts = Run(run).facts()
    recipe = tomllib.loads((run / "recipe.toml").read_text(encoding="utf-8"))
    told = {name: facts[key] for key, name in TRAINING_FACTS.items() if key in facts}
    return {**dict(_dotted(_shortened(recipe))), **dict(_dotted(_shortened(told)))}


def step_figures(step: Step) -> dict[str, float]:
    """The figures of an optimizer step by flat names: train/loss, train/learning_rate, ..."""
    found = {"loss": step.loss, "learning_rate": step.learning_rate, "tokens": step.tokens}
    if step.accuracy is not None:
        found["accuracy"] = step.accuracy
    return {f"train/{name}": value for name, value in {**found, **step.figures}.items()}


def validation_figures(found: Validation) -> dict[str, float]:
    """The figures of a validation by flat names: validation/accuracy, validation/accuracy_n, ..."""
    figures: dict[str, float] = {}
    for name, one in measured(found).items():
        figures |= {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
        figures[f"{name}_n"] = one.n
        if one.majority is not None:
            figures[f"{name}_majority"] = one.majority
    return {f"validation/{name}": value for name, value in figures.items()}


def best_figures(found: Validation) -> dict[str, float]:
    """The best validation, under names of its own: best/step, best/accuracy, ..."""
    figures = validation_figures(found).items()
    return {"best/step": found.step} | {
        name.replace("validation/", "best/"): value for name, value in figures
    }


def _shortened(value: Any) -> Any:
    """The same with paths from the root cut to their last part: they tell of the user, not the run.

    In a list within a text ("validation: /home/ali/a.jsonl,b.jsonl"), too.
    """
    if isinstance(value, Mapping):
        return {key: _shortened(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(inner) for inner in value]
    if isinstance(value, str):
        return "".join(
            Path(part).name if Path(part).is_absolute() or part.startswith("~") else part
            for part in BETWEEN_PATHS.split(value)
        )
    return value


def _dotted(tree: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Each leaf with its dotted name; a list is a leaf."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{before}{key}.")
        else:
            yield before + key, value


def _flat(values: Mapping[str, Any], before: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = before + key
        if isinstance(value, Mapping):
            found |= _flat(value, name + "/")
        elif key.endswith("_interval"):
            stem = name.removesuffix("_interval")
            found[f"{stem}_low"], found[f"{stem}_high"] = value
        elif isinstance(value, bool | int | float | str):
            found[name] = value
    return found
