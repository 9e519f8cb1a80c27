"""Rows that begin alike are computed once: a batch of rows to tensors for the portable engine.

The rows of one document share instruction and document, often three quarters of their tokens. A
bundle is that shared beginning followed by each row's own end. `attention.py` lets each end see the
beginning and itself, nothing else, so losses and gradients are those of the rows one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pengadil.training.rows import IGNORED, TrainingRow

if TYPE_CHECKING:
    from torch import Tensor, dtype


@dataclass(frozen=True, slots=True)
class Bundle:
    """Rows of one document: the first `shared` tokens of each are the same."""

    rows: list[TrainingRow]
    shared: int


def bundle(rows: Sequence[TrainingRow]) -> list[Bundle]:
    """Neighbouring rows of one group together, in order."""
    grouped = [list(group) for _, group in groupby(rows, key=lambda row: row.group)]
    return [Bundle(group, _shared(group)) for group in grouped]


def _shared(rows: Sequence[TrainingRow]) -> int:
    """How many tokens all rows begin with, short of the last token before any label.

    That token predicts the label, which differs from row to row, so each row keeps its own copy.
    """
    if len(rows) == 1:
        return 0
    labelled = min(next(i for i, label in enumerate(r.labels) if label != IGNORED) for r in rows)
    for index in range(labelled - 1):
        if len({row.ids[index] for row in rows}) > 1:
            return index
    return labelled - 1


def collate(rows: Sequence[TrainingRow], pad_id: int, number_format: dtype) -> dict[str, Tensor]:
    """A batch of rows as tensors.

    With B bundles of at most N rows, beginnings of at most P tokens and ends of at most L, each
    padded on its right, T = P + N * L: `input_ids`, `position_ids`, `labels` (B, T), already
    shifted: the label at a position is the token after it; `loss_weights` (B, T) float32;
    `attention_mask` (B, 1, N, P) of `number_format`: 0 at the beginning's tokens and the format's
    least number at its padding. Its shape tells the attention where the beginning stops and how
    many ends follow.
    """
    import torch

    bundles = bundle(rows)
    start = max(made.shared for made in bundles)
    count = max(len(made.rows) for made in bundles)
    length = max(len(row.ids) - made.shared for made in bundles for row in made.rows)
    size = (len(bundles), start + count * length)
    batch: dict[str, Any] = {
        "input_ids": torch.full(size, pad_id),
        "position_ids": torch.zeros(size, dtype=torch.long),
        "labels": torch.full(size, IGNORED),
        "loss_weights": torch.zeros(size),
    }
    mask = torch.zeros(len(bundles), 1, count, start, dtype=number_format)
    for index, made in enumerate(bundles):
        shared = made.shared
        mask[index, :, :, shared:] = torch.finfo(number_format).min
        batch["input_ids"][index, :shared] = torch.tensor(made.rows[0].ids[:shared])
        batch["position_ids"][index, :shared] = torch.arange(shared)
        for number, row in enumerate(made.rows):
            own = len(row.ids) - shared
            place = slice(start + number * length, start + number * length + own)
            batch["input_ids"][index, place] = torch.tensor(row.ids[shared:])
            batch["position_ids"][index, place] = torch.arange(shared, shared + own)
            # The last token of a row predicts nothing.
            shifted = slice(place.start, place.stop - 1)
            batch["labels"][index, shifted] = torch.tensor(row.labels[shared + 1 :])
            batch["loss_weights"][index, shifted] = torch.tensor(row.weights[shared + 1 :])
    return {**batch, "attention_mask": mask}
