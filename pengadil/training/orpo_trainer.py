"""TRL's experimental ORPO trainer, on our tokens: the only place that knows of it.

TRL promises nothing of `trl.experimental`, so little is taken from it: the loss of the odds ratio
and the loop of the training.
"""

from __future__ import annotations

import copy
import importlib.metadata
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pengadil.errors import PengadilError
from pengadil.training.adapters import AdapterSteps
from pengadil.training.arguments import training_arguments
from pengadil.training.micro import Backoff
from pengadil.training.unsloth_model import ENVIRONMENT

if TYPE_CHECKING:
    from torch import Tensor

    from pengadil.runs import Run
    from pengadil.training.pair_rows import PairRow
    from pengadil.training.plan import Plan
    from pengadil.training.reporting import Reporter

TRIED = "trl>=1.15,<1.17"
# Log-probabilities of the answers' tokens, in the order of `collate_pairs`.
Score = Callable[[Any, Sequence["PairRow"]], "Tensor"]


def orpo_classes() -> tuple[Any, Any]:
    """TRL's ORPOConfig and ORPOTrainer, as Unsloth has patched them where it was imported before.

    Raises PengadilError where TRL is missing or no longer has them as they were tried.
    """
    os.environ.update(ENVIRONMENT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that it is experimental
            from trl.experimental.orpo import ORPOConfig, ORPOTrainer

        if not hasattr(ORPOTrainer, "odds_ratio_loss"):
            raise ImportError("ORPOTrainer has no odds_ratio_loss")
    # transformers wraps what fails inside of a lazy import in a RuntimeError.
    except (ImportError, RuntimeError) as error:
        raise PengadilError(
            _found(),
            f"no ORPO trainer can be imported from it ({str(error).strip().splitlines()[0]})",
            f'Install one that was tried: pip install "{TRIED}"',
        ) from None
    return ORPOConfig, ORPOTrainer


def _found() -> str:
    try:
        return f"trl {importlib.metadata.version('trl')}"
    except importlib.metadata.PackageNotFoundError:
        return "trl, which is not installed"


def orpo_arguments(plan: Plan, checkpoints: Path) -> dict[str, Any]:
    """Keyword arguments of ORPOConfig: those of every trainer, and what it adds to them.

    A whole optimizer step is one batch for the trainer, which cuts it itself.
    """
    unsloth = plan.choice.engine == "unsloth"
    return {
        **training_arguments(plan, checkpoints, plan.recipe.train.batch_size),
        # TRL would turn it on; the portable engine's model was loaded with it where it is needed.
        "gradient_checkpointing": unsloth and plan.hardware.device == "cuda",
        "beta": plan.recipe.train.beta,
        "disable_dropout": False,  # TRL would; the recipe's adapter has what it asks for
        "max_length": plan.recipe.data.max_length,
        "max_completion_length": None,
        "padding_value": plan.pad_id,
        "generate_during_eval": False,
        "model_init_kwargs": None,
        "trust_remote_code": False,
    }


class OwnRows(list[Any]):
    """A data set that TRL leaves as it is: what it would map over its rows is done already."""

    def map(self, *_: Any, **__: Any) -> OwnRows:
        return self


def make_orpo_trainer(
    plan: Plan,
    run: Run,
    reporter: Reporter,
    adapted: Any,
    model: Any,
    score: Score,
    most: tuple[int, int | None],
) -> Any:
    """TRL's trainer of `model`, which holds the `adapted` one or is it; `score` computes with it.

    `most` is what `fitting.most_at_once` says.

    What is replaced of TRL's:

    - Rows: ours are token ids, so nothing is rendered, tokenised or cut.
    - The likelihood is that of the chosen answer (Hong et al., 2024, section 4); TRL's is that of
      prompt and answer.
    - Both terms are means over a whole optimizer step: the likelihood over its chosen tokens, the
      odds ratio over its pairs. TRL's are means over each micro-batch, where a token counts for
      more beside shorter rows, and so the result hangs on how many rows memory holds.
    - An answer found certain has finite odds; TRL's gradient for it is not a number.
    - Telemetry and model card: there is none.
    """
    from pengadil.training.orpo_scores import CERTAIN, averages
    from pengadil.training.sft import check_unchanged

    config_class, trainer_class = orpo_classes()
    most_rows, most_tokens_at_once = most
    if plan.hardware.device == "cpu" and most_tokens_at_once:
        most_tokens_at_once *= 2  # a pair's size counts its prompt twice; it is computed once

    class PairTrainer(AdapterSteps, trainer_class):  # type: ignore[misc, valid-type]
        backoff = Backoff(most_rows, reporter.watch.say)
        most_tokens = most_tokens_at_once
        kept = adapted
        names = ("hits", "likelihood", "margin", "log_odds")

        def measure(self, rows: Sequence[PairRow]) -> dict[str, float]:
            return {"pairs": len(rows), "tokens": sum(len(row.chosen) for row in rows)}

        def compute(
            self, model: Any, rows: Sequence[PairRow], whole: dict[str, float]
        ) -> tuple[Tensor, dict[str, float]]:
            chosen, rejected = averages(score(model, rows), rows)
            lengths = chosen.new_tensor([len(row.chosen) for row in rows])
            likelihood = -(chosen * lengths).sum() / whole["tokens"]
            weighted, *_, log_odds = self.odds_ratio_loss(chosen, rejected)
            figures = {
                "hits": float((chosen > rejected).sum()),
                "likelihood": float(likelihood.detach()),
                "margin": float((chosen - rejected).detach().sum()),
                "log_odds": float(log_odds.detach()) * len(rows),
            }
            return likelihood - weighted.sum() / whole["pairs"], figures

        def odds_ratio_loss(self, chosen: Tensor, rejected: Tensor) -> tuple[Tensor, ...]:
            found: tuple[Tensor, ...] = super().odds_ratio_loss(
                chosen.clamp(max=CERTAIN), rejected.clamp(max=CERTAIN)
            )
            return found

        def report(self, figures: dict[str, float], whole: dict[str, float]) -> None:
            totals, pairs = reporter.totals, whole["pairs"]
            totals.weight += pairs
            totals.hits += figures["hits"]
            totals.loss += figures["loss"] * pairs
            totals.figures["likelihood"] = figures["likelihood"] * pairs
            totals.figures["margin"] = figures["margin"]
            totals.figures["log_odds"] = figures["log_odds"]

    arguments = orpo_arguments(plan, run.checkpoints)
    trainer = PairTrainer(
        model=model,
        args=config_class(**arguments),
        train_dataset=OwnRows(plan.step_rows()),
        data_collator=lambda items: items,
        processing_class=copy.deepcopy(plan.tokenizer),  # Unsloth changes its padding side
    )
    check_unchanged(arguments, trainer.args)
    reporter.attach(trainer)
    return trainer
