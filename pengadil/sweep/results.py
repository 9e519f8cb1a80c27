"""What a sweep leaves to read: sweep.html, sweep.md, results.csv, sweep.json and its pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pengadil.hardware import provenance, versions
from pengadil.records import write_whole
from pengadil.report.page import as_html, as_markdown
from pengadil.sweep.findings import Findings, headline
from pengadil.sweep.folder import Sweep, write_settings
from pengadil.sweep.page import pictures_of, sweep_page
from pengadil.sweep.space import value_text
from pengadil.sweep.trials import TrialRecord, complete_trials


def write_results(sweep: Sweep, found: Findings) -> list[Path]:
    """Write everything anew; the files to look at first, in order."""
    folder = sweep.folder
    pictures = pictures_of(sweep, found)
    page = sweep_page(sweep, found, pictures)
    (folder / "pictures").mkdir(exist_ok=True)
    for name, picture in pictures.items():
        (folder / "pictures" / f"{name}.png").write_bytes(picture)
    names = [parameter.name for parameter in sweep.space]
    write_whole(folder / "results.csv", results_csv(names, found.trials))
    write_settings(sweep, summary(found))
    files = {"sweep.md": as_markdown(page), "sweep.html": as_html(page)}
    for name, text in files.items():
        write_whole(folder / name, text)
    return [folder / name for name in (*files, "results.csv")]


def summary(found: Findings) -> dict[str, Any]:
    """What sweep.json says of the trials."""
    best = found.best
    return {
        "headline": headline(found),
        "trials": len(found.trials),
        "complete": len(complete_trials(found.trials)),
        "best": best and {"trial": best.number, "run": best.run, "values": best.values},
        "inside_the_best_interval": found.alike,
        "importance": found.importance or None,
        "versions": {**versions(), "optuna": version("optuna")},
        "hardware": provenance(),
    }


def results_csv(names: Sequence[str], trials: Sequence[TrialRecord]) -> str:
    """A line a trial; an interval's ends and shares as numbers, an empty cell for what is not."""
    measured = ("metric", "value", "low", "high", "n", "step")
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(
        ["trial", "state", *names, *measured, "steps", "seconds", "run", "same_as", "reason"]
    )
    for trial in trials:
        values = [value_text(trial.values[name]) for name in names]
        found = [getattr(trial.result, name, "") for name in measured]
        ends = [trial.steps, trial.seconds, trial.run, trial.same_as or "", trial.reason]
        lines.writerow([trial.number, trial.state, *values, *found, *ends])
    return text.getvalue()
