"""ORPO: a judge, or any model, that learns from pairs of a better and a worse answer.

Odds ratio preference optimisation (Hong, Lee and Thorne, 2024) needs no second model. The loss of
a step is the mean negative log-likelihood of the chosen answers' tokens, plus `train.beta` times
the mean over its pairs of -log(sigmoid(log odds ratio)), where an answer's odds are p / (1 - p) and
p is the geometric mean of its tokens' probabilities.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pengadil.training.adapters import save_adapter
from pengadil.training.attention import use_bundles
from pengadil.training.checkpoints import newest_complete
from pengadil.training.fitting import most_at_once
from pengadil.training.portable import as_judged, load_adapted, quiet_warnings
from pengadil.training.rows import IGNORED
from pengadil.training.validation import judging, verdict_validator

if TYPE_CHECKING:
    from torch import Tensor

    from pengadil.runs import Run
    from pengadil.training.orpo_trainer import Score
    from pengadil.training.orpo_validation import Preferred
    from pengadil.training.pair_rows import PairRow
    from pengadil.training.plan import Plan
    from pengadil.training.watch import Validation, Watch


@dataclass(frozen=True)
class Engine:
    """What the two engines do differently."""

    adapted: Any  # the model with its adapter
    model: Any  # what is trained: `adapted`, or a module around it
    score: Score  # log-probabilities of the answers of pairs
    measuring: Callable[[], contextlib.AbstractContextManager[Any]]  # held-out pairs, within this
    verdicts: Callable[[Plan], Callable[[int], Validation]]  # the validation of judges


def train_orpo(plan: Plan, run: Run, watch: Watch, history: list[Validation]) -> bool:
    """Train an adapter on the plan's pairs, in their order, and save it with its tokenizer.

    Goes on from the newest whole checkpoint of the run. Returns whether the training came to its
    end, and False where the deadline stopped it. Raises PengadilError where TRL has no ORPO trainer
    that we know, the adapter does not fit the model, the loss is no longer a number, or memory does
    not hold one pair. With Unsloth it belongs into a process of its own, as `train_unsloth` does.
    """
    most = most_at_once(plan)  # before Unsloth's model classes are in place
    engine = unsloth_engine(plan) if plan.choice.engine == "unsloth" else portable_engine(plan)
    return train_pairs(engine, plan, run, watch, history, most)


def train_pairs(
    engine: Engine,
    plan: Plan,
    run: Run,
    watch: Watch,
    history: list[Validation],
    most: tuple[int, int | None],
) -> bool:
    """The part of `train_orpo` that both engines share; `most` is of `fitting.most_at_once`."""
    from peft.helpers import disable_input_dtype_casting

    from pengadil.training.orpo_trainer import make_orpo_trainer
    from pengadil.training.orpo_validation import measure_pairs, pair_validator
    from pengadil.training.reporting import Reporter

    def save(folder: Path) -> None:
        save_adapter(engine.adapted, plan.tokenizer, folder)

    def measure(pairs: Sequence[PairRow]) -> list[Preferred]:
        with engine.measuring():
            return measure_pairs(partial(engine.score, engine.model), pairs)

    validate = pair_validator(plan, measure, engine.verdicts) if plan.validation else None
    reporter = Reporter(plan, run, watch, save, validate, history)
    with contextlib.ExitStack() as stack:
        if plan.choice.engine == "portable":
            # As the portable engine does: autocast computes the adapter in the base's format.
            stack.enter_context(disable_input_dtype_casting(engine.adapted))
        stack.enter_context(quiet_warnings())
        trainer = make_orpo_trainer(
            plan, run, reporter, engine.adapted, engine.model, engine.score, most
        )
        start = newest_complete(run.checkpoints)
        trainer.train(resume_from_checkpoint=str(start) if start else None)
    reporter.finish()
    return not reporter.out_of_time


def portable_engine(plan: Plan) -> Engine:
    """transformers and peft; prompts are computed once for both of their answers."""
    import torch
    from transformers import set_seed

    from pengadil.training.orpo_scores import PairModel, collate_pairs
    from pengadil.training.sft_loss import on_device

    set_seed(plan.recipe.train.seed)
    adapted = load_adapted(plan)
    use_bundles(adapted.get_base_model())
    dtype = getattr(torch, plan.choice.dtype)

    def score(model: Any, rows: Sequence[PairRow]) -> Tensor:
        found: Tensor = model(**on_device(collate_pairs(rows, plan.pad_id, dtype), adapted.device))
        return found

    return Engine(
        adapted,
        PairModel(adapted, dtype),
        score,
        partial(judging, adapted),
        lambda judged: verdict_validator(judged, adapted, partial(as_judged, adapted, plan)),
    )


def unsloth_engine(plan: Plan) -> Engine:
    """Unsloth's kernels, which are in the layers' own forward passes."""
    from pengadil.training.unsloth_model import load_unsloth

    adapted = load_unsloth(plan)  # first of all: it patches what is imported below
    import torch

    from pengadil.training.orpo_scores import log_probabilities, pad_pairs
    from pengadil.training.sft_loss import hidden_states, on_device
    from pengadil.training.sft_validation import measuring, sft_validator

    causal, dtype = adapted.get_base_model(), getattr(torch, plan.choice.dtype)

    def score(_: Any, rows: Sequence[PairRow]) -> Tensor:
        batch = on_device(pad_pairs(rows, plan.pad_id), adapted.device)
        kept = batch["labels"] != IGNORED
        hidden = hidden_states(adapted, batch["input_ids"], dtype)
        return log_probabilities(causal, hidden[kept], batch["labels"][kept])

    return Engine(
        adapted,
        adapted,
        score,
        partial(measuring, adapted, plan),
        lambda judged: sft_validator(judged, adapted),
    )
