"""The contenders of gpu_train.py, each in a process of its own: Unsloth patches all it imports.

Started as `python benchmarks/gpu_contenders.py NAME SETTINGS`; see workers.py. "weights" only makes
the model's folder.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gpu_shapes import LONGEST, SHAPES, make_model, make_random_rows
from train_contenders import make_sft_trainer
from workers import Turns

from pengadil.training.plan import Plan

GIBIBYTE = 2**30
WARM_UP = 2  # steps: the first compiles and allocates
ENGINES = ("unsloth", "portable")
RECIPE = """\
name = "gpu-train"

[model]
name = {folder}
load_in_4bit = true

[data]
train = ["contoh:8"]
max_length = {longest}

[lora]
rank = 64
alpha = 16

[train]
engine = "{engine}"
batch_size = {batch}
micro_batch_size = {micro}
max_steps = {steps}
learning_rate = 2e-4
schedule = "constant"
loss = "completion"
max_grad_norm = 0.3
optimizer = "{optimizer}"
seed = 1
save_every = 1000000

[evaluation]
slices = []
"""


def serve(arguments: Sequence[str]) -> None:
    """Train until the input ends; answer `{"out_of_memory": ...}` where memory does not suffice."""
    name, settings = arguments[0], json.loads(arguments[1])
    turns = Turns(WARM_UP)
    if name == "weights":
        make_model(settings["shape"], Path(settings["folder"]), settings["device"])
        turns.answer()
        return
    if name == "unsloth":
        from pengadil.training.unsloth import import_unsloth

        import_unsloth()  # before torch and transformers, which it patches
    if settings["cap"]:
        set_cap(settings["cap"])
    try:
        plan = make_plan_by_hand(name, settings)
        if name == "trl":
            quantised_trl(plan, turns)
        else:
            train_with(name, plan, turns)
    except (RuntimeError, MemoryError) as error:
        from pengadil.training.micro import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        turns.answer(out_of_memory=str(error).splitlines()[0])


def set_cap(cap: int) -> None:
    """Let this process have `cap` bytes of the GPU, whatever it holds."""
    import torch

    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, cap / total))


def make_plan_by_hand(name: str, settings: dict[str, Any]) -> Plan:
    """A plan of random rows. Where the memory is capped, the GPU is said to have no more."""
    from pengadil.hardware import choose, detect
    from pengadil.loading import load_tokenizer
    from pengadil.models import resolve_model
    from pengadil.prompts import load_prompt
    from pengadil.recipe import load_recipe
    from pengadil.tokens import Encoder

    folder = Path(settings["folder"])
    hardware = detect()
    engine = name if name in ENGINES else "portable"
    with tempfile.TemporaryDirectory() as there:
        file = Path(there) / "recipe.toml"
        file.write_text(
            RECIPE.format(
                folder=json.dumps(str(folder)),
                longest=LONGEST,
                engine=engine,
                batch=settings["batch"],
                micro=settings["micro"],
                steps=len(settings["lengths"]) // settings["batch"],
                optimizer="paged_adamw_32bit" if hardware.device == "cuda" else "adamw_torch",
            ),
            encoding="utf-8",
        )
        recipe = load_recipe(file)
    choice = replace(choose(hardware, engine), dtype=settings["dtype"])
    if settings["cap"]:
        hardware = replace(hardware, memory_bytes=settings["cap"], bf16_fast=False)
    model = resolve_model(str(folder))
    tokenizer = load_tokenizer(folder)
    vocabulary = SHAPES[settings["shape"]][1].get("vocab_size", 32_000)
    return Plan(
        recipe=recipe,
        model=model,
        prompt=load_prompt("verdict"),
        encoder=Encoder.of_tokenizer(tokenizer, model.name),
        tokenizer=tokenizer,
        sources={},
        validation=[],
        rows=make_random_rows(settings["lengths"], vocabulary),
        hardware=hardware,
        choice=choice,
    )


def train_with(engine: str, plan: Plan, turns: Turns) -> None:
    """One of pengadil's engines, in this process; what it says goes with the answers."""
    from pengadil.training.portable import train_portable
    from pengadil.training.run import find_or_start
    from pengadil.training.unsloth import train_unsloth
    from pengadil.training.watch import Watch

    said = turns.facts.setdefault("said", [])
    watch = Watch(on_step=lambda step: turns.step_made(step.loss), say=said.append)
    trainer = train_unsloth if engine == "unsloth" else train_portable
    with tempfile.TemporaryDirectory() as folder:
        run, _ = find_or_start(plan, Path(folder))
        trainer(plan, run, watch, [])


def quantised_trl(plan: Plan, turns: Turns) -> None:
    """Plain TRL on a base that bitsandbytes quantises, as QLoRA's authors do: NF4, twice."""
    import torch
    from transformers import BitsAndBytesConfig
    from trl import SFTTrainer

    dtype = plan.choice.dtype
    quantised = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
    )
    trainer = make_sft_trainer(
        plan,
        turns,
        SFTTrainer,
        model_init_kwargs={"dtype": dtype, "quantization_config": quantised},
        fp16=dtype == "float16",
        bf16=dtype == "bfloat16",
        optim=plan.recipe.train.optimizer,
        max_grad_norm=plan.recipe.train.max_grad_norm,
        lr_scheduler_type="constant",
    )
    if dtype == "float16":
        # TRL makes the adapter of a quantised base bfloat16, whose gradients fp16 cannot scale.
        for parameter in trainer.model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
    trainer.train()


if __name__ == "__main__":
    serve(sys.argv[1:])
