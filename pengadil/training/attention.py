"""Attention over bundles: each row's end sees the shared beginning and itself, causally.

A full mask over a bundle would forbid most of its own square: with a beginning of P tokens and N
ends of L, T = P + N * L, it costs T * T products where N * L * (P + L) + P * P are needed, a
quarter of them with six ends. The ends are therefore folded into a dimension of their own.

On a CPU plain products are faster than torch's fused kernels, and hold all scores. On a GPU these
are too many: of one layer of a 7B, a row of 4,096 tokens has half a thousand million.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pengadil.errors import PengadilError

if TYPE_CHECKING:
    from torch import Tensor

NAME = "pengadil_shared_beginning"
# query, key, value, mask and scale, as `attend` has them, to (B, heads, T, size)
Way = Callable[["Tensor", "Tensor", "Tensor", "Tensor", float], "Tensor"]


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
    scale = query.shape[3] ** -0.5 if scaling is None else scaling
    found = way(query.device.type)(query, key, value, attention_mask, scale)
    return found.transpose(1, 2).contiguous(), None


def way(device: str) -> Way:
    """How attention is computed on a device."""
    return fused if device == "cuda" else scored


def fused(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float) -> Tensor:
    """By torch's scaled_dot_product_attention, whose kernels for GPUs hold no scores.

    What each end sees is laid out for it by itself, so each end has a copy of the beginning's keys
    and values, as if its row were computed alone.
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    batch, heads, total, size = query.shape
    count, start = mask.shape[2:]
    length = (total - start) // count
    groups = heads // key.shape[1]

    def repeated(tensor: Tensor) -> Tensor:
        # By hand: the kernel of GPUs before sm_80 wants as many heads of keys as of queries.
        return tensor.repeat_interleave(groups, dim=1) if groups > 1 else tensor

    def per_end(tensor: Tensor) -> Tensor:
        # (B, key heads, T, size) to (B, heads * N, P + L, size), in one copy
        shape = (batch, key.shape[1], groups, count)
        first = tensor[:, :, None, None, :start].expand(*shape, start, size)
        own = tensor[:, :, start:].reshape(batch, key.shape[1], 1, count, length, size)
        both = torch.cat([first, own.expand(*shape, length, size)], dim=4)
        return both.reshape(batch, heads * count, start + length, size)

    # Ends stand among the heads, where one mask serves them all.
    own_query = query[:, :, start:].reshape(batch, heads * count, length, size)
    if start == 0:
        key, value = repeated(key), repeated(value)
        shape = (batch, heads * count, length, size)
        ends = scaled_dot_product_attention(
            own_query, key.reshape(shape), value.reshape(shape), is_causal=True, scale=scale
        )
        return ends.reshape(batch, heads, total, size)
    first = scaled_dot_product_attention(
        query[:, :, :start],
        repeated(key[:, :, :start]),
        repeated(value[:, :, :start]),
        is_causal=True,
        scale=scale,
    )
    least = torch.finfo(query.dtype).min
    seen = query.new_full((batch, 1, length, start + length), least).triu(start + 1)
    seen[..., :start] += mask[:, :, :1].to(query.dtype)
    ends = scaled_dot_product_attention(
        own_query, per_end(key), per_end(value), attn_mask=seen, scale=scale
    )
    return torch.cat([first, ends.reshape(batch, heads, count * length, size)], dim=2)


def scored(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float) -> Tensor:
    """By plain matrix products, which hold the scores of all heads."""
    import torch
    from torch.nn.functional import softmax

    count, start = mask.shape[2:]
    length = (query.shape[2] - start) // count
    groups = query.shape[1] // key.shape[1]
    key = key.repeat_interleave(groups, dim=1)
    value = value.repeat_interleave(groups, dim=1)
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
    to_first = to_first + mask[:, :, :1, None]
    to_own = own_query.reshape(*ends, -1) @ own_key.transpose(3, 4) * scale + causal(length)
    seen = weights(torch.cat([to_first, to_own], dim=-1))
    from_first = seen[..., :start].reshape(*ends[:2], count * length, start) @ first_value
    from_own = (seen[..., start:] @ own_value).view_as(from_first)
    return torch.cat([first, from_first + from_own], dim=2)
