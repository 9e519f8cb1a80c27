"""Attention over bundles: each row's end sees the shared beginning and itself, causally.

A full mask over a bundle would forbid most of its own square: with a beginning of P tokens and N
ends of L, T = P + N * L, it costs T * T products where N * L * (P + L) + P * P are needed, a
quarter of them with six ends. The ends are therefore folded into a dimension of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pengadil.errors import PengadilError

if TYPE_CHECKING:
    from torch import Tensor

NAME = "pengadil_shared_beginning"


def use_bundles(causal: Any) -> None:
    """Make a transformers model compute its attention with `attend`."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)
    causal.set_attn_implementation(NAME)


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    position_ids: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """The attention of one layer, with the signature that transformers calls.

    `query` (B, heads, T, size), `key` and `value` (B, key heads, T, size), `attention_mask`
    (B, 1, N, P) from `bundles.collate`. Returns (B, T, heads, size) and no weights.
    """
    import torch
    from torch.nn.functional import softmax

    if softcap is not None or s_aux is not None:
        raise PengadilError(
            type(module).__name__,
            "its attention bounds its scores or has sinks, which this engine does not compute",
            "Train a Llama, Mistral or Qwen model, or Gemma 3.",
        )
    count, start = attention_mask.shape[2:]
    length = (query.shape[2] - start) // count
    if sliding_window is not None:
        # No token looks back further than over its own row.
        longest = start + length if position_ids is None else int(position_ids.max()) + 1
        if longest > sliding_window:
            raise PengadilError(
                f"a row of {longest} tokens",
                f"this model looks back over {sliding_window} only, which this engine does not "
                "compute",
                f"Use shorter rows: --data.max_length {sliding_window}.",
            )
    groups = query.shape[1] // key.shape[1]
    key = key.repeat_interleave(groups, dim=1)
    value = value.repeat_interleave(groups, dim=1)
    scale = query.shape[3] ** -0.5 if scaling is None else scaling
    ends = (query.shape[0], query.shape[1], count, length)

    def causal(size: int) -> Tensor:
        forbidden = torch.finfo(query.dtype).min
        return query.new_full((size, size), forbidden).triu(diagonal=1)

    def weights(scores: Tensor) -> Tensor:
        return softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)

    first_key, own_key = key[:, :, :start], key[:, :, start:].reshape(*ends, -1)
    first_value, own_value = value[:, :, :start], value[:, :, start:].reshape(*ends, -1)
    first_query, own_query = query[:, :, :start], query[:, :, start:]
    first = weights(first_query @ first_key.transpose(2, 3) * scale + causal(start)) @ first_value

    to_first = (own_query @ first_key.transpose(2, 3)).view(*ends, start) * scale
    to_first = to_first + attention_mask[:, :, :1, None]
    to_own = own_query.reshape(*ends, -1) @ own_key.transpose(3, 4) * scale + causal(length)
    seen = weights(torch.cat([to_first, to_own], dim=-1))
    from_first = seen[..., :start].reshape(*ends[:2], count * length, start) @ first_value
    from_own = (seen[..., start:] @ own_value).view_as(from_first)
    return torch.cat([first, from_first + from_own], dim=2).transpose(1, 2).contiguous(), None
