"""The model as the trainer sees it: a batch of bundled rows in, a loss out.

Imported only when training starts, since it needs torch to define its class.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear

from pengadil.training.linear_loss import LinearCrossEntropy
from pengadil.training.rows import IGNORED


def final_states(causal: Any, dtype: torch.dtype, **inputs: Tensor) -> Tensor:
    """The final hidden states (rows, T, width) of a causal model, computed in `dtype`."""
    enabled = dtype != torch.float32
    with torch.autocast(inputs["input_ids"].device.type, dtype, enabled=enabled):
        states: Tensor = causal.base_model(**inputs, use_cache=False).last_hidden_state
    return states


class Objective(nn.Module):
    """A causal model with an adapter, and the loss that the recipe asks for.

    `verdicts` are the token ids of 0 and 1 when only these two compete for the loss ("verdict"),
    else None: the loss is over the whole vocabulary. Logits are computed only where there is a
    label: elsewhere, for most positions, nothing would read them.
    """

    def __init__(self, adapted: Any, verdicts: tuple[int, int] | None, dtype: torch.dtype) -> None:
        super().__init__()
        self.adapted = adapted
        self.verdicts = verdicts
        self.dtype = dtype

    def forward(
        self,
        input_ids: Tensor,
        position_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor,
        loss_weights: Tensor,
    ) -> dict[str, Tensor]:
        """`loss`: weighted cross-entropies, summed; `hits`: the weight of the labels met.

        Shapes as `bundles.collate` makes them. The caller divides by the step's sum of weights,
        so that the size of a micro-batch changes nothing.
        """
        causal = self.adapted.get_base_model()
        hidden = final_states(
            causal,
            self.dtype,
            input_ids=input_ids,
            position_ids=position_ids,
            attention_mask=attention_mask,
        )
        kept = labels != IGNORED
        loss, hits = self.loss(causal, hidden[kept], labels[kept], loss_weights[kept])
        return {"loss": loss, "hits": (hits * loss_weights[kept]).sum().detach()}

    def loss(
        self, causal: Any, hidden: Tensor, targets: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The weighted cross-entropies, summed, and for each label whether it was met.

        `hidden` (labels, width) are the final hidden states before each of `targets` (labels,).
        """
        head = causal.get_output_embeddings()
        # Gemma 2 bounds its logits in its own forward, which is not called here.
        cap = getattr(causal.config, "final_logit_softcapping", None)
        if self.verdicts is None and cap is None and head.bias is None:
            hidden = hidden.to(head.weight.dtype)
            loss, hits = LinearCrossEntropy.apply(hidden, head.weight, targets, weights)
            return loss, hits
        weight, bias = head.weight, head.bias
        if self.verdicts:
            weight = weight[list(self.verdicts)]
            bias = None if bias is None else bias[list(self.verdicts)]
            targets = (targets == self.verdicts[1]).long()
        logits = linear(hidden.to(weight.dtype), weight, bias).float()
        if cap:
            logits = torch.tanh(logits / cap) * cap
        losses = cross_entropy(logits, targets, reduction="none")
        return (losses * weights).sum(), (logits.argmax(dim=-1) == targets).float()
