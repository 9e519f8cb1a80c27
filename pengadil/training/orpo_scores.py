"""How likely a model finds both answers of preference pairs: log-probabilities from hidden states.

Imported only when training starts, since it needs torch to define its classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from pengadil.training.bundles import collate
from pengadil.training.linear_loss import ROWS_AT_ONCE
from pengadil.training.objective import final_states
from pengadil.training.rows import IGNORED, TrainingRow

if TYPE_CHECKING:
    from pengadil.training.pair_rows import PairRow

# The log-probability of an answer found certain is 0, where its odds are infinite and gradients are
# not numbers: this is next to it in float32.
CERTAIN = -torch.finfo(torch.float32).eps


class LinearLogProbability(torch.autograd.Function):
    """`apply(hidden, weight, targets)` gives each target's log-probability, (rows,) float32.

    `hidden` (rows, width), `weight` (vocabulary, width) without a gradient, `targets` (rows,) token
    ids. As in `LinearCrossEntropy`, no more than a slice of the logits is ever held: one position's
    log-probability depends on its own hidden state alone, so its gradient is known on the way.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        gradient = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        found = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
        for start in range(0, len(targets), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            target = targets[part, None]
            logits = (hidden[part] @ weight.T).float()
            highest = logits.amax(dim=1, keepdim=True)
            wanted = logits.gather(1, target) - highest
            total = logits.sub_(highest).exp_().sum(dim=1, keepdim=True)
            found[part] = (wanted - total.log()).squeeze(1)
            if gradient is not None:
                # One-hot less softmax; `logits` now holds exp.
                logits.div_(-total).scatter_add_(1, target, torch.ones_like(total))
                gradient[part] = logits.to(hidden.dtype) @ weight
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return found

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outer[0][:, None].to(gradient.dtype), None, None


class PairModel(nn.Module):
    """A causal model with an adapter: a batch of pairs in, log-probabilities of their answers out.

    Logits are computed only where there is an answer's token, and a prompt only once for both of
    its answers.
    """

    def __init__(self, adapted: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self.adapted = adapted
        self.dtype = dtype

    @property
    def config(self) -> Any:
        """The causal model's, which TRL's trainer asks for."""
        return self.adapted.config

    def forward(
        self, input_ids: Tensor, position_ids: Tensor, attention_mask: Tensor, labels: Tensor
    ) -> Tensor:
        """Log-probabilities of the labels, (labels,) float32, in the order of `collate_pairs`."""
        causal = self.adapted.get_base_model()
        hidden = final_states(
            causal,
            self.dtype,
            input_ids=input_ids,
            position_ids=position_ids,
            attention_mask=attention_mask,
        )
        kept = labels != IGNORED
        return log_probabilities(causal, hidden[kept], labels[kept])


def log_probabilities(causal: Any, hidden: Tensor, targets: Tensor) -> Tensor:
    """Log-probability of each target (rows,) after its hidden state (rows, width), float32."""
    head = causal.get_output_embeddings()
    # Gemma 2 bounds its logits in its own forward, which is not called here.
    cap = getattr(causal.config, "final_logit_softcapping", None)
    hidden = hidden.to(head.weight.dtype)
    if cap is None and head.bias is None:
        found: Tensor = LinearLogProbability.apply(hidden, head.weight, targets)
        return found
    logits = linear(hidden, head.weight, head.bias).float()
    if cap:
        logits = torch.tanh(logits / cap) * cap
    return logits.log_softmax(dim=-1).gather(1, targets[:, None]).squeeze(1)


def collate_pairs(
    pairs: Sequence[PairRow], pad_id: int, number_format: torch.dtype
) -> dict[str, Tensor]:
    """Pairs as the tensors that `PairModel` takes; each prompt stands there once.

    The labels, read row by row, are those of the first pair's chosen answer, of its rejected one,
    of the second pair's chosen answer, and so on.
    """
    rows = [
        TrainingRow(
            id=pair.id,
            group=str(number),
            ids=[*pair.prompt, *answer],
            labels=[IGNORED] * len(pair.prompt) + list(answer),
            weights=[0.0] * len(pair.prompt) + [1.0] * len(answer),
        )
        for number, pair in enumerate(pairs)
        for answer in (pair.chosen, pair.rejected)
    ]
    batch = collate(rows, pad_id, number_format)
    del batch["loss_weights"]
    return batch


def pad_pairs(pairs: Sequence[PairRow], pad_id: int) -> dict[str, Tensor]:
    """Pairs as rows that are padded on the right, two rows each: chosen, then rejected.

    `input_ids` and `labels` (2 * pairs, T), the labels shifted: the one at a position is the token
    after it. They stand in the order of `collate_pairs`.
    """
    sides = [(pair.prompt, answer) for pair in pairs for answer in (pair.chosen, pair.rejected)]
    size = (len(sides), max(len(prompt) + len(answer) for prompt, answer in sides))
    batch = {"input_ids": torch.full(size, pad_id), "labels": torch.full(size, IGNORED)}
    for index, (prompt, answer) in enumerate(sides):
        end = len(prompt) + len(answer)
        batch["input_ids"][index, :end] = torch.tensor([*prompt, *answer])
        batch["labels"][index, len(prompt) - 1 : end - 1] = torch.tensor(answer)
    return batch


def averages(found: Tensor, pairs: Sequence[PairRow]) -> tuple[Tensor, Tensor]:
    """Mean log-probability of a token of the chosen and of the rejected answers, (pairs,) each.

    `found` are the log-probabilities of all tokens of the answers, in the order of `collate_pairs`.
    """
    lengths = [len(answer) for pair in pairs for answer in (pair.chosen, pair.rejected)]
    means = torch.stack([part.mean() for part in found.split(lengths)])
    return means[0::2], means[1::2]


def log_odds(averaged: Tensor) -> Tensor:
    """The logarithm of p / (1 - p) from that of p, where p is the geometric mean over an answer's
    tokens (Hong et al., 2024, section 4)."""
    bounded = averaged.clamp(max=CERTAIN)
    return bounded - torch.log(-torch.expm1(bounded))
