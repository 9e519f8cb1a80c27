"""What a training tells a sweep: written down at once, and compared with the trials before."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from pengadil.errors import PengadilError
from pengadil.sweep.folder import Sweep
from pengadil.sweep.trials import (
    Progress,
    complete_trials,
    note_progress,
    progress_of,
    read_trials,
    score,
)
from pengadil.training.watch import Step, Validation, Watch

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

# A model may learn nothing for a while and then all at once: before this share of its steps, a
# trial is compared with no other.
PRUNED_FROM = 1 / 3


class Measuring:
    """Writes down what a training tells, at once, and prunes it where the others were better."""

    def __init__(self, sweep: Sweep, study: Study, trial: Trial) -> None:
        self._sweep, self._study, self._trial = sweep, study, trial
        earlier = progress_of(trial.user_attrs)
        self._step, self._steps = earlier.steps, 0
        self._before, self._began = earlier.seconds, time.monotonic()
        self.result = earlier.result

    def watch(self, shown: Watch) -> Watch:
        """A Watch that also shows everything on another."""

        def on_step(step: Step) -> None:
            self._step, self._steps = step.step, step.steps
            shown.on_step(step)

        def on_validation(validation: Validation) -> None:
            shown.on_validation(validation)
            self._take(validation)

        return Watch(on_step, on_validation, shown.say, shown.deadline)

    def note(self) -> None:
        """Write down the steps and seconds so far."""
        seconds = round(self._before + time.monotonic() - self._began, 3)
        note_progress(self._trial, Progress(self._step, seconds, self.result))

    def _take(self, validation: Validation) -> None:
        from optuna import TrialPruned

        if not math.isfinite(validation.value):
            raise PengadilError(
                f"step {validation.step}",
                f"the validation's {validation.metric} is no longer a number",
                "Lower the learning rates.",
            )
        last_counts = self._sweep.recipe.train.keep == "last"
        if self.result is None or last_counts or validation.better_than(self.result):
            self.result = validation
        self.note()
        # A training that goes on from a checkpoint repeats the validations after it.
        known = self._study.get_trials(deepcopy=False)[self._trial.number].intermediate_values
        if validation.step not in known:
            self._trial.report(score(validation), validation.step)
        if self._may_be_pruned(validation.step) and self._trial.should_prune():
            raise TrialPruned

    def _may_be_pruned(self, step: int) -> bool:
        enough = len(complete_trials(read_trials(self._study))) >= self._sweep.prune_after
        return enough and PRUNED_FROM * self._steps <= step < self._steps
