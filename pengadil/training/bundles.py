"""Rows that begin alike are computed once: a batch of rows to tensors for the portable engine.

The rows of one document share instruction and document, often three quarters of their tokens. A
bundle is that shared beginning followed by each row's own end; positions and the attention mask
let each end see the beginning and itself, nothing else. Losses and gradients are those of the
rows computed one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from pengadil.training.rows import IGNORED, TrainingRow

if TYPE_CHECKING:
    from torch import Tensor, dtype

SHARED = 0  # the segment of the beginning; the ends are 1, 2, ...
PADDING = -1


@dataclass(frozen=True, slots=True)
class Bundle:
    """One sequence that holds several rows; all lists have the same length.

    `predicts` is the label of the token that follows a position in its row, and `weights` that
    label's weight: a position at the end of the beginning is followed by several tokens, so
    each end carries a copy of the beginning's last token as its own first.
    """

    ids: list[int]
    positions: list[int]
    segments: list[int]
    predicts: list[int]
    weights: list[float]


def bundle(rows: Sequence[TrainingRow]) -> Bundle:
    """The rows as one sequence. A single row stays as it is."""
    shared = max(0, _common_prefix(rows) - 1) if len(rows) > 1 else 0
    first = rows[0]
    made = Bundle(
        ids=first.ids[:shared],
        positions=list(range(shared)),
        segments=[SHARED] * shared,
        predicts=[IGNORED] * shared,
        weights=[0.0] * shared,
    )
    for number, row in enumerate(rows, start=1):
        length = len(row.ids)
        made.ids.extend(row.ids[shared:])
        made.positions.extend(range(shared, length))
        made.segments.extend([number] * (length - shared))
        made.predicts.extend([*row.labels[shared + 1 :], IGNORED])
        made.weights.extend([*row.weights[shared + 1 :], 0.0])
    return made


def _common_prefix(rows: Sequence[TrainingRow]) -> int:
    """How many tokens all prompts begin with: labels are never shared."""
    prompts = min(next(i for i, label in enumerate(r.labels) if label != IGNORED) for r in rows)
    for index in range(prompts):
        if len({row.ids[index] for row in rows}) > 1:
            return index
    return prompts


def collate(rows: Sequence[TrainingRow], pad_id: int, number_format: dtype) -> dict[str, Tensor]:
    """A batch of rows as tensors.

    Neighbours of one group are bundled. Shapes, with B bundles of at most T tokens: `input_ids`,
    `position_ids`, `labels` (B, T), already shifted: the label at a position is the next token;
    `loss_weights` (B, T) float32; `attention_mask` (B, 1, T, T) of `number_format`, 0 where a
    token may look and the format's least number where it may not.
    """
    import torch

    bundles = [bundle(list(group)) for _, group in groupby(rows, key=lambda row: row.group)]
    size = (len(bundles), max(len(made.ids) for made in bundles))
    ids = torch.full(size, pad_id)
    positions = torch.zeros(size, dtype=torch.long)
    segments = torch.full(size, PADDING)
    labels = torch.full(size, IGNORED)
    weights = torch.zeros(size)
    for index, made in enumerate(bundles):
        length = len(made.ids)
        ids[index, :length] = torch.tensor(made.ids)
        positions[index, :length] = torch.tensor(made.positions)
        segments[index, :length] = torch.tensor(made.segments)
        labels[index, :length] = torch.tensor(made.predicts)
        weights[index, :length] = torch.tensor(made.weights)
    seen = (segments[:, :, None] == segments[:, None, :]) | (segments[:, None, :] == SHARED)
    seen &= torch.ones(size[1], size[1], dtype=torch.bool).tril()
    mask = torch.zeros(seen.shape, dtype=number_format)
    mask.masked_fill_(~seen, torch.finfo(number_format).min)
    return {
        "input_ids": ids,
        "position_ids": positions,
        "attention_mask": mask[:, None],
        "labels": labels,
        "loss_weights": weights,
    }
