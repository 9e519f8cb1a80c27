"""A training in a process of its own.

Unsloth patches transformers, peft and TRL for good, and must be imported before them: in a process
that has planned a training it comes too late, and a judge that runs after it would run on its
patches. The new process ends with the training and gives all of its memory back.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pengadil.errors import INTERRUPTED, PengadilError
from pengadil.training.watch import Watch

if TYPE_CHECKING:
    from pengadil.runs import Run
    from pengadil.training.plan import Plan
    from pengadil.training.watch import Validation

    Trainer = Callable[[Plan, Run, Watch, list[Validation]], bool]

LOG = "engine.log"  # what the libraries print there
STEP, VALIDATION, SAY, DONE, REFUSED, FAILED = range(6)
PATIENCE = 10.0  # seconds for the process to end by itself


def train_apart(
    prepare: Callable[[], None],
    trainer: Trainer,
    plan: Plan,
    run: Run,
    watch: Watch,
    history: list[Validation],
) -> bool:
    """`trainer(plan, run, watch, history)` in a new process, after `prepare()` in it.

    Both are functions of modules that load nothing heavy. What the training tells reaches `watch`
    here, and it waits until that is done. Raises the trainer's PengadilError as it is, any other
    error as a RuntimeError with its traceback, and PengadilError when the process is killed.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    log = run.folder / LOG
    process = context.Process(target=_child, args=(there, prepare, log))
    _give_memory_back()
    process.start()
    there.close()  # so that its end is noticed here
    try:
        left = None if watch.deadline is None else watch.deadline - time.monotonic()
        with contextlib.suppress(ConnectionError):  # it has died already: noticed below
            here.send((trainer, _portable_plan(plan), run, history, left))
        complete = _listen(here, watch)
        process.join(PATIENCE)
        if complete is None:
            raise PengadilError(
                "the training's process",
                f"it has ended before its work was done (exit code {process.exitcode})",
                f"Its last words are in {log}; the same command goes on from the last checkpoint.",
            )
        return complete
    finally:
        here.close()
        for end in (process.terminate, process.kill):
            if process.is_alive():
                end()
                process.join(PATIENCE)


def _portable_plan(plan: Plan) -> Plan:
    """The plan as it travels: tokenizer and encoder are loaded anew."""
    return replace(plan, encoder=None, tokenizer=None)


def _listen(here: Connection, watch: Watch) -> bool | None:
    """Pass on what the process tells until it is done; None when it has ended without a word."""
    told: dict[int, Callable[[Any], None]] = {
        STEP: watch.on_step,
        VALIDATION: watch.on_validation,
        SAY: watch.say,
    }
    while True:
        try:
            kind, content = here.recv()
        except (EOFError, ConnectionError):
            return None
        if kind == DONE:
            return bool(content)
        if kind == REFUSED:
            raise PengadilError(*content)
        if kind == FAILED:
            raise RuntimeError(f"the training failed:\n{content}")
        told[kind](content)
        with contextlib.suppress(ConnectionError):
            here.send(None)


def _child(there: Connection, prepare: Callable[[], None], log: Path) -> None:
    """What the new process does: train, and tell."""
    _write_to(log)
    try:
        prepare()
        trainer, plan, run, history, left = there.recv()
        from pengadil.loading import load_tokenizer
        from pengadil.tokens import Encoder

        tokenizer = load_tokenizer(plan.model.folder)
        encoder = None
        if plan.recipe.train.method != "classifier":
            encoder = Encoder.of_tokenizer(tokenizer, plan.model.name)
        plan = replace(plan, encoder=encoder, tokenizer=tokenizer)
        there.send((DONE, trainer(plan, run, _telling(there, left), history)))
    except PengadilError as error:
        traceback.print_exc()  # to the log, with what a library said
        there.send((REFUSED, (error.found, error.wrong, error.next_step)))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (EOFError, ConnectionError):
        sys.exit(1)  # nobody listens any more
    except Exception:
        there.send((FAILED, traceback.format_exc()))


def _telling(there: Connection, left: float | None) -> Watch:
    """A watch whose owner is in the other process."""

    def tell(kind: int) -> Callable[[Any], None]:
        def send(content: Any) -> None:
            there.send((kind, content))
            there.recv()  # so that nothing is saved which the run's log does not know

        return send

    deadline = None if left is None else time.monotonic() + left
    return Watch(tell(STEP), tell(VALIDATION), tell(SAY), deadline)


def _write_to(log: Path) -> None:
    """Banners and bars of the libraries go to a file: the screen has its own."""
    with log.open("ab") as file:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                os.dup2(file.fileno(), stream.fileno())


def _give_memory_back() -> None:
    """What a judge before left on the GPU; the new process needs it."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
