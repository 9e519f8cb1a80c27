"""A sweep as something to read: its best trial, all trials, pictures, and how it was run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pengadil.report.page import Page, Section
from pengadil.settings import value_of
from pengadil.sweep.findings import Findings, caution, headline
from pengadil.sweep.folder import Sweep
from pengadil.sweep.pictures import (
    curves_picture,
    history_picture,
    importance_picture,
    parameter_picture,
)
from pengadil.sweep.space import value_text
from pengadil.sweep.trials import TrialRecord, number_text, range_text
from pengadil.wording import DASH, shown_value

Pictures = Mapping[str, bytes]


def pictures_of(sweep: Sweep, found: Findings) -> dict[str, bytes]:
    """Every picture by its file's name, as PNG; none before the first validation."""
    trials = [trial for trial in found.trials if trial.result]
    if not trials:
        return {}
    pictures = {"history": history_picture(trials)}
    for parameter in sweep.space:
        pictures[f"setting-{parameter.name}"] = parameter_picture(trials, parameter)
    if found.importance:
        pictures["importance"] = importance_picture(found.importance)
    return {**pictures, "curves": curves_picture(trials)}


def sweep_page(sweep: Sweep, found: Findings, pictures: Pictures) -> Page:
    """The whole page."""
    sections = [
        *tables(sweep, found),
        *_picture_sections(sweep, found, pictures),
        _provenance(sweep),
    ]
    return Page(f"Sweep of {sweep.recipe.name}", headline(found), sections)


def tables(sweep: Sweep, found: Findings) -> list[Section]:
    """The best trial beside the recipe, and every trial in a row."""
    sections = [_trials_section(sweep, found)]
    if found.best:
        sections.insert(0, _best_section(sweep, found, found.best))
    return sections


def _best_section(sweep: Sweep, found: Findings, best: TrialRecord) -> Section:
    rows = [
        [name, value_text(value_of(sweep.recipe, name)), value_text(value)]
        for name, value in best.values.items()
    ]
    own = [trial for trial in found.trials if trial.own and trial.result]
    if own and own[0].result and best.result:
        cells = [number_text(made.metric, made.value) for made in (own[0].result, best.result)]
        rows.append([f"validation {best.result.metric}", *cells])
    columns = ("setting", "recipe", f"trial {best.number}")
    return Section("Best trial", columns, rows, note=caution(found))


def _trials_section(sweep: Sweep, found: Findings) -> Section:
    names = [parameter.name for parameter in sweep.space]
    metric = next((trial.result.metric for trial in found.trials if trial.result), "value")
    columns = ("trial", *names, metric, "95 %", "n", "at step", "steps", "seconds", "state")
    rows = [[*_cells(trial, names), trial.state_text] for trial in found.trials]
    failed = [f"Trial {trial.number}: {trial.reason}." for trial in found.trials if trial.reason]
    note = (
        f"The value is that of the trial's {sweep.recipe.train.keep} validation, made at that "
        "step. Seconds are by the clock, loading included, without what a kill lost."
    )
    return Section("Trials", columns, rows, note=" ".join([note, *failed]))


def _cells(trial: TrialRecord, names: Sequence[str]) -> list[str]:
    found, measured = trial.result, [DASH] * 4
    if found:
        value = number_text(found.metric, found.value)
        measured = [value, range_text(found), f"{found.n:,}", f"{found.step:,}"]
    values = [value_text(trial.values[name]) for name in names]
    return [str(trial.number), *values, *measured, f"{trial.steps:,}", f"{trial.seconds:,.0f}"]


def _picture_sections(sweep: Sweep, found: Findings, pictures: Pictures) -> Iterator[Section]:
    notes = {
        "history": (
            "Best so far",
            "The value of each trial with its 95 % interval; a cross is a trial that did not come "
            "to its end, and the line is the best so far.",
        ),
        **{
            f"setting-{parameter.name}": (
                parameter.name,
                f"The value of each trial by {parameter}; the best trial is ringed.",
            )
            for parameter in sweep.space
        },
        "importance": (
            "Which settings mattered",
            "The share of the variance between complete trials that a setting alone explains "
            "(fANOVA). With tens of trials this is a hint.",
        ),
        "curves": (
            "Validations",
            "Every trial's validations by optimizer step; those of pruned trials end in a cross.",
        ),
    }
    for name, (title, note) in notes.items():
        if name in pictures:
            yield Section(title, note=note, picture=pictures[name], picture_text=f"{title}. {note}")
    if found.no_importance:
        yield Section(notes["importance"][0], note=f"Left out: {found.no_importance}.")


def _provenance(sweep: Sweep) -> Section:
    rows = [[name, shown_value(value)] for name, value in _flat(sweep.settings())]
    return Section("How it was run", ("setting", "value"), rows)


def _flat(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        parts = value.items() if isinstance(value, Mapping) else [("", value)]
        yield from ((f"{key}.{name}".rstrip("."), part) for name, part in parts)
