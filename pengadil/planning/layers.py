"""What the layers of a model keep for the backward pass, and what that takes for itself.

Counted from what torch's autograd saves in this project's own engine; docs/memory.md lists it
tensor by tensor.
"""

from __future__ import annotations

from dataclasses import dataclass

from pengadil.hardware import Choice, Hardware
from pengadil.planning.shape import Shape
from pengadil.recipe import Recipe

# Hidden states of more numbers than this Unsloth moves to main memory.
UNSLOTH_MOVES = 2 * 2**20


@dataclass(frozen=True, slots=True)
class Batch:
    """What is computed at once: `tokens` with their padding, in rows of at most `longest`."""

    tokens: int
    longest: int

    @property
    def rows(self) -> int:
        """How many of the longest; there may be more of shorter ones."""
        return -(-self.tokens // self.longest)

    def __str__(self) -> str:
        if self.rows == 1:
            return f"a row of {self.longest:,} tokens"
        if self.rows * self.longest == self.tokens:
            return f"{self.rows} rows of {self.longest:,} tokens"
        return f"{self.tokens:,} tokens at once, rows of up to {self.longest:,}"


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes that one layer keeps: `mlp` are gone before its attention goes backward."""

    mlp: int
    attention: int
    scores: int  # how many attention scores there are, 0 where they are never all held

    @property
    def bytes(self) -> int:
        return self.mlp + self.attention


def checkpointed(recipe: Recipe, hardware: Hardware, choice: Choice) -> bool:
    """Whether layers keep only their inputs and are computed again (Chen et al., 2016)."""
    if choice.engine == "unsloth":
        return True
    return recipe.model.load_in_4bit and hardware.device == "cuda"


def holds_scores(hardware: Hardware) -> bool:
    """Whether attention of the portable engine holds all its scores (training/attention.py)."""
    return hardware.device != "cuda"


def layer_inputs(shape: Shape, choice: Choice, tokens: int) -> int:
    """Bytes of the hidden states before all layers, as far as they stay on the device."""
    numbers = tokens * shape.width
    moved = choice.engine == "unsloth" and numbers > UNSLOTH_MOVES
    # Of those moved, one is on its way there and one comes back.
    return (2 if moved else shape.layers) * numbers * number_bytes(choice)


def kept(shape: Shape, recipe: Recipe, hardware: Hardware, choice: Choice, batch: Batch) -> Kept:
    """What a layer keeps of a batch."""
    tokens, size = batch.tokens, number_bytes(choice)
    width, attended, mlp = shape.width, shape.attended, shape.mlp
    if choice.engine == "unsloth":
        keys = 2 * shape.key_heads * shape.head_size
        # Its kernels overwrite what they no longer need, and attention keeps no scores.
        attention = tokens * size * (4 * width + 3 * attended + 2 * keys)
        return Kept(tokens * size * (4 * width + 3 * mlp), attention, 0)
    # What the adapters' gradients need: the inputs of their layers. With dropout each adapter has
    # a copy of its own, and a mask.
    queries, ups, masks = 1, 1, 0
    if recipe.lora.dropout:
        queries, ups = 3, 2
        masks = 1 if hardware.device == "cuda" else size
    attention = (queries * width + attended) * (size + masks)
    ours = (ups * width + mlp) * (size + masks)
    rank = recipe.lora.rank * size
    norms = 4 * shape.normed  # computed in float32
    attention += norms // 2 + 4 * rank
    if holds_scores(hardware):
        scores = shape.heads * tokens * batch.longest
        attention += 5 * attended * size
    else:  # keys and values repeated for each head alone, and a sum for each row of scores
        scores = 0
        attention += 3 * attended * size + 4 * shape.heads
    ours += norms - norms // 2 + 3 * mlp * size + 3 * rank
    return Kept(tokens * ours, tokens * attention + scores * (4 if size == 4 else 6), scores)


def working(shape: Shape, recipe: Recipe, choice: Choice, layer: Kept, tokens: int) -> int:
    """The most that the backward pass of a layer needs at once beside what the layer kept.

    Its MLP with the gradients of both halves, or its attention when what the MLP kept is gone.
    """
    size = number_bytes(choice)
    largest = max(linear.weights for linear in shape.linears)
    weights = largest * size if recipe.model.load_in_4bit else 0  # one layer's, out of 4 bits
    if choice.engine == "unsloth":
        return tokens * size * (2 * shape.mlp + 2 * shape.width) + weights
    # Normalisations beyond the usual two, and what dropout left out, have gradients as well.
    more = 3 * max(0, shape.normed - 2 * shape.width) + 4 * shape.width * bool(recipe.lora.dropout)
    mlp = tokens * ((2 * shape.mlp + shape.width) * size + more)
    if layer.scores:
        attention = layer.scores * (12 if size == 4 else 6)
    else:  # gradients of output, queries, keys and values, and float32 to add up the last three in
        attention = tokens * shape.attended * (4 * size + 12)
    attention += tokens * more - layer.mlp
    return max(mlp, attention) + weights


def last_norm(shape: Shape, choice: Choice, tokens: int) -> tuple[int, int]:
    """What the normalisation after all layers keeps, and what its backward pass needs."""
    return tokens * shape.width * 4, tokens * shape.width * (
        20 if number_bytes(choice) == 2 else 12
    )


def number_bytes(choice: Choice) -> int:
    """Bytes of a number that the layers compute with."""
    return 4 if choice.dtype == "float32" else 2
