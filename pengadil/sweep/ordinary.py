"""A trial as an ordinary training with a run folder, and what is checked before the first."""

from __future__ import annotations

import gc
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pengadil.data.slices import Slice
from pengadil.errors import PengadilError
from pengadil.recipe import Recipe
from pengadil.runs import Run, is_run
from pengadil.training.plan import make_plan
from pengadil.training.run import find_or_start, train
from pengadil.training.watch import Watch

if TYPE_CHECKING:
    from pengadil.training.plan import Plan


def check_plan(recipe: Recipe, tests: Sequence[Slice] = ()) -> Plan:
    """The plan of the recipe as it is; PengadilError where no sweep of it is possible.

    The test slices are read for this one thing: no row of theirs may be trained or chosen on.
    """
    if not (recipe.data.validation or recipe.data.validation_share):
        raise PengadilError(
            f"recipe {recipe.name}",
            "it has no validation, which the trials of a sweep are compared by",
            "Add --data.validation_share 0.1, or name rows of their own with --data.validation.",
        )
    return make_plan(recipe, tests)


def plan_facts(plan: Plan) -> dict[str, Any]:
    """Model, prompt and data: what has to stay the same, so that trials can be compared."""
    return {
        "base": {"name": plan.model.name, "revision": plan.model.revision},
        "prompt": {"name": plan.prompt.name, "sha256": plan.prompt.sha256},
        "data": plan.data_facts(),
    }


def train_trial(recipe: Recipe, runs: Path, watch: Watch, on_run: Callable[[str], None]) -> bool:
    """Train the recipe in `runs`, on from a checkpoint if there is one; False at the deadline.

    `on_run` is told the name of the run folder.
    """
    _free_memory()
    plan = make_plan(recipe)
    run, _ = find_or_start(plan, runs)
    on_run(run.folder.name)
    return train(plan, run, watch)


def give_up(folder: Path, why: str) -> None:
    """Mark an unfinished run as given up, and remove what would only serve to go on with it."""
    if not is_run(folder):
        return
    run = Run(folder)
    run.write_facts({**run.facts(), "given_up": why})
    for kept in (run.checkpoints, run.best):
        shutil.rmtree(kept, ignore_errors=True)


def _free_memory() -> None:
    """Give back what the last trial's model held: the next is loaded before Python would."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
