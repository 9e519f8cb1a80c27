"""How long the texts are that a judge was trained on: it reads best what is of that length."""

from __future__ import annotations

import json
from pathlib import Path

from pengadil.errors import PengadilError
from pengadil.folders import read_toml
from pengadil.guard.reading import MOST_PARTS, PART_TOKENS, Reading
from pengadil.judges.base import SCORE, Judge, answer_tokens
from pengadil.prompts import Prompt
from pengadil.records import Example
from pengadil.runs import Run, follow, is_run

# Parts are no shorter than this, however short the documents were: a sentence needs others.
LEAST_PART = 64


def reading_for(
    model: str,
    judge: Judge | None = None,
    prompt: Prompt | None = None,
    *,
    part_tokens: int | None = None,
    most_parts: int | None = None,
) -> Reading:
    """How documents are read by what a user calls a model; numbers given here come first.

    Parts are as long as the rows that a run was trained on, on average: document, statement and
    answer; what the prompt itself takes is left out where `judge` and `prompt` tell it. A .gguf in
    a run's folder is read as the run. Where nothing is known, parts have PART_TOKENS.
    """
    if part_tokens is None:
        rows = trained_length(model)
        own = 0 if judge is None or prompt is None else _prompt_tokens(judge, prompt)
        part_tokens = PART_TOKENS if rows is None else max(LEAST_PART, rows - own)
    return Reading(part_tokens, MOST_PARTS if most_parts is None else most_parts)


def _prompt_tokens(judge: Judge, prompt: Prompt) -> int:
    """What a row takes without a document, a statement and an answer; 0 where it is not known."""
    fit = judge.fit(Example("", "", "", 0), prompt, SCORE)
    return 0 if fit is None else max(0, fit.tokens - answer_tokens(prompt.form))


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
