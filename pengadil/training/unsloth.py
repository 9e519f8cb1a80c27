"""The unsloth engine: 4-bit bases, fused kernels and TRL's trainer, on NVIDIA GPUs from sm_70."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pengadil.training.fitting import most_at_once
from pengadil.training.unsloth_model import import_unsloth, load_unsloth

if TYPE_CHECKING:
    from pengadil.runs import Run
    from pengadil.training.plan import Plan
    from pengadil.training.watch import Validation, Watch

__all__ = ["import_unsloth", "load_unsloth", "train_unsloth"]


def train_unsloth(plan: Plan, run: Run, watch: Watch, history: list[Validation]) -> bool:
    """Train an adapter on the plan's rows, in their order, and save it with its tokenizer.

    Belongs into a process of its own (`apart.train_apart`, prepared by `import_unsloth`). Goes on
    from the newest whole checkpoint of the run. Returns whether the training came to its end, and
    False where the deadline stopped it. Raises PengadilError where Unsloth does not take the model,
    changes a setting on its way, when the loss is no longer a number, and when memory does not hold
    one row.
    """
    import_unsloth()
    most = most_at_once(plan)  # before Unsloth's model classes are in place
    adapted = load_unsloth(plan)
    # As Unsloth has patched them.
    from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]

    from pengadil.training.sft import train_sft

    return train_sft((SFTConfig, SFTTrainer), plan, run, watch, history, adapted, most)
