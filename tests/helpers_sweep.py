"""Sweeps whose trainings are made up, in milliseconds, and one that is killed in the midst."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from helpers_training import die, write_recipe

from pengadil.recipe import Recipe, load_recipe
from pengadil.sweep.folder import Sweep, open_study, sweep_of
from pengadil.sweep.reading import read_space
from pengadil.sweep.study import run_trials
from pengadil.sweep.trials import TrialRecord, read_trials
from pengadil.training.watch import Step, Validation, Watch

SCRIPT = Path(__file__).parent.parent / "scripts" / "sweep.py"
RATES = "train.learning_rate=1e-4..1e-2:log"
RANKS = "lora.rank=2,4,8"
STEPS = 6
GOOD = 3e-3  # the learning rate that the made-up model likes best

Value = Callable[[Recipe, int], float]


def make_sweep(folder: Path, *search: str, overrides: Sequence[str] = (), **settings: Any) -> Sweep:
    """A sweep of the tiny recipe, whose model is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = write_recipe(folder, folder / "no-model")
    space = read_space(search or (RATES, RANKS), path, overrides)
    recipe = load_recipe(path, overrides)
    return sweep_of(folder, "uji", recipe=recipe, space=space, facts={}, **settings)


def learned(recipe: Recipe, step: int) -> float:
    """Rises with the steps; the nearer the learning rate is to the good one, the higher."""
    rate = recipe.train.learning_rate
    return step / STEPS * max(0.0, 0.9 - abs(rate - GOOD) * 100)


class Made:
    """A training that only tells what it is made up to tell; it counts what it was asked for.

    `stop` is told of each step before it is, and may raise.
    """

    def __init__(
        self, value: Value = learned, metric: str = "accuracy", stop: Any = lambda *_: None
    ) -> None:
        self.value, self.metric, self.stop = value, metric, stop
        self.recipes: list[Recipe] = []
        self.steps: list[tuple[str, int]] = []

    def __call__(
        self, recipe: Recipe, runs: Path, watch: Watch, on_run: Callable[[str], None]
    ) -> bool:
        self.recipes.append(recipe)
        on_run(recipe.name)
        for step in range(1, STEPS + 1):
            self.stop(recipe, step)
            self.steps.append((recipe.name, step))
            watch.on_step(Step(step, STEPS, 1.0, 0.5, 1e-3, step))
            value = self.value(recipe, step)
            low, high = value - 0.05, value + 0.05
            watch.on_validation(Validation(step, self.metric, value, low, high, 200, 0.5))
        return True


def swept(sweep: Sweep, trials: int, train: Any = None, **options: Any) -> list[TrialRecord]:
    """The trials of a sweep that has been brought to so many."""
    with open_study(sweep) as study:
        run_trials(sweep, study, trials, train=train or Made(), **options)
        return read_trials(study)


def sweep_script() -> ModuleType:
    """scripts/sweep.py as a module."""
    spec = importlib.util.spec_from_file_location("sweep_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kill_sweep(words: Sequence[str], folder: Path, trial: int, step: int) -> None:
    """Run the script in a process of its own, killed with SIGKILL at a step of a trial."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    context.set_forkserver_preload(["torch", "transformers.trainer", "peft"])
    child = context.Process(target=_sweep_and_die, args=(words, folder, trial, step))
    child.start()
    child.join(300)
    assert child.exitcode not in (None, 0, 1), f"not killed at step {step} of trial {trial}"


def _sweep_and_die(words: Sequence[str], folder: Path, trial: int, step: int) -> None:
    from pengadil.training import progress

    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.chdir(folder)

    @contextmanager
    def dying(what: str, deadline: float | None = None) -> Iterator[Watch]:
        def on_step(made: Step) -> None:
            if (what, made.step) == (f"trial {trial}", step):
                die()

        yield Watch(on_step)

    progress.training_progress = dying
    sweep_script().main(words)
