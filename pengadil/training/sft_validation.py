"""Held-out rows through a model's own forward pass, measured as the portable engine does.

Imported only when training starts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch

from pengadil.judges.base import SCORE
from pengadil.judges.transformers_judge import TransformersJudge
from pengadil.training.objective import Objective
from pengadil.training.rewrite_rows import make_rewrite_rows
from pengadil.training.sft_loss import loss_from_hidden, on_device, pad_rows
from pengadil.training.validation import accuracy, judging, loss_per_token
from pengadil.training.watch import Validation

if TYPE_CHECKING:
    from pengadil.training.plan import Plan


def sft_validator(plan: Plan, adapted: Any) -> Callable[[int], Validation]:
    """Measures the verdicts of a judge in score mode, or the loss of a rewriter."""
    if plan.recipe.train.method == "rewrite":
        return _rewrite_validator(plan, adapted)
    assert plan.encoder is not None
    # Packed judging has an attention of its own, which Unsloth's patched layers never call.
    judge = TransformersJudge(
        plan.recipe.name, adapted, plan.encoder, plan.pad_id, about={}, pack=False
    )

    def validate(step: int) -> Validation:
        with measuring(adapted, plan):
            batches = list(judge.judge(plan.validation, plan.prompt, SCORE))
        right = [made.verdict == made.gold for batch in batches for made in batch]
        return accuracy(step, right, plan.validation)

    return validate


def _rewrite_validator(plan: Plan, adapted: Any) -> Callable[[int], Validation]:
    assert plan.encoder is not None
    left_out: list[str] = []
    rows = make_rewrite_rows(
        plan.validation, plan.prompt, plan.encoder, plan.recipe.data.max_length, left_out
    )
    objective = Objective(adapted, None, getattr(torch, plan.choice.dtype))

    def validate(step: int) -> Validation:
        losses = []
        with measuring(adapted, plan):
            for row in rows:
                batch = on_device(pad_rows([row], plan.pad_id), adapted.device)
                losses.append((float(loss_from_hidden(objective, batch)[0]), sum(row.weights)))
        return loss_per_token(step, losses)

    return validate


@contextlib.contextmanager
def measuring(adapted: Any, plan: Plan) -> Iterator[None]:
    """The model in evaluation mode and in its number format, then in training as it was."""
    dtype = getattr(torch, plan.choice.dtype)
    enabled = dtype != torch.float32
    try:
        with judging(adapted), torch.autocast(adapted.device.type, dtype, enabled=enabled):
            yield
    finally:
        # Unsloth's writing of a reasoning turns checkpointing off, and does not know of it later.
        if hasattr(adapted, "for_training"):
            adapted.for_training(adapted._unsloth_gradient_checkpointing)
