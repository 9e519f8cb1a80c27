"""How long the texts are that a judge was trained on: it reads best what is of that length."""

from __future__ import annotations

import json
from pathlib import Path

from pengadil.errors import PengadilError
from pengadil.folders import read_toml
from pengadil.guard.reading import MOST_PARTS, PART_TOKENS, Reading
from pengadil.runs import Run, follow, is_run

# Parts are no shorter than this, however short the rows were: a sentence needs those around it.
LEAST_PART = 64


def reading_for(
    model: str, part_tokens: int | None = None, most_parts: int | None = None
) -> Reading:
    """How documents are read by what a user calls a model; numbers given here come first.

    Parts are as long as the rows that a run was trained on, prompt and answer included, on average.
    A .gguf in a run's folder is read as the run. Where nothing is known, they have PART_TOKENS.
    """
    if part_tokens is None:
        rows = trained_length(model)
        part_tokens = PART_TOKENS if rows is None else max(LEAST_PART, rows)
    return Reading(part_tokens, MOST_PARTS if most_parts is None else most_parts)


def trained_length(model: str) -> int | None:
    """The mean tokens of a run's training rows, by its log; None where it is not known."""
    folder = _run_folder(Path(model)) if model else None
    if folder is None:
        return None
    run = Run(folder)
    try:
        *_, last = run.log.read_text(encoding="utf-8").split("\n")[:-1]
        step = json.loads(last)
        rows = int(step["step"]) * int(read_toml(run.recipe_file)["train"]["batch_size"])
        return round(int(step["tokens"]) / rows)
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError, PengadilError):
        return None


def _run_folder(path: Path) -> Path | None:
    if is_run(path):
        return follow(path)
    # An export lies in a folder of its run.
    beside = path.parent.parent
    return beside if path.suffix.lower() == ".gguf" and is_run(beside) else None
