"""Trainings of the tiny random model, small enough to run by the dozen, and how to kill one."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pengadil.recipe import Recipe, load_recipe
from pengadil.runs import Run
from pengadil.training import run
from pengadil.training.plan import make_plan
from pengadil.training.watch import Step, Watch

RECIPE = """\
name = "rawak"

[model]
name = {base}
dtype = "float32"

[data]
train = ["contoh:48"]

[lora]
rank = 4
alpha = 8

[train]
batch_size = 8
learning_rate = 1e-3
save_every = 2

[evaluation]
slices = []
"""
STEPS = 6


def cpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide any GPU: figures are compared to a millionth, and a GPU adds up in varying order."""
    import torch

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def write_recipe(folder: Path, base: Path) -> Path:
    """rawak.toml in a folder: 6 steps of 8 rows on the model in `base`, a checkpoint every 2."""
    path = folder / "rawak.toml"
    path.write_text(RECIPE.format(base=json.dumps(str(base))), encoding="utf-8")
    return path


def trained(
    recipe: Recipe,
    folder: Path,
    on_step: Callable[[Step], None] = lambda step: None,
    **watched: Any,
) -> Run:
    """Plan, find or start, train: what the script does without judging."""
    plan = make_plan(recipe)
    found, _ = run.find_or_start(plan, folder)
    run.train(plan, found, Watch(on_step, **watched))
    return found


def stop_at(step: int) -> Callable[[Step], None]:
    """Press Ctrl-C when that step has been made, before its checkpoint is written."""

    def on_step(made: Step) -> None:
        if made.step == step:
            # A suite that was started in the background may have been told to ignore Ctrl-C.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.raise_signal(signal.SIGINT)

    return on_step


def stopped(recipe: Recipe, folder: Path, step: int) -> Run:
    """The unfinished run of a training that was stopped at a step with Ctrl-C."""
    with pytest.raises(KeyboardInterrupt):
        trained(recipe, folder, stop_at(step))
    [left] = folder.iterdir()
    return Run(left)


def weights(found: Run) -> dict[str, Any]:
    """The tensors of a run's adapter."""
    from safetensors.torch import load_file

    tensors: dict[str, Any] = load_file(found.adapter / "adapter_model.safetensors")
    return tensors


def difference(one: Run, other: Run) -> float:
    """The largest difference between two runs' adapters."""
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    return max(float((first[name] - second[name]).abs().max()) for name in first)


def log(found: Run) -> list[dict[str, Any]]:
    """The lines of a run's log.jsonl."""
    return [json.loads(line) for line in found.log.read_text(encoding="utf-8").splitlines()]


def killed(recipe: Path, folder: Path, place: str) -> Run:
    """The run of a training that was killed with SIGKILL, in a process of its own, at a place."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    # Imported once for all children, for they take seconds.
    context.set_forkserver_preload(["torch", "transformers.trainer", "peft"])
    child = context.Process(target=_train_and_die, args=(recipe, folder, place))
    child.start()
    child.join(300)
    assert child.exitcode not in (None, 0, 1), f"not killed at its {place}"
    [left] = folder.iterdir()
    return Run(left)


def _train_and_die(recipe: Path, folder: Path, place: str) -> None:
    from pengadil.training import reporting  # it imports transformers

    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    plan = make_plan(load_recipe(recipe))
    found, _ = run.find_or_start(plan, folder)

    def on_step(step: Step) -> None:
        if place == "fifth step" and step.step == 5:
            die()

    def mark_complete(checkpoint: Path) -> None:
        if place == "second checkpoint" and checkpoint.name == "checkpoint-4":
            die()
        marked(checkpoint)

    marked, reporting.mark_complete = reporting.mark_complete, mark_complete
    if place == "half-written adapter":
        plan.tokenizer.save_pretrained = die
    run.train(plan, found, Watch(on_step))


def die(*_: Any) -> None:
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
