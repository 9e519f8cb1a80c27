"""The portable engine: transformers, peft and torch, on a CPU or any GPU, without Triton."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pengadil.errors import PengadilError
from pengadil.loading import load_causal, quiet
from pengadil.recipe import Recipe
from pengadil.training.adapters import LabelSteps, save_adapter
from pengadil.training.arguments import training_arguments
from pengadil.training.attention import use_bundles
from pengadil.training.bundles import collate
from pengadil.training.checkpoints import newest_complete
from pengadil.training.fitting import most_at_once
from pengadil.training.micro import Backoff
from pengadil.training.validation import judging, loss_per_token, verdict_validator
from pengadil.training.watch import Validation, Watch

if TYPE_CHECKING:
    from torch import Tensor

    from pengadil.runs import Run
    from pengadil.training.plan import Plan
    from pengadil.training.reporting import Reporter


def train_portable(plan: Plan, run: Run, watch: Watch, history: list[Validation]) -> bool:
    """Train an adapter on the plan's rows, in their order, and save it with its tokenizer.

    Goes on from the newest whole checkpoint of the run. Returns whether the training came to its
    end, and False where the deadline stopped it. Raises PengadilError where the adapter does not
    fit the model, when the loss is no longer a number, and when memory does not hold one row.
    """
    from peft.helpers import disable_input_dtype_casting
    from transformers import set_seed

    from pengadil.training.reporting import Reporter

    set_seed(plan.recipe.train.seed)
    adapted = load_adapted(plan)
    use_bundles(adapted.get_base_model())

    def save(folder: Path) -> None:
        save_adapter(adapted, plan.tokenizer, folder)

    reporter = Reporter(plan, run, watch, save, None, history)
    trainer = _make_trainer(plan, run, adapted, reporter)
    reporter.validate = _validator(plan, trainer) if plan.validation else None
    start = newest_complete(run.checkpoints)
    with contextlib.ExitStack() as stack:
        # Autocast computes the adapter in the base's number format; without this, peft would first
        # turn every input into float32, which on a CPU costs a fifth of the time.
        stack.enter_context(disable_input_dtype_casting(adapted))
        stack.enter_context(quiet_warnings())
        trainer.train(resume_from_checkpoint=str(start) if start else None)
    reporter.finish()
    return not reporter.out_of_time


@contextlib.contextmanager
def quiet_warnings() -> Iterator[None]:
    """Silence notices of the libraries that a user can do nothing about."""
    with warnings.catch_warnings(), quiet():
        warnings.simplefilter("ignore")
        yield


def load_adapted(plan: Plan) -> Any:
    """The base model with a fresh adapter, ready to be trained, as transformers and peft load it.

    Raises PengadilError where `lora.targets` does not fit the model.
    """
    causal = load_causal(
        plan.model.folder,
        plan.choice.dtype,
        plan.choice.attention,
        plan.hardware.device,
        plan.recipe.model.load_in_4bit,
    )
    return _add_adapter(causal, plan.recipe)


def _add_adapter(causal: Any, recipe: Recipe) -> Any:
    from peft import LoraConfig, get_peft_model
    from peft.tuners.tuners_utils import BaseTunerLayer

    causal.config.use_cache = False
    # Without peft's prepare_model_for_kbit_training, which turns token tables and normalisations
    # into float32, and with them all hidden states. What it freezes, get_peft_model freezes too.
    if recipe.model.load_in_4bit and causal.device.type == "cuda":
        compute_again(causal)
    targets = recipe.lora.targets
    config = LoraConfig(
        r=recipe.lora.rank,
        lora_alpha=recipe.lora.alpha,
        lora_dropout=recipe.lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        bias="none",
        task_type="CAUSAL_LM",
    )
    try:
        adapted = get_peft_model(causal, config)
    except ValueError as error:
        raise PengadilError(
            f"lora.targets = {targets}", str(error).split("\n", 1)[0], "Use all-linear."
        ) from None
    if isinstance(causal.get_output_embeddings(), BaseTunerLayer):
        raise PengadilError(
            f"lora.targets = {targets}",
            "the output layer is among them, and the loss is computed with it as it was",
            "Leave it out, or use all-linear.",
        )
    # A reader of the adapter finds its base by name, not in this machine's cache.
    adapted.peft_config["default"].base_model_name_or_path = recipe.model.name
    for parameter in adapted.parameters():
        if parameter.requires_grad:  # small steps are lost in a 16-bit weight
            parameter.data = parameter.data.float()
    return adapted


def compute_again(causal: Any) -> None:
    """Keep only the layers' inputs for the backward pass, and compute the rest again in it."""
    causal.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def _make_trainer(plan: Plan, run: Run, adapted: Any, reporter: Reporter) -> Any:
    """transformers' Trainer with our batches, our loss and our checkpoints."""
    import torch
    from transformers import Trainer, TrainingArguments

    from pengadil.training.objective import Objective
    from pengadil.training.sft_loss import on_device, verdict_tokens

    dtype = getattr(torch, plan.choice.dtype)
    most_rows, limit = most_at_once(plan)

    class JudgeTrainer(LabelSteps, Trainer):  # type: ignore[misc]
        backoff = Backoff(most_rows, reporter.watch.say)
        most_tokens = limit
        kept, totals = adapted, reporter.totals

        def compute(
            self, model: Any, rows: Sequence[Any], whole: dict[str, float]
        ) -> tuple[Tensor, dict[str, float]]:
            outputs = model(**on_device(collate(rows, plan.pad_id, dtype), self.args.device))
            return outputs["loss"] / whole["weight"], {"hits": float(outputs["hits"])}

    arguments = training_arguments(plan, run.checkpoints, plan.recipe.train.batch_size)
    trainer = JudgeTrainer(
        model=Objective(adapted, verdict_tokens(plan), dtype),
        args=TrainingArguments(**arguments),
        train_dataset=plan.step_rows(),
        data_collator=lambda items: items,
    )
    reporter.attach(trainer)
    return trainer


def _validator(plan: Plan, trainer: Any) -> Callable[[int], Validation]:
    """Verdicts of a judge; the loss of a rewriter."""

    objective = trainer.model
    adapted, dtype = objective.adapted, objective.dtype
    if plan.recipe.train.method == "sft":
        return verdict_validator(plan, adapted, lambda: as_judged(adapted, plan))

    from pengadil.training.rewrite_rows import make_rewrite_rows

    assert plan.encoder is not None
    dropped: list[str] = []
    rows = make_rewrite_rows(
        plan.validation, plan.prompt, plan.encoder, plan.recipe.data.max_length, dropped
    )

    def validate(step: int) -> Validation:
        losses = []
        with judging(adapted):
            for row in rows:
                batch = collate([row], plan.pad_id, dtype)
                outputs = objective(**{name: t.to(adapted.device) for name, t in batch.items()})
                losses.append((float(outputs["loss"]), sum(row.weights)))
        return loss_per_token(step, losses)

    return validate


@contextlib.contextmanager
def as_judged(adapted: Any, plan: Plan) -> Iterator[None]:
    """The model as a judge computes it: without bundles, its adapter in the base's format."""
    import torch

    causal = adapted.get_base_model()
    training = causal.config._attn_implementation
    causal.set_attn_implementation(plan.choice.attention)
    dtype = getattr(torch, plan.choice.dtype)
    try:
        with torch.autocast(adapted.device.type, dtype, enabled=dtype != torch.float32):
            yield
    finally:
        causal.set_attn_implementation(training)
