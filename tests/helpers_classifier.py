"""Trainings of tiny encoders: which one, the recipe, how to stop one and how to kill one."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pengadil.recipe import Recipe, load_recipe
from pengadil.runs import Run
from pengadil.tiny_encoder import make_encoder
from pengadil.training import run as training
from pengadil.training.plan import make_plan
from pengadil.training.watch import Step, Validation, Watch

RECIPE = """\
name = "pengelas"

[model]
name = {base}
dtype = "float32"

[data]
train = ["contoh:48"]
validation = ["contoh:24"]
max_length = 128

[lora]
rank = 0

[train]
method = "classifier"
batch_size = 8
learning_rate = 1e-3
schedule = "constant"
save_every = 2
validate_every = 2

[evaluation]
slices = []
before = false
"""
STEPS = 6


def write_recipe(folder: Path, base: Path | str) -> Path:
    """pengelas.toml in a folder: 6 steps of 8 rows, a checkpoint and a validation every 2."""
    path = folder / "pengelas.toml"
    path.write_text(RECIPE.format(base=json.dumps(str(base))), encoding="utf-8")
    return path


def make_base(folder: Path) -> Path:
    """The tiny encoder, with dropout, so that random numbers count."""
    make_encoder(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def make_random(folder: Path, kind: str, head: bool = False, **settings: Any) -> Path:
    """An encoder of another architecture with the tiny encoder's tokenizer."""
    import torch
    from transformers import (
        AutoConfig,
        AutoModelForMaskedLM,
        AutoModelForSequenceClassification,
        AutoTokenizer,
    )

    make_encoder(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if kind in ("xlm-roberta", "modernbert"):  # neither tells passage and question apart
        tokenizer.model_input_names = ["input_ids", "attention_mask"]
    for path in folder.iterdir():
        path.unlink()
    tokenizer.save_pretrained(folder)
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 128,
        **dict.fromkeys(("pad_token_id",), tokenizer.pad_token_id),
        **dict.fromkeys(("cls_token_id", "bos_token_id"), tokenizer.cls_token_id),
        **dict.fromkeys(("sep_token_id", "eos_token_id"), tokenizer.sep_token_id),
    }
    auto = AutoModelForSequenceClassification if head else AutoModelForMaskedLM
    torch.manual_seed(7)
    auto.from_config(AutoConfig.for_model(kind, **shape, **settings)).save_pretrained(folder)
    return folder


def trained(recipe: Recipe, folder: Path, watch: Watch | None = None) -> Run:
    """Plan, find or start, train: what the script does without judging."""
    plan = make_plan(recipe)
    found, _ = training.find_or_start(plan, folder)
    training.train(plan, found, watch or Watch())
    return found


def stopped(recipe: Recipe, folder: Path, step: int) -> Run:
    """The unfinished run of a training that was interrupted after a step, before its checkpoint."""
    try:
        trained(recipe, folder, Watch(on_step=at(step, _interrupt)))
    except KeyboardInterrupt:
        [left] = folder.iterdir()
        return Run(left)
    raise AssertionError(f"the training has no step {step}")


def killed(recipe: Path, folder: Path, step: int) -> Run:
    """The run of a training that was killed with SIGKILL, in a process of its own, at a step."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    # Imported once for all children, for they take seconds.
    context.set_forkserver_preload(["torch", "transformers.trainer", "peft"])
    child = context.Process(target=_train_and_die, args=(recipe, folder, step))
    child.start()
    child.join(300)
    assert child.exitcode not in (None, 0, 1), f"not killed at step {step}"
    [left] = folder.iterdir()
    return Run(left)


def _train_and_die(recipe: Path, folder: Path, step: int) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""

    def die() -> None:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

    trained(load_recipe(recipe), folder, Watch(on_step=at(step, die)))


def at(step: int, act: Callable[[], None]) -> Callable[[Step], None]:
    """Act when that step has been made."""
    return lambda made: act() if made.step == step else None


def _interrupt() -> None:
    raise KeyboardInterrupt


def weights(found: Run) -> dict[str, Any]:
    """The tensors of a run's classifier."""
    from safetensors.torch import load_file

    tensors: dict[str, Any] = load_file(found.adapter / "model.safetensors")
    return tensors


def difference(one: Run, other: Run) -> float:
    """The largest difference between two runs' classifiers."""
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    return max(float((first[name] - second[name]).abs().max()) for name in first)


def validations(found: Run) -> list[Validation]:
    """What the run was measured at, in order."""
    return training.read_validations(found)


def log(found: Run) -> list[dict[str, Any]]:
    """The lines of a run's log.jsonl."""
    return [json.loads(line) for line in found.log.read_text(encoding="utf-8").splitlines()]
