"""The portable engine: transformers, peft and torch, on a CPU or any GPU, without Triton."""

from __future__ import annotations

import contextlib
import math
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.hardware import Choice, Hardware
from pengadil.loading import load_causal, quiet
from pengadil.recipe import Recipe
from pengadil.tokens import VerdictTokens
from pengadil.training.attention import use_bundles
from pengadil.training.bundles import collate
from pengadil.training.checkpoints import mark_complete, newest_complete
from pengadil.training.rows import TrainingRow

SCHEDULES = {"constant": "constant_with_warmup"}  # transformers' own "constant" skips the warm-up
KEPT_CHECKPOINTS = 2  # the newest may be cut off by a kill, so the one before it stays


@dataclass(frozen=True, slots=True)
class Step:
    """What is known after an optimizer step, for progress and the log."""

    step: int
    steps: int
    loss: float
    accuracy: float  # of the labelled tokens, weighted; with loss "verdict", of the verdicts
    learning_rate: float  # the one this step was made with
    tokens: int  # of the rows, counted as if each were computed alone


def train_portable(
    recipe: Recipe,
    model_folder: Path,
    rows: Sequence[TrainingRow],
    verdicts: VerdictTokens,
    tokenizer: Any,
    pad_id: int,
    hardware: Hardware,
    choice: Choice,
    checkpoints: Path,
    adapter: Path,
    on_step: Callable[[Step], None],
) -> int:
    """Train an adapter on the rows, in their order, and save it with its tokenizer to `adapter`.

    Goes on from the newest whole checkpoint under `checkpoints`. Returns the number of optimizer
    steps of the whole training. Raises PengadilError where the adapter does not fit the model, and
    when the loss is no longer a number.
    """
    import torch
    from peft.helpers import disable_input_dtype_casting
    from transformers import set_seed

    set_seed(recipe.train.seed)
    causal = load_causal(
        model_folder, choice.dtype, choice.attention, hardware.device, recipe.model.load_in_4bit
    )
    adapted = _add_adapter(causal, recipe)
    trainer = _make_trainer(
        recipe, adapted, rows, verdicts, pad_id, getattr(torch, choice.dtype), checkpoints, on_step
    )
    start = newest_complete(checkpoints)
    with contextlib.ExitStack() as stack:
        # Autocast computes the adapter in the base's number format; without this, peft would first
        # turn every input into float32, which on a CPU costs a fifth of the time.
        stack.enter_context(disable_input_dtype_casting(adapted))
        stack.enter_context(quiet_warnings())
        trainer.train(resume_from_checkpoint=str(start) if start else None)
    save_adapter(adapted, tokenizer, adapter)
    return int(trainer.state.global_step)


@contextlib.contextmanager
def quiet_warnings() -> Any:
    """Silence notices of the libraries that a user can do nothing about."""
    with warnings.catch_warnings(), quiet():
        warnings.simplefilter("ignore")
        yield


def save_adapter(adapted: Any, tokenizer: Any, folder: Path) -> None:
    """Write adapter (safetensors) and tokenizer; the folder appears only when it is whole."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        write_adapter(adapted, part)
        tokenizer.save_pretrained(part)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_adapter(adapted: Any, folder: Path) -> None:
    """The adapter alone, as safetensors.

    Embeddings are never part of it; left to find that out, peft would ask the hub for the base.
    """
    adapted.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # peft's form, with nothing filled in


def _add_adapter(causal: Any, recipe: Recipe) -> Any:
    import torch
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from peft.tuners.tuners_utils import BaseTunerLayer

    causal.config.use_cache = False
    use_bundles(causal)
    if recipe.model.load_in_4bit:
        causal = prepare_model_for_kbit_training(
            causal, use_gradient_checkpointing=torch.cuda.is_available()
        )
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


def _make_trainer(
    recipe: Recipe,
    adapted: Any,
    rows: Sequence[TrainingRow],
    verdicts: VerdictTokens,
    pad_id: int,
    dtype: Any,
    checkpoints: Path,
    on_step: Callable[[Step], None],
) -> Any:
    """transformers' Trainer with our batches, our loss and our checkpoints."""
    import torch
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file
    from transformers import Trainer, TrainerCallback, TrainingArguments
    from transformers.trainer_callback import PrinterCallback, ProgressCallback

    from pengadil.training.objective import Objective

    settings = recipe.train
    micro = settings.micro_batch_size or settings.batch_size
    totals = {"hits": 0.0, "weight": 0.0, "loss": 0.0}
    rate = 0.0
    lengths = [len(row.ids) for row in rows]

    class JudgeTrainer(Trainer):  # type: ignore[misc]
        def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
            return sum(batch["loss_weights"].sum() for batch in batch_samples).to(device)

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = 1
        ) -> Any:
            outputs = model(**inputs)
            for name in ("hits", "loss"):
                totals[name] += float(outputs[name].detach())
            totals["weight"] += float(inputs["loss_weights"].sum())
            loss = outputs["loss"] / num_items_in_batch
            return (loss, outputs) if return_outputs else loss

        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            write_adapter(adapted, Path(output_dir or self.args.output_dir))

        def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
            weights = load_file(Path(resume_from_checkpoint) / "adapter_model.safetensors")
            set_peft_model_state_dict(adapted, weights)

    class Reporter(TrainerCallback):  # type: ignore[misc]
        def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            nonlocal rate  # when the step ends, the scheduler is already at the next one
            rate = kwargs["lr_scheduler"].get_last_lr()[0]

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            weight = totals["weight"] or 1.0
            if not math.isfinite(totals["loss"]):
                raise PengadilError(
                    f"step {state.global_step} of {state.max_steps}",
                    "the loss is no longer a number",
                    "Lower --train.learning_rate, or use --model.dtype float32.",
                )
            done = min(state.global_step * settings.batch_size, len(rows))
            on_step(
                Step(
                    step=state.global_step,
                    steps=state.max_steps,
                    loss=totals["loss"] / weight,
                    accuracy=totals["hits"] / weight,
                    learning_rate=rate,
                    tokens=sum(lengths[:done]),
                )
            )
            totals.update(hits=0.0, weight=0.0, loss=0.0)

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            mark_complete(checkpoints / f"checkpoint-{state.global_step}")

    on_gpu = adapted.device.type == "cuda"
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=settings.batch_size // micro,
        max_steps=-(-len(rows) // settings.batch_size),
        learning_rate=settings.learning_rate,
        lr_scheduler_type=SCHEDULES.get(settings.schedule, settings.schedule),
        warmup_steps=settings.warmup_steps,
        optim=settings.optimizer,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        bf16=on_gpu and dtype == torch.bfloat16,
        fp16=on_gpu and dtype == torch.float16,
        seed=settings.seed,
        use_cpu=adapted.device.type == "cpu",
        train_sampling_strategy="sequential",  # the rows come in their order
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        save_strategy="steps",
        save_steps=settings.save_every,
        save_total_limit=KEPT_CHECKPOINTS,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = JudgeTrainer(
        model=Objective(
            adapted, (verdicts.zero, verdicts.one) if settings.loss == "verdict" else None, dtype
        ),
        args=arguments,
        train_dataset=list(rows),
        data_collator=lambda batch: collate(batch, pad_id, dtype),
        callbacks=[Reporter()],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    # Our loss is already divided by the whole step's weights: the trainer must not divide again.
    trainer.model_accepts_loss_kwargs = True
    return trainer
