"""Run folders: what a training leaves behind, and `latest`, which points to the newest.

runs/smoke-20261121-101500/
    recipe.toml     the resolved recipe
    run.json        status, base model, prompt, data hashes, engine, versions, hardware
    log.jsonl       one line an optimizer step
    engine.log      what Unsloth printed, where it trained
    validation.jsonl  one line a validation, where the recipe has one
    curves.png      what training looked like; training.html shows it with its figures
    adapter/        safetensors and the tokenizer; there only when training has finished
    checkpoints/    to go on from; each whole one holds a file named `complete`
    best/           weights of the best validations, while training runs
    evaluation/     results folders: before-SLICE-MODE and SLICE-MODE
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.records import write_whole

FORMAT = 1
LATEST = "latest"
TRAINING, FINISHED = "training", "finished"


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder on disk."""

    folder: Path

    @property
    def recipe_file(self) -> Path:
        return self.folder / "recipe.toml"

    @property
    def adapter(self) -> Path:
        return self.folder / "adapter"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def best(self) -> Path:
        return self.folder / "best"

    @property
    def log(self) -> Path:
        return self.folder / "log.jsonl"

    @property
    def validations(self) -> Path:
        return self.folder / "validation.jsonl"

    def evaluation(self, slice_name: str, mode: str, before: bool = False) -> Path:
        """The results folder of a slice, judged by the base model (before) or the tuned one."""
        name = f"{'before-' if before else ''}{slice_name}-{mode}"
        return self.folder / "evaluation" / name

    def facts(self) -> dict[str, Any]:
        """What run.json says. Raises PengadilError if it is missing or of another format."""
        path = self.folder / "run.json"
        try:
            facts: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise PengadilError(
                str(path), "no readable run.json", "Train again; a run folder always holds one."
            ) from None
        if facts.get("format") != FORMAT:
            raise PengadilError(
                str(path), f"format {facts.get('format')} is not {FORMAT}", "Train again."
            )
        return facts

    def write_facts(self, facts: dict[str, Any]) -> None:
        """Replace run.json as a whole."""
        text = json.dumps({"format": FORMAT, **facts}, ensure_ascii=False, indent=2)
        write_whole(self.folder / "run.json", text + "\n")

    @property
    def finished(self) -> bool:
        return bool(self.facts().get("status") == FINISHED)


def is_run(path: Path) -> bool:
    """Whether a path is a run folder, or a `latest` that points to one."""
    return (follow(path) / "run.json").is_file()


def open_run(path: Path) -> Run:
    """The finished run at a path; `latest` is followed. Raises PengadilError otherwise."""
    folder = follow(path)
    if not folder.is_dir():
        raise PengadilError(str(path), "no such run folder", "Train one: python scripts/train.py")
    run = Run(folder)
    if not run.finished:
        raise PengadilError(
            str(folder),
            "its training has not finished",
            "Run the same training command again: it goes on from the last checkpoint.",
        )
    return run


def follow(path: Path) -> Path:
    """The folder that `latest` names, whether it is a link or, on Windows, a text file."""
    if path.name == LATEST and path.is_file():
        return path.parent / path.read_text(encoding="utf-8").strip()
    return path.resolve() if path.is_symlink() else path


def point_latest(run: Run) -> None:
    """Make `latest` beside the run point to it: a link, or a text file where links are refused."""
    latest = run.folder.parent / LATEST
    part = latest.with_name(f"{LATEST}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        part.symlink_to(run.folder.name, target_is_directory=True)
        part.replace(latest)
    except OSError:
        part.unlink(missing_ok=True)
        if latest.is_symlink():
            latest.unlink()
        write_whole(latest, run.folder.name + "\n")
