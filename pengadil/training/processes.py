"""Training in several processes, as `accelerate launch` starts them; in one, all this is nothing.

Each process holds the whole model and computes its share of every step's rows.
"""

from __future__ import annotations

import os
from typing import Any


def world() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is; 0 is the main one, which reports, validates and writes."""
    return int(os.environ.get("RANK", "0")) if world() > 1 else 0


def is_main() -> bool:
    return rank() == 0


def share_of(rows: list[Any]) -> list[Any]:
    """This process's part of a step's rows: neighbours stay together; the parts differ by one."""
    count, number = world(), rank()
    return rows[len(rows) * number // count : len(rows) * (number + 1) // count]


def agreed(flag: bool) -> bool:
    """Whether the flag is set in any process; all of them must ask."""
    return bool(total(float(flag)))


def total(value: float) -> float:
    """The sum of the processes' values; all of them must ask."""
    if world() == 1:
        return value
    import torch
    from accelerate import PartialState

    tensor = torch.tensor(value, dtype=torch.float64, device=PartialState().device)
    torch.distributed.all_reduce(tensor)
    return float(tensor)


def from_main(value: Any) -> Any:
    """The main process's value, in every process; all of them must ask."""
    if world() == 1:
        return value
    import torch
    from accelerate import PartialState

    PartialState()
    held = [value]
    torch.distributed.broadcast_object_list(held, src=0)
    return held[0]


def add_gradients(model: Any) -> None:
    """Make each gradient the sum over the processes."""
    if world() == 1:
        return
    import torch

    for parameter in model.parameters():
        if parameter.requires_grad:
            if parameter.grad is None:  # this process had no rows
                parameter.grad = torch.zeros_like(parameter)
            torch.distributed.all_reduce(parameter.grad)
