"""Checkpoints that are whole, and how a run goes on from the newest of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from pengadil.records import write_whole

PREFIX = "checkpoint-"
COMPLETE = "complete"


def mark_complete(checkpoint: Path) -> None:
    """List the checkpoint's files and sizes in it: one without the list is not whole."""
    write_whole(checkpoint / COMPLETE, json.dumps(_sizes(checkpoint), indent=1) + "\n")


def newest_complete(folder: Path) -> Path | None:
    """The newest whole checkpoint, or None; those cut off half-way are removed."""
    for path in sorted(_checkpoints(folder), key=step_of, reverse=True):
        if _is_complete(path):
            return path
        shutil.rmtree(path, ignore_errors=True)
    return None


def complete_steps(folder: Path) -> list[int]:
    """The steps of the whole checkpoints."""
    return sorted(step_of(path) for path in _checkpoints(folder) if _is_complete(path))


def step_of(checkpoint: Path | None) -> int:
    """How many optimizer steps a checkpoint holds; 0 for none."""
    return int(checkpoint.name[len(PREFIX) :]) if checkpoint else 0


def _checkpoints(folder: Path) -> list[Path]:
    return [path for path in folder.glob(f"{PREFIX}*") if path.name[len(PREFIX) :].isdigit()]


def _is_complete(checkpoint: Path) -> bool:
    try:
        listed = json.loads((checkpoint / COMPLETE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(listed) and listed == _sizes(checkpoint)


def _sizes(checkpoint: Path) -> dict[str, int]:
    return {
        path.relative_to(checkpoint).as_posix(): path.stat().st_size
        for path in sorted(checkpoint.rglob("*"))
        if path.is_file() and path.name != COMPLETE
    }
