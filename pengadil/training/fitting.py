"""How many of a plan's rows are computed at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pengadil.planning.fit import Fit, fit, most_tokens
from pengadil.planning.lengths import counted
from pengadil.planning.shape import read_shape

if TYPE_CHECKING:
    from pengadil.training.plan import Plan


def most_at_once(plan: Plan) -> tuple[int, int | None]:
    """Rows, and padded tokens, that a micro-batch holds at most; memory may ask for fewer.

    A micro-batch that the recipe names is taken as it is. On a GPU the rows are those that are
    expected to fit beside the model; on a CPU the tokens are the narrower limit.
    """
    settings = plan.recipe.train
    tokens = most_tokens(plan.recipe, plan.hardware, plan.choice)
    if settings.micro_batch_size or plan.hardware.device == "cpu":
        return settings.micro_batch_size or settings.batch_size, tokens
    return fit_plan(plan).micro_batch_size, tokens


def fit_plan(plan: Plan) -> Fit:
    """What the memory of this device holds of the plan's longest rows, by the memory model."""
    shape = read_shape(plan.model.folder, plan.encoder is None)
    longest = counted(plan.rows).longest
    return fit(shape, plan.recipe, plan.hardware, plan.choice, longest)
