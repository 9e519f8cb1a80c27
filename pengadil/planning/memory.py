"""How much memory a training takes, by part. docs/memory.md derives and checks the formulas."""

from __future__ import annotations

from dataclasses import dataclass

from pengadil.hardware import Choice, Hardware
from pengadil.planning import encoder
from pengadil.planning.layers import (
    Batch,
    checkpointed,
    kept,
    last_norm,
    layer_inputs,
    number_bytes,
    working,
)
from pengadil.planning.shape import Shape
from pengadil.recipe import Recipe

# NF4 with double quantisation (Dettmers et al., 2023): half a byte a weight, a byte for each 64
# of them, and a float32 for each 256 of those.
NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
# Rows whose logits the portable engine makes at once (training/linear_loss.py).
LOGIT_ROWS = 128
# Unsloth's fused loss takes four slices or more, and no more than is left; 16 bytes a logit.
UNSLOTH_SLICES, UNSLOTH_LOGIT, UNSLOTH_MOST = 4, 16, 2**30
# Bytes a trained weight that an optimizer keeps: two float32, or two in 8 bits with their scales.
STATES = {"adamw_torch": 8.0, "paged_adamw_32bit": 8.0, "adamw_8bit": 2.0 + 8 / 256}
# The CUDA context and the kernels loaded into it, outside of torch's own count.
CUDA_CONTEXT = 500_000_000
# What allocators hold and cannot give out, of what comes and goes: torch's own on CUDA (assumed),
# and the C library's on a CPU (measured with glibc, benchmarks/memory_model.py).
FRAGMENTS = {"cuda": 0.08, "cpu": 0.35, "mps": 0.35}
# Python with torch, transformers and peft loaded.
PROCESS = 650_000_000
# Above what the formulas count: small tensors that they leave out.
MARGIN = 1.03

PARTS = ("weights", "adapters", "optimizer", "activations", "logits", "overhead")


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of one part, and what they are."""

    name: str
    bytes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Memory:
    """The peak of a training step, by part."""

    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        return sum(part.bytes for part in self.parts)

    def __getitem__(self, name: str) -> int:
        return next(part.bytes for part in self.parts if part.name == name)


def memory(
    shape: Shape,
    recipe: Recipe,
    hardware: Hardware,
    choice: Choice,
    batch: Batch,
    labels: int | None = None,
) -> Memory:
    """The most bytes that a training step holds at once on the device, computing such batches.

    `labels` of a batch's tokens have a loss; None for as many as there can be. Meant to be no less
    than what is measured and less than a fifth more: docs/memory.md says where that is so.
    """
    again = checkpointed(recipe, hardware, choice)
    staying = _parts_that_stay(shape, recipe, choice, again)
    activations, passing = _activations(shape, recipe, hardware, choice, batch)
    logits = _logits(shape, recipe, choice, batch, batch.tokens if labels is None else labels)
    # Logits are gone when the layers' backward pass begins: what is above its needs counts.
    beside = last_norm(shape, choice, batch.tokens)[0] if again else 0
    logits = Part("logits", max(0, beside + logits.bytes - passing), logits.reason)
    overhead = _overhead(hardware, activations.bytes + logits.bytes)
    return Memory((*staying, activations, logits, overhead))


def trained_parameters(shape: Shape, recipe: Recipe) -> int:
    """Weights that are trained: the adapter's, or all where there is none."""
    if recipe.lora.rank == 0:
        return shape.parameters
    return shape.adapter_parameters(recipe.lora.rank, recipe.lora.targets)


def _parts_that_stay(
    shape: Shape, recipe: Recipe, choice: Choice, again: bool
) -> tuple[Part, Part, Part]:
    trained, width = trained_parameters(shape, recipe), number_bytes(choice)
    # Autocast keeps a copy of each trained weight in the base's format, for as long as a backward
    # pass may need it: with layers that are computed again, one layer at a time.
    copied = trained if recipe.lora.rank else sum(linear.weights for linear in shape.linears)
    copies = copied * width if width == 2 and choice.engine == "portable" else 0
    copies //= shape.layers if again else 1
    also = f", and copies in {choice.dtype}" if copies else ""
    if recipe.lora.rank == 0:
        weights = Part("weights", 4 * shape.parameters, "all are trained, so in float32")
        adapters = Part("adapters", copies, f"none{also}")
    else:
        weights = _base(shape, recipe, choice)
        millions = f"{trained / 1e6:,.1f} M weights of rank {recipe.lora.rank}"
        adapters = Part("adapters", 4 * trained + copies, f"{millions} in float32{also}")
    name = recipe.train.optimizer
    states = STATES[name]
    reason = f"gradients in float32, and {states:.3g} bytes a weight of {name}"
    return weights, adapters, Part("optimizer", int(trained * (4 + states)), reason)


