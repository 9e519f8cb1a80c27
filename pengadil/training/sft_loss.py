"""Rows to a loss through a model's own forward pass, which an engine may have patched.

The portable engine computes bundles with an attention of its own; here rows are padded, one beside
the other, and the losses are the same. Imported only when training starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pengadil.training.objective import Objective, final_states
from pengadil.training.rows import IGNORED, TrainingRow

if TYPE_CHECKING:
    from pengadil.training.plan import Plan


def own_loss(plan: Plan) -> bool:
    """Whether the recipe's loss is one that no library computes."""
    settings = plan.recipe.train
    return settings.method == "sft" and settings.loss != "completion"


def verdict_tokens(plan: Plan) -> tuple[int, int] | None:
    """The token ids of the verdicts 0 and 1 where only these two compete for the loss."""
    settings = plan.recipe.train
    if settings.method != "sft" or settings.loss != "verdict":
        return None
    assert plan.encoder is not None
    return plan.encoder.verdict.zero, plan.encoder.verdict.one


def pad_rows(rows: Sequence[TrainingRow], pad_id: int) -> dict[str, Tensor]:
    """Rows as a causal model's own forward takes them, padded on the right.

    `input_ids`, `attention_mask`, `labels` and `loss_weights` (rows, T), none of them shifted.
    """
    size = (len(rows), max(len(row.ids) for row in rows))
    batch = {
        "input_ids": torch.full(size, pad_id),
        "attention_mask": torch.zeros(size, dtype=torch.long),
        "labels": torch.full(size, IGNORED),
        "loss_weights": torch.zeros(size),
    }
    for index, row in enumerate(rows):
        end = len(row.ids)
        batch["input_ids"][index, :end] = torch.tensor(row.ids)
        batch["attention_mask"][index, :end] = 1
        batch["labels"][index, :end] = torch.tensor(row.labels)
        batch["loss_weights"][index, :end] = torch.tensor(row.weights)
    return batch


def on_device(batch: dict[str, Tensor], device: Any) -> dict[str, Tensor]:
    return {name: tensor.to(device) for name, tensor in batch.items()}


def hidden_states(adapted: Any, input_ids: Tensor, dtype: torch.dtype) -> Tensor:
    """The final hidden states (rows, T, width) of rows that are padded on the right.

    Without a mask: what is causal never looks at the padding, and Unsloth's training drops it.
    """
    return final_states(adapted.get_base_model(), dtype, input_ids=input_ids)


def loss_from_hidden(objective: Objective, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """(weighted cross-entropies, weight of the labels met), both summed over `pad_rows`'s rows."""
    hidden = hidden_states(objective.adapted, batch["input_ids"], objective.dtype)
    labels, weights = batch["labels"][:, 1:], batch["loss_weights"][:, 1:]
    kept = labels != IGNORED
    causal = objective.adapted.get_base_model()
    loss, hits = objective.loss(causal, hidden[:, :-1][kept], labels[kept], weights[kept])
    return loss, (hits * weights[kept]).sum().detach()
