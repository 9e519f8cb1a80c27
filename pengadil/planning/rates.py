"""How fast a training goes: as its last run went, or from the arithmetic that it takes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from pengadil.errors import PengadilError
from pengadil.hardware import UNSLOTH_FROM, Choice, Hardware
from pengadil.planning.gpus import Gpu
from pengadil.planning.layers import checkpointed
from pengadil.planning.shape import Shape
from pengadil.recipe import Recipe
from pengadil.runs import Run

# Assumed, and to be replaced by measured rates: what share of a GPU's published peak the training
# of a model reaches. Unsloth's own comparisons put it at 1.6 to 1.9 times transformers and peft.
GPU_SHARE = {"unsloth": 0.3, "portable": 0.17}
# Without tensor cores (before sm_70) the products themselves are what takes the time: the published
# epoch of Qwen2.5-7B, 3,000 rows of at most 2,048 tokens in 8 hours on a P100, is about this much.
OLD_GPU_SHARE = 0.4
# Of the matrix products' rate that is measured here: the rest goes into what is not a product.
CPU_SHARE = 0.5
SECONDS = 0.2  # of matrix products, to measure it


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens a second, and how they are known; None where nothing says."""

    tokens: float | None
    reason: str


def operations(shape: Shape, recipe: Recipe, again: bool, length: float) -> float:
    """Floating-point operations a token: a multiplication and an addition for each weight.

    Forward once, and backward once for the activations; once more where layers are computed
    `again`, and once more where all weights have gradients (Kaplan et al., 2020, for the counts).
    Attention adds its two products over a row of `length` tokens.
    """
    passes = 2 + again + (recipe.lora.rank == 0)
    attention = 4 * shape.layers * shape.attended * length
    return passes * (2 * shape.matrix_weights + attention)


def expected(
    shape: Shape,
    recipe: Recipe,
    hardware: Hardware,
    choice: Choice,
    length: float,
    gpu: Gpu | None,
    here: bool,
    runs: Path,
) -> Rate:
    """The rate of a training on this device: of its last run `here`, else estimated.

    `length` is a row's mean number of tokens.
    """
    if here:
        found = last_run(recipe, hardware, choice, runs)
        if found:
            return found
    needed = operations(shape, recipe, checkpointed(recipe, hardware, choice), length)
    if gpu is not None:
        old = gpu.capability < UNSLOTH_FROM
        share = OLD_GPU_SHARE if old else GPU_SHARE[choice.engine]
        return Rate(
            gpu.teraflops * 1e12 * share / needed,
            f"an estimate, not measured: {needed / 1e9:,.1f} GFLOP a token, at an assumed "
            f"{share:.0%} of the {gpu.teraflops:g} TFLOP/s of {gpu.peak_source}",
        )
    if here and hardware.device == "cpu":
        measured = matrix_rate(shape, choice.dtype)
        return Rate(
            CPU_SHARE * measured / needed,
            f"an estimate: {needed / 1e9:,.2f} GFLOP a token, at an assumed {CPU_SHARE:.0%} of the "
            f"{measured / 1e9:,.0f} GFLOP/s that matrix products just made here",
        )
    return Rate(None, f"nothing is known of the {hardware.name}: give --rate TOKENS_PER_S")


def last_run(recipe: Recipe, hardware: Hardware, choice: Choice, runs: Path) -> Rate | None:
    """The rate of the newest run with this base, engine and device, if there is one."""
    for folder in sorted(runs.glob("*/run.json"), key=lambda path: -path.stat().st_mtime):
        run = Run(folder.parent)
        try:
            facts = run.facts()
            same = (
                facts["base"]["name"] == recipe.model.name
                and facts["engine"]["engine"] == choice.engine
                and facts["engine"]["dtype"] == choice.dtype
                and facts["hardware"]["device_name"] == hardware.label
            )
            last = json.loads(run.log.read_text(encoding="utf-8").splitlines()[-1])
            tokens, seconds = float(last["tokens"]), float(last["seconds"])
        except (PengadilError, OSError, KeyError, IndexError, TypeError, ValueError):
            continue
        if same and seconds > 0 and tokens > 0:
            return Rate(tokens / seconds, f"as the run {run.folder.name} went here")
    return None


def matrix_rate(shape: Shape, dtype: str) -> float:
    """Floating-point operations a second of this processor, in products of the model's size."""
    import torch

    number = getattr(torch, dtype)
    left = torch.ones(512, shape.width, dtype=number)
    right = torch.ones(shape.width, shape.mlp, dtype=number)
    left @ right  # the first call sets things up
    made, started = 0, time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        left @ right
        made += 1
    return made * 2 * left.shape[0] * shape.width * shape.mlp / (time.perf_counter() - started)