def _base(shape: Shape, recipe: Recipe, choice: Choice) -> Part:
    width = number_bytes(choice)
    billions = f"{shape.parameters / 1e9:.3g} B weights"
    if not recipe.model.load_in_4bit:
        return Part("weights", shape.parameters * width, f"{billions} in {choice.dtype}")
    quantised = sum(linear.weights for linear in shape.linears)
    return Part(
        "weights",
        int(quantised * NF4 + (shape.parameters - quantised) * width),
        f"{billions}, {quantised / shape.parameters:.0%} of them in 4 bits (NF4, double "
        f"quantisation), the rest in {choice.dtype}",
    )


def _activations(
    shape: Shape, recipe: Recipe, hardware: Hardware, choice: Choice, batch: Batch
) -> tuple[Part, int]:
    """The part, and how much of it is there only while a layer goes backward."""
    tokens = batch.tokens
    if recipe.lora.rank == 0:
        return _all_trained(shape, choice, batch)
    layer = kept(shape, recipe, hardware, choice, batch)
    needed = working(shape, recipe, choice, layer, tokens)
    last, last_needed = last_norm(shape, choice, tokens)
    if checkpointed(recipe, hardware, choice):
        stays = layer_inputs(shape, choice, tokens)
        passing = max(layer.bytes + needed, last + last_needed)
        reason = f"{batch}: the inputs of {shape.layers} layers, each computed again"
        if choice.engine == "unsloth":
            reason += "; Unsloth keeps larger ones in main memory"
    else:
        stays = shape.layers * layer.bytes + last
        passing = max(needed, last_needed)
        reason = f"{batch}: all that {shape.layers} layers keep for the backward pass"
    passing = int(MARGIN * passing)
    return Part("activations", int(MARGIN * stays) + passing, reason), passing


def _all_trained(shape: Shape, choice: Choice, batch: Batch) -> tuple[Part, int]:
    size, tokens = number_bytes(choice), batch.tokens
    layer = encoder.kept(shape, size, batch)
    passing = int(MARGIN * encoder.working(shape, size, layer, tokens))
    beside = encoder.beside(shape, tokens)
    stays = int(MARGIN * (shape.layers * layer.bytes + beside))
    # The gradient of the token table is made anew before it is added up, when all else is gone.
    held = max(stays + passing, 4 * shape.tables)
    reason = f"{batch}: all that {shape.layers} layers keep for the backward pass"
    return Part("activations", held, reason), passing


def _logits(shape: Shape, recipe: Recipe, choice: Choice, batch: Batch, labels: int) -> Part:
    if recipe.lora.rank == 0:
        return Part("logits", 16 * batch.rows, "two a row")
    if recipe.train.method == "sft" and recipe.train.loss == "verdict":
        return Part("logits", 64 * batch.rows, "of the two verdicts alone")
    # Unsloth's own, but not for a loss with weights or on pairs, which is computed as elsewhere.
    fused = recipe.train.method == "rewrite" or recipe.train.loss == "completion"
    if choice.engine == "unsloth" and fused and recipe.train.method != "orpo":
        most = labels * shape.vocabulary * UNSLOTH_LOGIT // UNSLOTH_SLICES
        return Part("logits", min(most, UNSLOTH_MOST), "Unsloth's fused loss, in slices")
    head = number_bytes(choice)
    each = 4 if head == 4 else 6  # a 16-bit head's own, and float32
    first = min(LOGIT_ROWS, labels)
    second = min(LOGIT_ROWS, labels - first)
    # The slice before is let go only when the next is made.
    most = max(first * each, first * 4 + second * each if second else 0) * shape.vocabulary
    gradient = labels * shape.width * head * 3
    return Part(
        "logits",
        most + gradient,
        f"slices of {LOGIT_ROWS} rows over {shape.vocabulary:,} tokens, in float32",
    )


def _overhead(hardware: Hardware, moving: int) -> Part:
    share = FRAGMENTS[hardware.device]
    base, what = PROCESS, "Python and its libraries"
    if hardware.device == "cuda":
        base, what = CUDA_CONTEXT, "the CUDA context"
    reason = f"{what}, and {share:.0%} of what comes and goes, left in pieces"
    return Part("overhead", base + int(share * moving), reason)
