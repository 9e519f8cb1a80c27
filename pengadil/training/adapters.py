"""Adapters on disk, and what all trainers of one have in common."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pengadil.training.stepping import WholeSteps

if TYPE_CHECKING:
    from pengadil.training.reporting import Totals

WEIGHTS = "adapter_model.safetensors"


def save_adapter(adapted: Any, tokenizer: Any, folder: Path) -> None:
    """Write adapter (safetensors) and tokenizer; the folder appears only when it is whole."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        write_adapter(adapted, part)
        tokenizer.save_pretrained(part)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_adapter(adapted: Any, folder: Path) -> None:
    """The adapter alone, as safetensors.

    Embeddings are never part of it; left to find that out, peft would ask the hub for the base.
    """
    adapted.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # peft's form, with nothing filled in


def load_adapter(adapted: Any, folder: Path) -> None:
    """Take an adapter's weights from a checkpoint."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    set_peft_model_state_dict(adapted, load_file(folder / WEIGHTS))


class AdapterSteps(WholeSteps):
    """Whole steps whose checkpoints hold the adapter of the model `kept`, and nothing is sent."""

    kept: Any

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        write_adapter(self.kept, Path(output_dir or self.args.output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_adapter(self.kept, Path(resume_from_checkpoint))

    def _send_telemetry(self) -> None:
        """TRL's trainers would tell their makers that they were built."""

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """TRL's trainers would write one with every checkpoint."""


class LabelSteps(AdapterSteps):
    """Whole steps of rows with labels: the loss is divided by the weight of all of a step's."""

    totals: Totals
    names = ("hits",)

    def measure(self, rows: Sequence[Any]) -> dict[str, float]:
        return {"weight": sum(sum(row.weights) for row in rows)}

    def report(self, figures: dict[str, float], whole: dict[str, float]) -> None:
        self.totals.loss += figures["loss"] * whole["weight"]
        self.totals.hits += figures["hits"]
        self.totals.weight += whole["weight"]
