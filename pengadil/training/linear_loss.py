"""Cross-entropy straight from hidden states, without ever holding all logits.

The logits of a thousand labels over 49,152 tokens are 200 MB in float32, and softmax and gradient
each make as much again. Here a slice of them is made, turned into the gradient of the hidden states
in place, and thrown away (the idea of Liger Kernel, Hsu et al., 2024, in plain torch). It needs an
output layer that is not trained, which holds for LoRA.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

ROWS_AT_ONCE = 128  # 25 MB of logits for SmolLM2: about what a processor's cache holds


class LinearCrossEntropy(torch.autograd.Function):
    """`apply(hidden, weight, targets, weights)` gives (loss, hits).

    `hidden` (rows, width), `weight` (vocabulary, width) without a gradient, `targets` (rows,) token
    ids, `weights` (rows,) float32. `loss` is the weighted cross-entropies summed; `hits` (rows,) is
    1 where the target is the likeliest token.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        gradient = torch.empty_like(hidden)
        loss = hidden.new_zeros((), dtype=torch.float32)
        hits = torch.zeros(len(targets), dtype=torch.float32, device=hidden.device)
        for start in range(0, len(targets), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            target, scale = targets[part, None], weights[part, None]
            logits = (hidden[part] @ weight.T).float()
            highest = logits.amax(dim=1, keepdim=True)
            wanted = logits.gather(1, target)
            hits[part] = (wanted >= highest).squeeze(1).float()
            total = logits.sub_(highest).exp_().sum(dim=1, keepdim=True)
            loss += ((total.log() - (wanted - highest)) * scale).sum()
            # The gradient of a cross-entropy is softmax less one-hot; `logits` now holds exp.
            logits.mul_(scale / total).scatter_add_(1, target, -scale)
            gradient[part] = logits.to(hidden.dtype) @ weight
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(hits)
        return loss, hits

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outer[0].to(gradient.dtype), None, None, None
