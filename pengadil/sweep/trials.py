"""The trials of a sweep as plain records, and which of them is the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pengadil.statistics import Interval
from pengadil.training.watch import MORE_IS_BETTER, Validation
from pengadil.wording import DASH, interval_text, percent

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

COMPLETE, PRUNED, FAILED, STOPPED = "complete", "pruned", "failed", "stopped"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a trial has come: its steps, its seconds, and the validation that counts so far."""

    steps: int = 0
    seconds: float = 0.0
    result: Validation | None = None


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial: its settings and what it came to.

    `drawn` is what the search drew, where an alpha may be a multiple of the rank; `values` are the
    recipe's fields. `result` is the validation of the weights that the recipe keeps, the best ones
    or the last, and `curve` the value of each validation by its step. `seconds` are by the clock,
    loading included, without what a kill lost. `run` names its run folder. `same_as` is the
    earlier trial that had the same settings and stands for it. `own` says that the settings are
    the recipe's. `reason` says why it failed.
    """

    number: int  # from 1
    state: str
    drawn: dict[str, Any]
    values: dict[str, Any]
    result: Validation | None = None
    curve: dict[int, float] = field(default_factory=dict)
    steps: int = 0
    seconds: float = 0.0
    run: str = ""
    same_as: int | None = None
    own: bool = False
    reason: str = ""

    @property
    def state_text(self) -> str:
        same = f", as trial {self.same_as}" if self.same_as else ""
        own = ", the recipe's own" if self.own else ""
        return f"{self.state}{same}{own}"


def note_progress(trial: Trial, progress: Progress) -> None:
    """Write a trial's progress down, in place of the one before."""
    trial.set_user_attr("progress", asdict(progress))


def progress_of(known: Mapping[str, Any]) -> Progress:
    """The progress among a trial's attributes; that of a new trial if there is none."""
    found = known.get("progress")
    if not found:
        return Progress()
    result = found["result"] and Validation(**found["result"])
    return Progress(found["steps"], found["seconds"], result)


def read_trials(study: Study) -> list[TrialRecord]:
    """Every trial that was begun, in order."""
    begun = [trial for trial in study.get_trials(deepcopy=False) if "values" in trial.user_attrs]
    return [_record(trial) for trial in begun]


def ended_trials(study: Study) -> list[TrialRecord]:
    """Those that are complete, pruned or failed."""
    return [record for record in read_trials(study) if record.state != STOPPED]


def complete_trials(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Those that were trained to their end and measured."""
    return [trial for trial in trials if trial.state == COMPLETE and trial.result]


def best_trial(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """The complete trial with the best validation; of equal ones the first."""
    found: TrialRecord | None = None
    for trial in complete_trials(trials):
        if found is None or _result(trial).better_than(_result(found)):
            found = trial
    return found


def score(validation: Validation) -> float:
    """What Optuna makes as large as it can: the value, or its negative where less is better."""
    return validation.value if MORE_IS_BETTER[validation.metric] else -validation.value


def number_text(metric: str, value: float | None) -> str:
    """A value of the metric; accuracies in per cent."""
    if value is None:
        return DASH
    return percent(value) if metric == "accuracy" else f"{value:.4g}"


def range_text(validation: Validation) -> str:
    """The ends of its 95 % interval; an accuracy's in per cent."""
    if validation.metric == "accuracy":
        return interval_text(Interval(validation.low, validation.high))
    return f"{validation.low:.4g} to {validation.high:.4g}"


def measured_text(validation: Validation) -> str:
    """ "accuracy 91.0 % of 200 (95 % interval 86.2–94.2)"; other metrics are "on 200 rows"."""
    value = number_text(validation.metric, validation.value)
    rows = (
        f"of {validation.n:,}" if validation.metric == "accuracy" else f"on {validation.n:,} rows"
    )
    return f"{validation.metric} {value} {rows} (95 % interval {range_text(validation)})"


def _result(trial: TrialRecord) -> Validation:
    assert trial.result is not None
    return trial.result


def _record(trial: FrozenTrial) -> TrialRecord:
    from optuna.trial import TrialState

    states = {
        TrialState.COMPLETE: COMPLETE,
        TrialState.PRUNED: PRUNED,
        TrialState.FAIL: FAILED,
    }
    known = trial.user_attrs
    progress = progress_of(known)
    result = progress.result
    sign = 1 if result is None or MORE_IS_BETTER[result.metric] else -1
    return TrialRecord(
        number=trial.number + 1,
        state=states.get(trial.state, STOPPED),
        drawn=trial.params,
        values=known["values"],
        result=result,
        curve={step: sign * value for step, value in sorted(trial.intermediate_values.items())},
        steps=progress.steps,
        seconds=progress.seconds,
        run=known.get("run", ""),
        same_as=known.get("same_as"),
        own=known.get("own", False),
        reason=known.get("reason", ""),
    )
