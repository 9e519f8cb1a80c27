"""A training in a process of its own: what it tells arrives, and so does how it ends."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers_runs import make_tiny_base
from helpers_training import cpu_only, log, trained, weights, write_recipe

from pengadil.errors import PengadilError
from pengadil.recipe import load_recipe
from pengadil.runs import Run
from pengadil.training import run as runs
from pengadil.training.apart import DONE, FAILED, LOG, REFUSED, SAY, STEP, _listen, train_apart
from pengadil.training.plan import Plan, make_plan
from pengadil.training.portable import train_portable
from pengadil.training.watch import Step, Validation, Watch

MADE = Step(step=1, steps=2, loss=0.5, accuracy=None, learning_rate=0.1, tokens=7)


def prepare() -> None:
    """What an engine does first in the new process: here it looks whether it really is first."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    late = [name for name in ("torch", "transformers", "peft", "trl") if name in sys.modules]
    print(f"too late: {late}" if late else "in time")


def die(*_: Any) -> bool:
    print("the last words", flush=True)
    os._exit(7)


def through(trainer: Callable[..., bool]) -> Callable[[Plan], Callable[..., bool]]:
    """In place of `trainer_of`: this trainer, apart."""

    def train(plan: Plan, run: Run, watch: Watch, history: list[Validation]) -> bool:
        return train_apart(prepare, trainer, plan, run, watch, history)

    return lambda plan: train


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    cpu_only(monkeypatch)
    path = write_recipe(tmp_path, make_tiny_base(tmp_path / "base"))
    return load_recipe(path, ["--train.max_steps", "3"])


def test_it_trains_as_it_would_here(
    recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = trained(recipe, tmp_path / "here")
    monkeypatch.setattr(runs, "trainer_of", through(train_portable))
    steps: list[Step] = []
    there = trained(recipe, tmp_path / "there", steps.append)
    assert [step.step for step in steps] == [1, 2, 3]
    assert [line["loss"] for line in log(there)] == [line["loss"] for line in log(here)]
    first, second = weights(there), weights(here)
    assert max(float((first[name] - second[name]).abs().max()) for name in first) < 1e-6
    assert "in time" in (there.folder / LOG).read_text(encoding="utf-8")


def test_a_process_that_dies_is_told_with_its_log(
    recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(recipe)
    run, _ = runs.find_or_start(plan, tmp_path / "runs")
    with pytest.raises(PengadilError, match=r"exit code 7.*goes on from the last checkpoint"):
        train_apart(prepare, die, plan, run, Watch(), [])
    assert "the last words" in (run.folder / LOG).read_text(encoding="utf-8")


def listened(*told: Any, watch: Watch | None = None) -> bool | None:
    """What comes of these messages, each answered before the next is sent."""
    here, there = multiprocessing.Pipe()

    def tell() -> None:
        for message in told:
            there.send(message)
            if message[0] in (STEP, SAY):
                there.recv()
        there.close()

    teller = threading.Thread(target=tell)
    teller.start()
    try:
        return _listen(here, watch or Watch())
    finally:
        here.close()
        teller.join(10)


def test_what_it_tells_is_passed_on_in_order() -> None:
    told: list[Any] = []
    watch = Watch(on_step=told.append, say=told.append)
    assert listened((STEP, MADE), (SAY, "fewer rows"), (DONE, True), watch=watch) is True
    assert told == [MADE, "fewer rows"]
    assert listened((DONE, False)) is False


def test_its_errors_are_raised_here() -> None:
    with pytest.raises(PengadilError) as refused:
        listened((REFUSED, ("a row", "too long", "Cut it.")))
    assert (refused.value.found, refused.value.next_step) == ("a row", "Cut it.")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        listened((FAILED, "Traceback ...\nZeroDivisionError: division by zero"))


def test_an_end_without_a_word_is_noticed() -> None:
    assert listened() is None
    assert listened((STEP, MADE)) is None


def test_the_deadline_travels_as_the_time_that_is_left() -> None:
    from pengadil.training.apart import _telling

    here, there = multiprocessing.Pipe()
    before = time.monotonic()
    watch = _telling(there, 100.0)
    assert watch.deadline is not None
    assert before + 100 <= watch.deadline <= time.monotonic() + 100
    assert _telling(there, None).deadline is None
    here.close()
    there.close()
