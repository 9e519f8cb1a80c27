"""The hyper-parameters as transformers' Trainer takes them: one place for all trainers.

Everything is set that changes what is learned: libraries have defaults of their own (Unsloth's are
other than TRL's, and TRL's other than transformers'), and a recipe must train the same with each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from pengadil.training.plan import Plan

# transformers' own "constant" skips the warm-up.
SCHEDULES = {"constant": "constant_with_warmup", "plateau": "constant_with_warmup"}
KEPT_CHECKPOINTS = 2  # the newest may be cut off by a kill, so the one before it stays


def training_arguments(plan: Plan, checkpoints: Path, micro_batch_size: int) -> dict[str, Any]:
    """Keyword arguments of TrainingArguments, SFTConfig and ORPOConfig alike.

    `micro_batch_size` rows of this process are computed at once; gradients add up until the
    recipe's batch is full. Checkpoints are written, and nothing is logged, by `Reporter`.
    """
    settings, device = plan.recipe.train, plan.hardware.device
    return {
        "output_dir": str(checkpoints),
        "per_device_train_batch_size": micro_batch_size,
        "gradient_accumulation_steps": max(1, settings.batch_size // micro_batch_size),
        "max_steps": plan.steps,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": SCHEDULES.get(settings.schedule, settings.schedule),
        "warmup_steps": settings.warmup_steps,
        "optim": settings.optimizer,
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "adam_epsilon": 1e-8,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "label_smoothing_factor": 0.0,
        "bf16": device == "cuda" and plan.choice.dtype == "bfloat16",
        "fp16": device == "cuda" and plan.choice.dtype == "float16",
        "seed": settings.seed,
        "data_seed": settings.seed,
        "use_cpu": device == "cpu",
        "train_sampling_strategy": "sequential",  # the rows come in their order
        "dataloader_drop_last": False,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": False,
        "remove_unused_columns": False,
        "ddp_find_unused_parameters": False,
        "save_strategy": "steps",
        "save_steps": settings.save_every,
        "save_total_limit": KEPT_CHECKPOINTS,
        "eval_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
