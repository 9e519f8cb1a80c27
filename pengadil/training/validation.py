"""The model in training, measured on held-out rows: verdicts in score mode, or the loss."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pengadil.judges.base import SCORE
from pengadil.judges.transformers_judge import TransformersJudge
from pengadil.statistics import majority_baseline, wilson
from pengadil.training.watch import Validation

if TYPE_CHECKING:
    from pengadil.records import Example
    from pengadil.training.plan import Plan

Z = 1.959963984540054  # of a 95 % interval


def verdict_validator(
    plan: Plan,
    model: Any,
    as_judged: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
) -> Callable[[int], Validation]:
    """Measures the share of right verdicts, with Wilson's interval, as the evaluation does it.

    `model` is the adapted one. While it judges it is in evaluation mode, and within `as_judged()`.
    """
    encoder = plan.encoder
    assert encoder is not None
    judge = TransformersJudge(plan.recipe.name, model, encoder, plan.pad_id, about={})

    def validate(step: int) -> Validation:
        with judging(model), as_judged():
            batches = list(judge.judge(plan.validation, plan.prompt, SCORE))
        right = [made.verdict == made.gold for batch in batches for made in batch]
        return accuracy(step, right, plan.validation)

    return validate


def accuracy(step: int, right: Sequence[bool], examples: Sequence[Example]) -> Validation:
    """The share of right verdicts, beside the commonest label's share."""
    interval = wilson(sum(right), len(right))
    return Validation(
        step=step,
        metric="accuracy",
        value=sum(right) / len(right),
        low=interval.low,
        high=interval.high,
        n=len(right),
        majority=majority_baseline([example.answer for example in examples])[1],
    )


def loss_per_token(step: int, losses: Sequence[tuple[float, float]]) -> Validation:
    """The mean loss of a token from each row's (summed loss, labels).

    The interval is that of a ratio of two means over rows, which vary in length (Cochran, 1977,
    Sampling Techniques, chapter 6).
    """
    count, labels = len(losses), sum(weight for _, weight in losses)
    value = sum(loss for loss, _ in losses) / labels
    spread = sum((loss - value * weight) ** 2 for loss, weight in losses)
    error = math.sqrt(spread * count / max(1, count - 1)) / labels
    return Validation(step, "loss", value, value - Z * error, value + Z * error, count)


@contextlib.contextmanager
def judging(model: Any) -> Iterator[None]:
    """The model without dropout and gradients, as it was afterwards."""
    import torch

    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)
