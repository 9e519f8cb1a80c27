"""Run folders with logs of trainings that were never made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def log_row(step: int, steps: int = 40, **more: Any) -> dict[str, Any]:
    """A line of log.jsonl, a hundred tokens and half a second a step."""
    row = {
        "step": step, "steps": steps, "loss": 1 / step, "accuracy": step / steps,
        "learning_rate": 1e-3 * (1 - step / steps), "tokens": 100 * step, "seconds": step / 2,
    }  # fmt: skip
    return {**row, **more}


def validation_row(step: int, value: float, best: bool = False, **more: Any) -> dict[str, Any]:
    row = {"step": step, "metric": "accuracy", "value": value, "low": value - 0.1,
           "high": value + 0.1, "n": 48, "majority": 0.5, "best": best}  # fmt: skip
    return {**row, **more}


def make_run(
    folder: Path,
    log: list[dict[str, Any]] | None = None,
    validations: list[dict[str, Any]] | None = None,
    recipe: str = '[train]\nloss = "verdict"\n',
    **facts: Any,
) -> Path:
    """A run folder with logs, by default a finished one of 40 steps."""
    folder.mkdir(parents=True)
    for name, rows in (
        ("log.jsonl", log if log is not None else [log_row(n) for n in range(1, 41)]),
        ("validation.jsonl", validations or []),
    ):
        if rows:
            (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (folder / "recipe.toml").write_text(recipe, encoding="utf-8")
    about = {"status": "finished", "engine": {"engine": "portable", "dtype": "float32"}, **facts}
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


VALIDATIONS = [
    validation_row(10, 0.6, best=True),
    validation_row(20, 0.9, best=True),
    validation_row(40, 0.8),
]
ORPO = '[train]\nmethod = "orpo"\nbeta = 0.1\n'
