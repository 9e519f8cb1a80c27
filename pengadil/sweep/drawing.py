"""Which settings a sweep tries next, and by whose measure a trial is given up."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from pengadil.sweep.folder import Sweep
from pengadil.sweep.space import grid, own_values

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial


def next_trial(sweep: Sweep, study: Study) -> Trial:
    """The trial that was stopped, else a new one.

    The first tries the recipe's own settings, if the space holds them; a grid goes in its order.
    """
    from optuna.trial import Trial, TrialState

    stopped = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if stopped:
        # A kill may have come before all of its values were drawn.
        study.sampler = _sampler(sweep, stopped[0].number)
        return Trial(study, stopped[0]._trial_id)
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    number = len(study.get_trials(deepcopy=False)) - len(waiting)
    study.sampler = _sampler(sweep, number)
    if not waiting and sweep.sampler == "grid":
        study.enqueue_trial(grid(sweep.space)[number])
    elif not waiting and number == 0 and (own := own_values(sweep.space, sweep.recipe)):
        study.enqueue_trial(own, user_attrs={"own": True})
    return study.ask()


def _sampler(sweep: Sweep, number: int) -> BaseSampler:
    """With a seed for this very trial: a sweep that was stopped draws what it would have drawn."""
    from optuna.samplers import RandomSampler, TPESampler

    seed = int(sha256(f"{sweep.seed} {number}".encode()).hexdigest()[:8], 16)
    return TPESampler(seed=seed) if sweep.sampler == "tpe" else RandomSampler(seed=seed)


def pruner_of(sweep: Sweep) -> BasePruner:
    """The median of the trials before (Golovin et al., 2017), or successive halving.

    The latter is the asynchronous one of Li et al. (2020, ASHA).
    """
    from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner

    if sweep.pruner == "median":
        return MedianPruner(n_startup_trials=sweep.prune_after)
    return SuccessiveHalvingPruner() if sweep.pruner == "halving" else NopPruner()
