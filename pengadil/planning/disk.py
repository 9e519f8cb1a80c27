"""How much disk a training takes, by part."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from pengadil.planning.files import ModelFiles
from pengadil.planning.memory import STATES, Part, trained_parameters
from pengadil.planning.shape import Shape
from pengadil.recipe import Recipe

# The two newest, and the one that is being written.
CHECKPOINTS = 3
# Best weights so far, and those that the newest checkpoints may still go back to.
BEST = 2
# Tokenizer, logs, results.
BESIDE = 30_000_000


def disk(
    shape: Shape, recipe: Recipe, files: ModelFiles, export: Part | None = None
) -> tuple[Part, ...]:
    """What lies on the disk at some time, each part with its reason; `export` is one of them.

    A download of unknown size is taken to be 16 bits a weight.
    """
    trained = trained_parameters(shape, recipe)
    adapter = 4 * trained
    whole = int(trained * (4 + STATES[recipe.train.optimizer]))
    download, why = files.download, files.reason
    if download is None:
        download, why = 2 * shape.parameters, f"{why}; 16 bits a weight are assumed"
    parts = [
        Part("model", download, why),
        Part(
            "checkpoints",
            CHECKPOINTS * whole,
            f"weights and optimizer, {CHECKPOINTS} of {whole / 1e6:,.0f} MB: two are kept, the "
            "newest may be half-written",
        ),
        Part("result", adapter + BESIDE, "the trained weights in float32, tokenizer, logs"),
    ]
    if recipe.data.validation or recipe.data.validation_share:
        parts.append(Part("best", BEST * adapter, "the best weights so far"))
    if export:
        parts.append(export)
    return tuple(parts)


def fullest(parts: Sequence[Part]) -> int:
    """The most bytes at once: checkpoints and best weights are removed before an export."""
    by_name = {part.name: part.bytes for part in parts}
    training = by_name.get("checkpoints", 0) + by_name.get("best", 0)
    staying = sum(by_name.values()) - training - by_name.get("export", 0)
    return staying + max(training, by_name.get("export", 0))


def free(folder: Path) -> int:
    """Bytes free where a folder is, or will be made."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free
