"""What a sweep has found: its best trial, how far to trust it, and which settings mattered."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pengadil.sweep.folder import Sweep
from pengadil.sweep.space import as_words
from pengadil.sweep.trials import (
    FAILED,
    PRUNED,
    STOPPED,
    TrialRecord,
    best_trial,
    complete_trials,
    measured_text,
    read_trials,
)

if TYPE_CHECKING:
    from optuna import Study

# With fewer trials, a random forest fits their noise.
ENOUGH = 10


@dataclass(frozen=True, slots=True)
class Findings:
    """The trials and the best of them; `alike` others are inside its 95 % interval.

    `importance` is each setting's share of the variance of the complete trials' values that one
    setting alone explains (fANOVA; Hutter et al., 2014). It is empty where `no_importance` says
    why.
    """

    trials: list[TrialRecord]
    best: TrialRecord | None
    alike: int
    importance: dict[str, float]
    no_importance: str


def findings(sweep: Sweep, study: Study) -> Findings:
    """What the trials so far come to."""
    trials = read_trials(study)
    best = best_trial(trials)
    different = [trial for trial in complete_trials(trials) if not trial.same_as]
    alike = 0
    if best and best.result:
        low, high = best.result.low, best.result.high
        others = [trial.result for trial in different if trial.number != best.number]
        alike = sum(low <= other.value <= high for other in others if other)
    obstacle = _obstacle(sweep, different)
    importance = {} if obstacle else _importance(study, sweep.seed)
    return Findings(trials, best, alike, importance, obstacle)


def headline(found: Findings) -> str:
    """The best trial with its interval, and out of how many it is the best."""
    ends = [
        f"{count:,} {state}"
        for state in (PRUNED, FAILED, STOPPED)
        if (count := sum(trial.state == state for trial in found.trials))
    ]
    complete = len(complete_trials(found.trials))
    counted = ", ".join([f"{complete:,} complete", *ends])
    if not found.best or not found.best.result:
        return f"No trial is complete yet ({counted})"
    best = found.best.result
    majority = ""
    if best.majority is not None:
        majority = f"; always the commonest label: {100 * best.majority:.1f} %"
    return (
        f"Best: trial {found.best.number}, validation {measured_text(best)}{majority}. "
        f"Trials: {counted}"
    )


def caution(found: Findings) -> str:
    """Why the best value is too good to be true, and how many others are as good as it."""
    best = found.best.result if found.best else None
    if best is None:
        return ""
    complete = len(complete_trials(found.trials))
    said = [
        f"This value flatters: it is the best of {complete:,} complete trials, each measured more "
        f"than once and all on the same {best.n:,} rows, so that luck has a part in it. Its "
        "interval knows nothing of that. The test slices were not judged: they are for the one "
        "setting that is chosen."
    ]
    if best.majority is not None and best.low <= best.majority:
        said.append(
            "The commonest label's share is inside the interval: nothing shows that the best trial "
            "has learned."
        )
    if found.alike:
        others = "other settings are" if found.alike > 1 else "other setting is"
        said.append(
            f"{found.alike:,} {others} inside it too: these rows hardly tell them from the best."
        )
    return " ".join(said)


def next_command(found: Findings, recipe: str, overrides: Sequence[str]) -> str:
    """The command that trains the best settings and evaluates them; empty without a best."""
    if not found.best:
        return ""
    words = [recipe, *overrides, *as_words(found.best.values)]
    return f"python scripts/train.py {shlex.join(words)}"


def _obstacle(sweep: Sweep, different: Sequence[TrialRecord]) -> str:
    """Why no importance can be told; empty where it can."""
    if len(sweep.space) < 2:
        return "only one setting was searched"
    if len(different) < ENOUGH:
        return f"{len(different)} complete trials of different settings are less than {ENOUGH}"
    if len({trial.result.value for trial in different if trial.result}) < 2:
        return "all complete trials came to the same value"
    return ""


def _importance(study: Study, seed: int) -> dict[str, float]:
    from optuna.importance import FanovaImportanceEvaluator

    return FanovaImportanceEvaluator(seed=seed).evaluate(study)
