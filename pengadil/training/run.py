"""A plan to a run folder: weights trained by its method and engine, everything recorded."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime
from functools import partial
from pathlib import Path

from pengadil import runs
from pengadil.errors import PengadilError
from pengadil.hardware import provenance, versions
from pengadil.models import resolve_model
from pengadil.records import Appender, drop_cut_line, read_jsonl, write_whole
from pengadil.runs import Run
from pengadil.training import best
from pengadil.training.checkpoints import newest_complete, step_of
from pengadil.training.plan import Plan
from pengadil.training.processes import from_main, is_main, world
from pengadil.training.watch import Step, Validation, Watch

Trainer = Callable[[Plan, Run, Watch, list[Validation]], bool]


def find_or_start(plan: Plan, folder: Path, fresh: bool = False) -> tuple[Run, bool]:
    """The newest unfinished run of this plan, else a new one; and whether it is old.

    Recipe, base model, prompt and data must be the same. `fresh` always starts a new one. Of
    several processes the main one chooses.
    """
    found = _find_or_start(plan, folder, fresh) if is_main() else None
    path, old = from_main(found and (found[0].folder, found[1]))
    return Run(path), old


def _find_or_start(plan: Plan, folder: Path, fresh: bool) -> tuple[Run, bool]:
    planned = {
        "recipe": plan.recipe.name,
        "recipe_sha256": plan.recipe.sha256,
        "base": {"name": plan.model.name, "revision": plan.model.revision},
        "prompt": {"name": plan.prompt.name, "sha256": plan.prompt.sha256},
        "data": plan.data_facts(),
    }
    if not fresh:
        for path in sorted(folder.glob(f"{plan.recipe.name}-*"), reverse=True):
            run = Run(path)
            with contextlib.suppress(PengadilError):  # no run, or one of another version
                facts = run.facts()
                if not facts["evaluated"] and all(facts[key] == planned[key] for key in planned):
                    return run, True
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    run = Run(folder / f"{plan.recipe.name}-{stamp}")
    number = 1
    while run.folder.exists():
        number += 1
        run = Run(folder / f"{plan.recipe.name}-{stamp}-{number}")
    run.folder.mkdir(parents=True)
    run.recipe_file.write_text(plan.recipe.to_toml(), encoding="utf-8")
    run.write_facts(
        {
            "status": runs.TRAINING,
            "evaluated": False,
            **planned,
            "method": plan.recipe.train.method,
            "engine": asdict(plan.choice),
            "versions": versions(),
            "hardware": provenance(),
            "processes": world(),
            "steps": plan.steps,
            "seconds": 0.0,
        }
    )
    return run, False


def train(plan: Plan, run: Run, watch: Watch) -> bool:
    """Train the plan into the run folder, and make `latest` point to it.

    A run whose weights are whole is not trained again. `run.json` says "finished" only when they
    are in place, with their tokenizer; then checkpoints and other weights, of no more use, are
    removed. Returns False where the watch's deadline stopped the training: the same call goes on.
    """
    if not run.finished and not _train(plan, run, watch):
        return False
    if is_main():
        for folder in (run.checkpoints, run.best):
            shutil.rmtree(folder, ignore_errors=True)
        runs.point_latest(run)
    return True


def trainer_of(plan: Plan) -> Trainer:
    """What trains by the plan's method, with its engine; Unsloth in a process of its own."""
    method = plan.recipe.train.method
    if method == "classifier":
        from pengadil.training.classifier import train_classifier

        return train_classifier
    if plan.choice.engine == "unsloth":
        from pengadil.training.apart import train_apart
        from pengadil.training.orpo import train_orpo
        from pengadil.training.unsloth import import_unsloth, train_unsloth

        trainer = train_orpo if method == "orpo" else train_unsloth
        return partial(train_apart, import_unsloth, trainer)
    if method == "orpo":
        from pengadil.training.orpo import train_orpo

        return train_orpo
    from pengadil.training.portable import train_portable

    return train_portable


def _train(plan: Plan, run: Run, watch: Watch) -> bool:
    started = time.monotonic()
    # The plan was made without the weights of a hub's model.
    resolve_model(plan.model.name, plan.recipe.model.revision)
    at = step_of(newest_complete(run.checkpoints))
    if is_main():
        before = _go_back(run.log, at)
        _go_back(run.validations, at)
        best.forget_after(run.best, at)
    else:
        before = 0.0
    history = from_main(read_validations(run) if is_main() else None)

    def seconds() -> float:
        return round(before + time.monotonic() - started, 3)

    if not is_main():
        return trainer_of(plan)(plan, run, Watch(deadline=watch.deadline), history)

    with contextlib.ExitStack() as stack:
        log = stack.enter_context(Appender(run.log))
        validations = stack.enter_context(Appender(run.validations)) if plan.validation else None

        def on_step(step: Step) -> None:
            log.add_text(json.dumps({**asdict(step), "seconds": seconds()}))
            watch.on_step(step)

        def on_validation(validation: Validation) -> None:
            assert validations is not None
            validations.add_text(json.dumps({**asdict(validation), "seconds": seconds()}))
            watch.on_validation(validation)

        told = Watch(on_step, on_validation, watch.say, watch.deadline)
        complete = trainer_of(plan)(plan, run, told, history)
    status = runs.FINISHED if complete else runs.TRAINING
    run.write_facts({**run.facts(), "status": status, "seconds": seconds()})
    return complete


def read_validations(run: Run) -> list[Validation]:
    """What a run was measured at so far, in order."""
    if not run.validations.exists():
        return []
    names = {field.name for field in fields(Validation)}
    return [
        Validation(**{name: value for name, value in row.items() if name in names})
        for _, row in read_jsonl(run.validations)
    ]


def _go_back(log: Path, steps: int) -> float:
    """Keep the lines of the first `steps` steps, those of the checkpoint; the seconds they took.

    The steps after it are lost with a kill, and will be made and logged again.
    """
    if not log.exists():
        return 0.0
    drop_cut_line(log)
    kept = [row for _, row in read_jsonl(log) if row["step"] <= steps]
    write_whole(log, "".join(json.dumps(row) + "\n" for row in kept))
    return float(kept[-1]["seconds"]) if kept else 0.0
