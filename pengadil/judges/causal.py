"""A causal model of transformers in memory for judging, with an adapter or without."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pengadil.errors import PengadilError
from pengadil.loading import load_causal, quiet
from pengadil.models import LocalModel

if TYPE_CHECKING:
    from pengadil.hardware import Choice


def load_greedy(
    model: LocalModel, choice: Choice, device: str, in_4bit: bool
) -> tuple[Any, tuple[int, ...]]:
    """The model, and the ids that its own settings end a text with.

    A hub model may ask for sampling or a penalty on repeating; a judge is greedy, and those
    settings are taken off.
    """
    from transformers import GenerationConfig

    causal = load_causal(model.folder, choice.dtype, choice.attention, device, in_4bit)
    ends = causal.generation_config.eos_token_id
    causal.generation_config = GenerationConfig()
    return causal, tuple([ends] if isinstance(ends, int) else ends or ())


def with_adapter(causal: Any, adapter: Path, name: str, dtype: str) -> Any:
    """The model with a run's adapter; PengadilError where that does not fit the model `name`."""
    from safetensors import SafetensorError

    with quiet():  # importing it, peft imports bitsandbytes, which has something to say
        from peft import PeftModel
    try:
        with quiet():
            adapted = PeftModel.from_pretrained(causal, adapter)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise PengadilError(
            str(adapter),
            f"the adapter does not fit {name} ({str(error).splitlines()[0]})",
            "Train again.",
        ) from None
    _cast_adapter(adapted, dtype)
    return adapted


def _cast_adapter(adapted: Any, dtype: str) -> None:
    """The adapter in the base's number format, which training computes it in too.

    Once, here: autocast would do it again for each token that is written.
    """
    import torch

    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.to(getattr(torch, dtype))


def billions(folder: Path) -> float:
    """Parameters of a folder's 16-bit safetensors, in billions, by their size on disk."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 2e9
