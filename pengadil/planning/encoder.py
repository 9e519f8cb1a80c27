"""What an encoder's layers keep, all weights trained: counted for DeBERTa-v2.

Others keep less: their attention has no terms for relative positions.
"""

from __future__ import annotations

from pengadil.planning.layers import Batch, Kept
from pengadil.planning.shape import Shape


def kept(shape: Shape, size: int, batch: Batch) -> Kept:
    """What a layer keeps of a batch, in numbers of `size` bytes."""
    tokens, rows, longest = batch.tokens, batch.rows, batch.longest
    width = 32 if size == 4 else 26  # bytes for each of the width: inputs, masks, normalisations
    scores = shape.heads * tokens * longest
    heads = tokens * 4 * shape.attended * size
    positions = shape.relative * (
        2 * size * (tokens * shape.heads + rows * shape.attended) + 8 * shape.width
    )
    indices = longest**2 * (16 + rows)
    attention = tokens * shape.width * width // 2 + heads + positions + 3 * scores * size + indices
    mlp = tokens * (shape.width * width // 2 + 2 * shape.mlp * size)
    return Kept(mlp, attention, scores + tokens * shape.heads * shape.relative)


def working(shape: Shape, size: int, layer: Kept, tokens: int) -> int:
    """The most that a layer's backward pass needs at once beside what the layer kept."""
    mlp = tokens * (2 * shape.mlp * size + 8 * shape.width)
    attention = layer.scores * 8 - layer.mlp
    return max(mlp, attention)


def beside(shape: Shape, tokens: int) -> int:
    """What is kept apart from the layers: the tokens' embeddings and those of positions."""
    return 4 * shape.width * (tokens + shape.relative)
