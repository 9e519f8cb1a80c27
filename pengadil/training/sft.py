"""TRL's SFT trainer on our rows: what the unsloth engine trains with.

Its classes are given, since Unsloth patches them. With plain TRL the same trainer runs on a CPU,
which is how it is held to the portable engine's losses. Imported only when training starts.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pengadil.errors import PengadilError
from pengadil.training.adapters import LabelSteps, save_adapter
from pengadil.training.arguments import training_arguments
from pengadil.training.checkpoints import newest_complete
from pengadil.training.micro import Backoff
from pengadil.training.objective import Objective
from pengadil.training.portable import quiet_warnings
from pengadil.training.rows import TrainingRow
from pengadil.training.sft_loss import (
    loss_from_hidden,
    on_device,
    own_loss,
    pad_rows,
    verdict_tokens,
)
from pengadil.training.sft_validation import sft_validator

if TYPE_CHECKING:
    from pengadil.runs import Run
    from pengadil.training.plan import Plan
    from pengadil.training.reporting import Reporter
    from pengadil.training.watch import Validation, Watch

LOOKED_AT = 500  # rows that Unsloth reads at most
# Of an SFTConfig, what trainers set by themselves: the first is an empty list for "none", and TRL's
# preparation of rows, the only reader of the other, is skipped.
FREE = ("report_to", "max_length")


def sft_arguments(plan: Plan, checkpoints: Path) -> dict[str, Any]:
    """Keyword arguments of SFTConfig: those of every trainer, and what SFTConfig adds to them.

    A whole optimizer step is one batch for the trainer, which cuts it itself.
    """
    return {
        **training_arguments(plan, checkpoints, plan.recipe.train.batch_size),
        # The memory that it costs a GPU decides how many rows fit; a CPU has enough.
        "gradient_checkpointing": plan.hardware.device == "cuda",
        "dataset_kwargs": {"skip_prepare_dataset": True},  # the rows are token ids already
        "max_length": None,
        "packing": False,
        "eval_packing": False,
        "padding_free": False,
        "shuffle_dataset": False,
        "completion_only_loss": False,  # the labels say where a loss is taken
        "assistant_only_loss": False,
        "loss_type": "nll",
        "pad_to_multiple_of": None,
        "activation_offloading": False,
        "neftune_noise_alpha": None,
        "use_liger_kernel": False,
        "torch_empty_cache_steps": None,
    }


def train_sft(
    classes: tuple[Any, Any],
    plan: Plan,
    run: Run,
    watch: Watch,
    history: list[Validation],
    adapted: Any,
    most: tuple[int, int | None],
) -> bool:
    """Train an adapted model with `classes`, as `train_portable` does with its own.

    `most` is what `fitting.most_at_once` says: it builds a model without memory, which works only
    before Unsloth's classes are in place. Goes on from the newest whole checkpoint of the run.
    Returns whether the training came to its end, and False where the deadline stopped it.
    """
    from pengadil.training.reporting import Reporter

    def save(folder: Path) -> None:
        save_adapter(adapted, plan.tokenizer, folder)

    validate = sft_validator(plan, adapted) if plan.validation else None
    reporter = Reporter(plan, run, watch, save, validate, history)
    with quiet_warnings():
        trainer = sft_trainer(classes, plan, run, adapted, reporter, most)
        start = newest_complete(run.checkpoints)
        trainer.train(resume_from_checkpoint=str(start) if start else None)
    reporter.finish()
    return not reporter.out_of_time


def sft_trainer(
    classes: tuple[Any, Any],
    plan: Plan,
    run: Run,
    adapted: Any,
    reporter: Reporter,
    most: tuple[int, int | None],
) -> Any:
    """A trainer made from `classes`, SFTConfig and SFTTrainer; `reporter` is attached to it.

    A loss over the whole answer is the library's own (Unsloth's fused cross-entropy; it does not
    tell which tokens were met). One over the verdict, or with weights, is ours, from the model's
    hidden states. All are divided by what the whole optimizer step holds. Raises PengadilError
    where the library has changed a setting on its way.
    """
    config_class, trainer_class = classes
    dtype = getattr(torch, plan.choice.dtype)
    objective = Objective(adapted, verdict_tokens(plan), dtype)
    ours = own_loss(plan)
    reporter.counts_hits = ours

    class RowTrainer(LabelSteps, trainer_class):  # type: ignore[misc, valid-type]
        bundled = False
        backoff = Backoff(most[0], reporter.watch.say)
        most_tokens = most[1]
        kept, totals = adapted, reporter.totals

        def compute(
            self, model: Any, rows: Sequence[TrainingRow], whole: dict[str, float]
        ) -> tuple[Tensor, dict[str, float]]:
            batch = on_device(pad_rows(rows, plan.pad_id), self.args.device)
            if ours:
                loss, hits = loss_from_hidden(objective, batch)
                return loss / whole["weight"], {"hits": float(hits)}
            del batch["loss_weights"]
            labels = torch.tensor(round(whole["weight"]), device=self.args.device)
            return self.compute_loss(model, batch, num_items_in_batch=labels), {}

    arguments = sft_arguments(plan, run.checkpoints)
    trainer = RowTrainer(
        model=adapted,
        args=config_class(**arguments),
        train_dataset=_sample(plan.rows),
        data_collator=lambda items: items,
        processing_class=copy.deepcopy(plan.tokenizer),  # Unsloth changes its padding side
    )
    trainer.train_dataset = plan.step_rows()  # what `WholeSteps` goes through
    # Its loss is divided by the whole step's labels: it must not be divided again.
    trainer.model_accepts_loss_kwargs = True
    check_unchanged(arguments, trainer.args)
    reporter.attach(trainer)
    return trainer


def _sample(rows: Sequence[TrainingRow]) -> Any:
    """Rows for the libraries to look into: TRL at the first, Unsloth for tokens never trained."""
    from datasets import Dataset

    some = rows[:LOOKED_AT]
    return Dataset.from_dict(
        {"input_ids": [row.ids for row in some], "labels": [row.labels for row in some]}
    )


def check_unchanged(wanted: dict[str, Any], made: Any) -> None:
    """PengadilError where a setting is another one in the trainer's arguments than was asked."""
    changed = [
        f"{name} is {getattr(made, name, None)!r} instead of {value!r}"
        for name, value in wanted.items()
        if name not in FREE and getattr(made, name, None) != value
    ]
    if changed:
        raise PengadilError(
            "the trainer's settings",
            f"the library has changed them: {'; '.join(changed)}",
            "Use --train.engine portable: it trains what the recipe says.",
        )
