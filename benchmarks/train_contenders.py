"""The contenders of train_speed.py: each trains the same recipe in a process of its own.

Started as `python benchmarks/train_contenders.py NAME SETTINGS`: it loads, makes the warm-up steps
and then, for each number on its standard input, as many steps more (see workers.py).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from workers import Turns

from pengadil.recipe import load_recipe
from pengadil.training.plan import Plan, make_plan

WARM_UP = 1  # steps: the first allocates what the others use again


def portable(plan: Plan, turns: Turns) -> None:
    """pengadil's portable engine, as scripts/train.py runs it."""
    from pengadil.training.run import find_or_start, train
    from pengadil.training.watch import Watch

    with tempfile.TemporaryDirectory() as folder:
        run, _ = find_or_start(plan, Path(folder))
        train(plan, run, Watch(on_step=lambda step: turns.step_made(step.loss)))


def plain_trl(plan: Plan, turns: Turns, **changed: Any) -> None:
    """TRL's SFTTrainer with its defaults, but for what makes it train the same.

    Its own stay: gradient checkpointing, attention, optimizer, precision (bfloat16, unless the plan
    has another), collator. Given are rows, labels and order, batch, adapter, the base's number
    format, learning rate, schedule and seed; and max_length, lest it cuts rows. `changed` are
    arguments of SFTConfig.
    """
    from trl import SFTTrainer

    make_sft_trainer(plan, turns, SFTTrainer, **changed).train()


def make_sft_trainer(plan: Plan, turns: Turns, kind: Any, **changed: Any) -> Any:
    """The trainer of `plain_trl`, of the class `kind`."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig

    settings, lora = plan.recipe.train, plan.recipe.lora
    micro = settings.micro_batch_size or settings.batch_size
    arguments: dict[str, Any] = {
        "output_dir": tempfile.gettempdir(),  # nothing is saved
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": settings.batch_size // micro,
        "max_steps": plan.steps,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.schedule,
        "seed": settings.seed,
        "max_length": None,
        "model_init_kwargs": {"dtype": plan.choice.dtype},
        "train_sampling_strategy": "sequential",
        "use_cpu": plan.hardware.device == "cpu",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
    if plan.choice.dtype == "float32":
        arguments["bf16"] = False
    return kind(
        model=str(plan.model.folder),
        args=SFTConfig(**{**arguments, **changed}),
        train_dataset=Dataset.from_list(
            [{"input_ids": row.ids, "labels": row.labels} for row in plan.rows]
        ),
        processing_class=plan.tokenizer,
        peft_config=LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=lora.targets if isinstance(lora.targets, str) else [*lora.targets],
            task_type="CAUSAL_LM",
        ),
        callbacks=[losses_to(turns)],
    )


def losses_to(turns: Turns) -> Any:
    """The callback that hands each step's loss over when it is logged."""
    from transformers import TrainerCallback

    class Losses(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any, **kwargs: Any) -> None:
            if "loss" in logs:
                turns.step_made(logs["loss"])

    return Losses()


def tuned_trl(plan: Plan, turns: Turns) -> None:
    """The same, as fast as its user can make it: activations kept, and transformers' own loss.

    On a CPU, TRL's loss computes logits at every position, labelled or not.
    """
    from transformers import Trainer
    from trl import SFTTrainer

    class OwnLoss(SFTTrainer):
        compute_loss = Trainer.compute_loss

    make_sft_trainer(plan, turns, OwnLoss, gradient_checkpointing=False).train()


CONTENDERS: dict[str, Callable[[Plan, Turns], None]] = {
    "portable": portable,
    "trl": plain_trl,
    "trl tuned": tuned_trl,
}


def serve(arguments: Sequence[str]) -> None:
    """Train until the input ends."""
    name, settings = arguments[0], json.loads(arguments[1])
    turns = Turns(settings.get("warm_up", WARM_UP))
    CONTENDERS[name](make_plan(load_recipe(settings["recipe"])), turns)


if __name__ == "__main__":
    serve(sys.argv[1:])
