"""The model as the trainer sees it: a batch of bundled rows in, a loss out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from pengadil.training.rows import IGNORED


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
        """`loss`: weighted cross-entropies, summed; `hits`: how many labels were the likeliest.

        Shapes as `bundles.collate` makes them. The caller divides by the step's sum of weights,
        so that the size of a micro-batch changes nothing.
        """
        device = input_ids.device.type
        causal = self.adapted.get_base_model()
        with torch.autocast(device, self.dtype, enabled=self.dtype != torch.float32):
            hidden = causal.base_model(
                input_ids=input_ids,
                position_ids=position_ids,
                attention_mask=attention_mask,
                use_cache=False,
            ).last_hidden_state
            kept = labels != IGNORED
            hidden, targets, weights = hidden[kept], labels[kept], loss_weights[kept]
            logits = self._logits(causal, hidden).float()
        if self.verdicts:
            targets = (targets == self.verdicts[1]).long()
        losses = cross_entropy(logits, targets, reduction="none")
        hits = (logits.argmax(dim=-1) == targets).float()
        return {"loss": (losses * weights).sum(), "hits": (hits * weights).sum().detach()}

    def _logits(self, causal: Any, hidden: Tensor) -> Tensor:
        head = causal.get_output_embeddings()
        if self.verdicts:
            bias = head.bias[list(self.verdicts)] if head.bias is not None else None
            logits = nn.functional.linear(hidden, head.weight[list(self.verdicts)], bias)
        else:
            logits = head(hidden)
        # Gemma 2 bounds its logits in its own forward, which is not called here.
        cap = getattr(causal.config, "final_logit_softcapping", None)
        return torch.tanh(logits / cap) * cap if cap else logits
