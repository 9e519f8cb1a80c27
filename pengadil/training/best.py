"""The best weights of a training, kept beside its checkpoints until they are safe to drop.

A run that goes on from an older checkpoint makes the validations after it anew, so the weights of a
validation may go only when a checkpoint that comes later than a better one is whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from pengadil.training.watch import Validation

PREFIX = "step-"


def keep(folder: Path, step: int, save: Callable[[Path], None]) -> None:
    """Save the weights of a step; `save` makes its folder appear only when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    save(folder / f"{PREFIX}{step}")


def forget_after(folder: Path, step: int) -> None:
    """Remove the weights of steps that will be made again."""
    for found in _kept(folder):
        if _step(found) > step:
            shutil.rmtree(found, ignore_errors=True)


def drop_older(folder: Path, checkpoints: Sequence[int]) -> None:
    """Remove weights that no return to one of these checkpoints could need."""
    if not checkpoints:
        return
    earlier = [found for found in _kept(folder) if _step(found) <= min(checkpoints)]
    for found in earlier[:-1]:
        shutil.rmtree(found, ignore_errors=True)


def best_of(folder: Path) -> Path | None:
    """The newest kept weights, which are the best; None before the first validation."""
    kept = _kept(folder)
    return kept[-1] if kept else None


def put(chosen: Path, place: Path) -> None:
    """Copy kept weights to their place, which appears only when it is whole.

    They stay where they were: a run that is stopped now still has to know them for the best.
    """
    part = place.with_name(place.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        shutil.copytree(chosen, part)
        shutil.rmtree(place, ignore_errors=True)
        part.rename(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def is_best(history: Sequence[Validation], validation: Validation) -> bool:
    """Whether no earlier validation was as good: of equal ones, the first stays."""
    return all(validation.better_than(earlier) for earlier in history)


def without_gain(history: Sequence[Validation]) -> int:
    """How many validations have passed since the best one."""
    for count, validation in enumerate(reversed(history)):
        if validation.best:
            return count
    return len(history)


def _kept(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found = [path for path in folder.glob(f"{PREFIX}*") if path.name[len(PREFIX) :].isdigit()]
    return sorted(found, key=_step)


def _step(path: Path) -> int:
    return int(path.name[len(PREFIX) :])
