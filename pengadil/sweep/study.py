"""The trials of a sweep, one after another: drawn, trained, pruned or measured, written down."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from pengadil.errors import PengadilError
from pengadil.recipe import Recipe, load_recipe
from pengadil.sweep.drawing import next_trial, pruner_of
from pengadil.sweep.folder import Sweep
from pengadil.sweep.measuring import Measuring
from pengadil.sweep.ordinary import give_up, train_trial
from pengadil.sweep.space import as_words, grid, resolved
from pengadil.sweep.trials import (
    COMPLETE,
    FAILED,
    PRUNED,
    Progress,
    TrialRecord,
    best_trial,
    ended_trials,
    note_progress,
    score,
)
from pengadil.training.watch import Watch

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

Training = Callable[[Recipe, Path, Watch, Callable[[str], None]], bool]
Watching = Callable[[str, float | None], AbstractContextManager[Watch]]

# If so many trials fail before any succeeds, the next would too.
HOPELESS = 3


def unseen(what: str, deadline: float | None) -> AbstractContextManager[Watch]:
    """A Watch that shows nothing."""
    return nullcontext(Watch(deadline=deadline))


def run_trials(
    sweep: Sweep,
    study: Study,
    trials: int,
    watching: Watching = unseen,
    on_trial: Callable[[TrialRecord, TrialRecord | None], None] = lambda ended, best: None,
    deadline: float | None = None,
    train: Training = train_trial,
) -> bool:
    """Go on until `trials` in all have ended (of a grid, no more than it has).

    A trial that was stopped or killed is gone on with first, from its checkpoint. `watching` opens
    the Watch of each training; `on_trial` is told of each ended trial, and of the best so far.
    Returns False where the deadline, a value of time.monotonic(), came first. A trial that fails is
    written down with its reason; PengadilError where each of the first three does.
    """
    if sweep.sampler == "grid":
        trials = min(trials, len(grid(sweep.space)))
    study.pruner = pruner_of(sweep)
    while len(ended_trials(study)) < trials:
        if deadline is not None and time.monotonic() >= deadline:
            return False
        trial = next_trial(sweep, study)
        if not _run(sweep, study, trial, watching, deadline, train):
            return False
        ended = ended_trials(study)
        on_trial(ended[-1], best_trial(ended))
        if len(ended) >= HOPELESS and all(record.state == FAILED for record in ended):
            raise PengadilError(
                f"sweep {sweep.folder}",
                f"all of its {len(ended)} trials failed, the last with: {ended[-1].reason}",
                "Train the recipe alone first: scripts/train.py.",
            )
    return True


def _run(
    sweep: Sweep,
    study: Study,
    trial: Trial,
    watching: Watching,
    deadline: float | None,
    train: Training,
) -> bool:
    """Bring a trial to its end; False where the deadline stopped it."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    values = resolved({item.name: item.suggest(trial) for item in sweep.space}, sweep.recipe)
    trial.set_user_attr("values", values)
    same = [record for record in ended_trials(study) if record.values == values]
    if same:
        _copy(study, trial, same[0])
        return True
    number = trial.number + 1
    words = [*as_words(values), "--name", f"{sweep.recipe.name}-trial-{number:03d}"]
    measuring = Measuring(sweep, study, trial)
    try:
        with watching(f"trial {number}", deadline) as watch:
            complete = train(
                load_recipe(sweep.recipe_file, words),
                sweep.runs,
                measuring.watch(watch),
                lambda run: trial.set_user_attr("run", run),
            )
        if complete and measuring.result is None:
            raise PengadilError(f"trial {number}", "no validation was made", "Train longer.")
    except TrialPruned:
        measuring.note()
        study.tell(trial, state=TrialState.PRUNED)
        give_up(sweep.runs / trial.user_attrs.get("run", ""), PRUNED)
        return True
    except PengadilError as error:
        measuring.note()
        trial.set_user_attr("reason", str(error))
        study.tell(trial, state=TrialState.FAIL)
        give_up(sweep.runs / trial.user_attrs.get("run", ""), FAILED)
        return True
    except BaseException:
        measuring.note()
        raise
    measuring.note()
    if complete and measuring.result:
        study.tell(trial, score(measuring.result))
    return complete


def _copy(study: Study, trial: Trial, earlier: TrialRecord) -> None:
    """End a trial as the earlier one with the same settings did: trained again, it would too."""
    from optuna.trial import TrialState

    trial.set_user_attr("same_as", earlier.same_as or earlier.number)
    trial.set_user_attr("run", earlier.run)
    note_progress(trial, Progress(earlier.steps, 0.0, earlier.result))
    reported = study.get_trials(deepcopy=False)[earlier.number - 1].intermediate_values
    for step, value in reported.items():
        trial.report(value, step)
    if earlier.state == COMPLETE and earlier.result:
        study.tell(trial, score(earlier.result))
    elif earlier.state == PRUNED:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        trial.set_user_attr("reason", earlier.reason)
        study.tell(trial, state=TrialState.FAIL)
