"""A training to Weights & Biases while it runs: only when asked, and also offline.

What is sent: the figures of each step and validation, the recipe, the hashes of its data, engine,
hardware and versions; no rows, no code, no paths, nothing of user or host. W&B's own process sends
it in the background. What goes wrong there ends the logging with a notice, never the training.
"""

from __future__ import annotations

import contextlib
import json
import queue
import secrets
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pengadil import tracking_content as content
from pengadil.curves.reading import read_curves
from pengadil.errors import PengadilError
from pengadil.records import write_whole
from pengadil.runs import Run
from pengadil.tracking_access import (
    KEY,
    mode,
    need,
    project_of,
    quiet_wandb,
    reason,
    wandb_settings,
)
from pengadil.training.watch import Step, Validation, Watch

FINISH_TIMEOUT = 60  # seconds; what is not sent by then stays in the run folder
Row = tuple[int, dict[str, float]]


def check_tracking(offline: bool = False) -> None:
    """PengadilError where a training could not be logged: to be asked before anything is done."""
    need("wandb", sends=not (offline or mode() == "offline"))


class TrainingTracker:
    """Logs a run folder's training; a context manager around it.

    `project` may be `entity/project`. The id of the W&B run is kept in the run folder, so that a
    training that goes on is logged to the same one, with all steps that it did not get before.
    Offline, nothing is sent: the run is written to the folder's own `wandb/`. Entering raises
    PengadilError without the library or a key, or when W&B does not answer.
    """

    def __init__(self, run: Run, project: str | None = None, offline: bool = False) -> None:
        self._run = run
        self._entity, self._project = project_of(project)
        self._offline = offline or mode() == "offline"
        self._say: Callable[[str], None] = lambda text: None
        self._rows: queue.SimpleQueue[Row | None] = queue.SimpleQueue()
        self._caught_up = False
        self._best: Validation | None = None
        self._summary: dict[str, Any] = {}
        self._exit_code = 0
        self._failure = ""
        self._told = False
        self._where = ""

    def __enter__(self) -> Self:
        check_tracking(self._offline)
        about = content.training_settings(self._run.folder)
        with quiet_wandb(self._run.folder):
            import wandb

            try:
                self._wandb = wandb.init(
                    project=self._project,
                    entity=self._entity,
                    id=self._id(),
                    # Offline, all of it is written anew each time, so there is nothing to resume.
                    resume=None if self._offline else "allow",
                    name=self._run.folder.resolve().name,
                    job_type="training",
                    dir=self._run.folder,
                    mode="offline" if self._offline else "online",
                    config=about,
                    settings=wandb_settings(FINISH_TIMEOUT),
                )
            except Exception as error:
                raise PengadilError(
                    "Weights & Biases",
                    f"the training cannot be logged ({reason(type(error).__name__, str(error))})",
                    f"Check {KEY} and the network, or log offline.",
                ) from None
        self._place = self._run.folder / "wandb" / Path(self._wandb.dir).parent.name
        self._next = int(self._wandb.step)
        self._worker = threading.Thread(target=self._work, daemon=True)
        self._worker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._exit_code = 1 if error else 0
        self.finish()

    def watching(self, watch: Watch) -> Watch:
        """The same watch, which also logs; notices go to its `say`."""
        self._say = watch.say

        def on_step(step: Step) -> None:
            watch.on_step(step)
            self.on_step(step)

        def on_validation(validation: Validation) -> None:
            watch.on_validation(validation)
            self.on_validation(validation)

        return replace(watch, on_step=on_step, on_validation=on_validation)

    def on_step(self, step: Step) -> None:
        """Log a step; before the first one, those of the run's log that W&B lacks."""
        self._catch_up(step.step)
        self._add(step.step, content.step_figures(step))

    def on_validation(self, validation: Validation) -> None:
        """Log a validation, beside the figures of its step."""
        if validation.best:
            self._best = validation
        self._add(validation.step, content.validation_figures(validation))

    def finish(self, evaluations: Mapping[str, Mapping[str, Any]] | None = None) -> str:
        """End the W&B run and return its URL or, offline, its folder with the command to send it.

        `evaluations` are summaries of results (summary.json) by a name such as "contoh-score":
        their figures go with it.
        """
        if self._where:
            return self._where
        self._catch_up(None)
        for name, summary in (evaluations or {}).items():
            self._summary |= {
                f"evaluation/{name}/{key}": value for key, value in content.figures(summary).items()
            }
        if self._best:
            self._summary |= content.best_figures(self._best)
        self._rows.put(None)
        with quiet_wandb(self._run.folder):
            self._worker.join(FINISH_TIMEOUT + 10)
        if self._worker.is_alive():
            self._failure = self._failure or f"no answer in {FINISH_TIMEOUT} s"
        send = f'to send it: wandb sync "{self._place}"'
        if self._offline and not self._failure:
            self._drop_older()
            self._where = f"{self._place} (nothing was sent; {send})"
        elif self._failure:
            done = "written" if self._offline else "sent"
            self._where = f"{self._place} (not all of it was {done}: {self._failure}; {send})"
        else:
            self._where = str(self._wandb.url)
        return self._where

    def _id(self) -> str:
        """The W&B run's id: the one before, if it was in the same project, else a new one."""
        path = self._run.folder / "wandb" / "id.json"
        mine = {"entity": self._entity, "project": self._project}
        with contextlib.suppress(OSError, ValueError, TypeError):
            kept = dict(json.loads(path.read_text(encoding="utf-8")))
            if {**kept, **mine} == kept and str(kept.get("id", "")).isalnum():
                return str(kept["id"])
        found = secrets.token_hex(8)
        write_whole(path, json.dumps({"id": found, **mine}) + "\n")
        return found

    def _catch_up(self, before: int | None) -> None:
        """Once: log what stands in the run's log before a step, or all of it."""
        if self._caught_up:
            return
        self._caught_up = True
        with contextlib.suppress(PengadilError):  # nothing is logged yet
            curves = read_curves(self._run.folder)
            validated = {found.step: found for found in curves.validations}
            for step in curves.steps:
                if before is not None and step.step >= before:
                    break
                self._add(step.step, content.step_figures(step))
                if found := validated.get(step.step):
                    self.on_validation(found)

    def _add(self, step: int, figures: dict[str, float]) -> None:
        if self._failure:
            if not self._told:
                self._told = True
                self._say(f"Weights & Biases: no longer logged ({self._failure})")
            return
        if step >= self._next:  # W&B takes no steps that lie before those it has
            self._rows.put((step, figures))

    def _work(self) -> None:
        """Hand the rows to W&B and end its run; in a thread, so that training never waits."""
        try:
            while (row := self._rows.get()) is not None:
                step, figures = row
                self._wandb.log(figures, step=step)
            self._wandb.summary.update(self._summary)
            self._wandb.finish(exit_code=self._exit_code)
        except Exception as error:
            self._failure = reason(type(error).__name__, str(error))

    def _drop_older(self) -> None:
        """Remove what an earlier part of the training wrote offline: it is all in the newest."""
        for path in self._place.parent.glob(f"offline-run-*-{self._wandb.id}*"):
            if path.name != self._place.name:
                shutil.rmtree(path, ignore_errors=True)
