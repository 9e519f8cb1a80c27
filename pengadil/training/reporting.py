"""What every trainer does between optimizer steps: report, validate, keep the best, stop in time.

Imported only when training starts, since it needs transformers to define its class.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from pengadil.errors import PengadilError
from pengadil.training import best
from pengadil.training.checkpoints import complete_steps, mark_complete
from pengadil.training.processes import agreed, is_main
from pengadil.training.watch import Step, Validation, Watch

if TYPE_CHECKING:
    from pengadil.runs import Run
    from pengadil.training.plan import Plan

# With schedule "plateau": after so many validations in a row without a better one, the step size is
# cut to a tenth (the factor that torch's ReduceLROnPlateau has too).
PLATEAU, CUT = 2, 0.1

# A validation of the model in training; step, best and the like are filled in here.
Validator = Callable[[int], Validation]


@dataclass
class Totals:
    """What a trainer adds up over the micro-batches of a step."""

    loss: float = 0.0
    hits: float = 0.0
    weight: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)  # each added up, divided by `weight`

    def clear(self) -> None:
        self.loss = self.hits = self.weight = 0.0
        self.figures.clear()


class Reporter(TrainerCallback):  # type: ignore[misc]
    """Add `loss`, `hits` and `weight` of each micro-batch to `totals`; the rest happens here.

    `save` writes the weights to a folder that appears only when it is whole. `counts_hits` is
    False where the trainer does not know which labels were met. After training, `out_of_time`
    says whether the deadline ended it.
    """

    def __init__(
        self,
        plan: Plan,
        run: Run,
        watch: Watch,
        save: Callable[[Path], None],
        validate: Validator | None = None,
        history: list[Validation] | None = None,
        counts_hits: bool = True,
    ) -> None:
        self.plan, self.run, self.watch = plan, run, watch
        self.save, self.validate = save, validate
        self.history = history if history is not None else []
        self.counts_hits = counts_hits
        self.totals = Totals()
        self.out_of_time = False
        self._rate = 0.0
        self._slowest = 0.0  # seconds of the longest step, validation included
        self._began = 0.0
        self._tokens = [0]
        for rows in plan.step_rows():
            self._tokens.append(self._tokens[-1] + sum(row.size for row in rows))

    def attach(self, trainer: Any) -> None:
        """Report for this trainer, in place of transformers' own printing."""
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(self)

    def finish(self) -> None:
        """Put the weights to keep in their place, unless the deadline ended the training."""
        if self.out_of_time or not is_main():
            return
        chosen = best.best_of(self.run.best) if self.plan.recipe.train.keep == "best" else None
        if chosen:
            best.put(chosen, self.run.adapter)
        else:
            self.save(self.run.adapter)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._began = self._began or time.monotonic()

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # When the step ends, the scheduler is already at the next one.
        self._rate = kwargs["optimizer"].param_groups[0]["lr"]

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        totals, weight = self.totals, self.totals.weight or 1.0
        if not math.isfinite(totals.loss):
            raise PengadilError(
                f"step {state.global_step} of {state.max_steps}",
                "the loss is no longer a number",
                "Lower --train.learning_rate, or use --model.dtype float32.",
            )
        step = Step(
            step=state.global_step,
            steps=state.max_steps,
            loss=totals.loss / weight,
            accuracy=totals.hits / weight if self.counts_hits else None,
            learning_rate=self._rate,
            tokens=self._tokens[min(state.global_step, len(self._tokens) - 1)],
            figures={name: value / weight for name, value in totals.figures.items()},
        )
        totals.clear()
        if is_main():
            self.watch.on_step(step)
        if self._validate_when_due(step):
            self._cut_on_plateau(kwargs["optimizer"], kwargs["lr_scheduler"])
        self._stop_when_due(step, control)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if not is_main():
            return
        mark_complete(self.run.checkpoints / f"checkpoint-{state.global_step}")
        best.drop_older(self.run.best, complete_steps(self.run.checkpoints))

    def _validate_when_due(self, step: Step) -> bool:
        every = self.plan.validate_every
        if self.validate is None or not every:
            return False
        if step.step % every and step.step < step.steps:
            return False
        if is_main():
            measured = self.validate(step.step)
            measured = replace(measured, best=best.is_best(self.history, measured))
            self.history.append(measured)
            if measured.best and self.plan.recipe.train.keep == "best":
                best.keep(self.run.best, step.step, self.save)
            self.watch.on_validation(measured)
        return True

    def _cut_on_plateau(self, optimizer: Any, scheduler: Any) -> None:
        if self.plan.recipe.train.schedule != "plateau":
            return
        waited = best.without_gain(self.history)
        if not agreed(waited > 0 and waited % PLATEAU == 0):
            return
        # Both are saved with a checkpoint, so a run that goes on keeps the smaller step size.
        inner = getattr(scheduler, "scheduler", scheduler)
        inner.base_lrs = [rate * CUT for rate in inner.base_lrs]
        for group in optimizer.param_groups:
            group["lr"] *= CUT

    def _stop_when_due(self, step: Step, control: Any) -> None:
        now = time.monotonic()
        self._slowest, self._began = max(self._slowest, now - self._began), now
        deadline, patience = self.watch.deadline, self.plan.recipe.train.patience
        late = deadline is not None and now + self._slowest > deadline
        enough = bool(patience) and best.without_gain(self.history) >= patience
        if step.step >= step.steps:
            return
        # Each process has its own clock, and only the first validates: all stop, or none.
        if agreed(late):
            self.out_of_time = True
            control.should_save = control.should_training_stop = True
        elif agreed(enough):
            self.watch.say(
                f"step {step.step}: {patience} validations without a better one, so training ends"
            )
            control.should_save = control.should_training_stop = True
