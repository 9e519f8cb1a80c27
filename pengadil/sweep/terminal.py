"""What the terminal shows of a sweep: its space before, and each trial as it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pengadil.sweep.folder import Sweep
from pengadil.sweep.space import as_words, grid, own_values
from pengadil.sweep.trials import TrialRecord, measured_text

if TYPE_CHECKING:
    from pengadil.training.plan import Plan


def show_sweep(sweep: Sweep, plan: Plan, trials: int) -> None:
    """Engine, size of a trial, what is searched and how."""
    print(plan.choice.reason)
    for parameter in sweep.space:
        print(f"  {parameter}")
    if sweep.sampler == "grid":
        whole = len(grid(sweep.space))
        trials, how = min(trials, whole), f"grid of {whole:,}"
    else:
        own = own_values(sweep.space, sweep.recipe)
        first = "the recipe's own settings first" if own else "the recipe's own are not among them"
        how = f"{sweep.sampler}, seed {sweep.seed}, {first}"
    pruning = "none is pruned"
    if sweep.pruner != "none":
        pruning = f"pruned by {sweep.pruner} once {sweep.prune_after:,} are complete"
    print(
        f"{sweep.folder}: {trials:,} trials ({how}), {pruning}; with the recipe's own settings a "
        f"trial is {plan.steps:,} steps, {plan.tokens:,} tokens, measured every "
        f"{plan.validate_every:,} steps on {len(plan.validation):,} rows; test slices are not "
        "judged"
    )


def say_trial(trial: TrialRecord, best: TrialRecord | None) -> None:
    """A line on a trial that has ended, and the best so far."""
    words = as_words(trial.values)
    settings = " ".join(word.removeprefix("--") for word in words)
    measured = f", {measured_text(trial.result)}" if trial.result else ""
    reason = f": {trial.reason}" if trial.reason else ""
    so_far = f"; best so far: trial {best.number}" if best and best.number != trial.number else ""
    print(
        f"trial {trial.number} {trial.state_text} ({settings}){measured}, {trial.steps:,} steps, "
        f"{trial.seconds:,.0f} s{reason}{so_far}",
        flush=True,
    )
