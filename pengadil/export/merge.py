"""An adapter put into its base: one ordinary model folder."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.loading import load_causal, quiet

TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "*.jinja")
SENTENCEPIECE = "tokenizer.model"


@dataclass(frozen=True, slots=True)
class Size:
    """How many weights a model has, how many of them in token tables, and its hidden size."""

    parameters: int
    embeddings: int
    hidden: int


def measure(base: Path) -> Size:
    """The size of a model folder, read from the headers of its safetensors files.

    Raises PengadilError for a folder without safetensors, or with quantised weights: an adapter
    cannot be put into those without loss.
    """
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    if config.get("quantization_config"):
        raise PengadilError(
            str(base),
            "its weights are quantised already",
            "Train on the 16-bit model (model.load_in_4bit quantises it while loading).",
        )
    shapes: dict[str, list[int]] = {}
    for file in base.glob("*.safetensors"):
        shapes |= _shapes(file)
    if not shapes:
        raise PengadilError(str(base), "it holds no safetensors weights", "Use another base.")
    tables = [name for name in shapes if "embed_tokens" in name or "lm_head" in name]
    return Size(
        parameters=sum(math.prod(shape) for shape in shapes.values()),
        embeddings=sum(math.prod(shapes[name]) for name in tables),
        hidden=int(config.get("hidden_size") or 0),
    )


def _shapes(file: Path) -> dict[str, list[int]]:
    """Tensor shapes by name: the header is JSON, its length in the first eight bytes."""
    with file.open("rb") as content:
        header = json.loads(content.read(int.from_bytes(content.read(8), "little")))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


def merge(base: Path, adapter: Path, target: Path) -> None:
    """Write base and adapter as one model in float16, with the adapter's tokenizer.

    The adapter's product is computed in float32, added, and rounded once. Rounded to float16,
    which has three bits more than bfloat16, it keeps eight times finer steps, and a bfloat16
    base fits into it unchanged but for weights under 1e-5, which lose at most 3e-8. Raises
    PengadilError for weights that float16 cannot hold (above 65,504), and for an adapter that
    does not belong to the base.
    """
    import torch

    with quiet():  # what peft imports prints too
        from peft import PeftModel

    model = load_causal(base, "float16", "eager", "cpu")
    try:
        with quiet():
            # autocast: a 16-bit adapter is read in float32 as well.
            tuned = PeftModel.from_pretrained(model, adapter, autocast_adapter_dtype=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise PengadilError(
            str(adapter),
            f"it does not fit the base {base} ({str(error).splitlines()[0]})",
            "Export with the base that it was trained on.",
        ) from None
    merged: Any = tuned.merge_and_unload()
    for name, weight in merged.named_parameters():
        if not torch.isfinite(weight).all():
            raise PengadilError(
                f"{adapter}, weight {name}",
                "it holds a number that float16 cannot",
                "The training has diverged, or the base needs more than 16-bit GGUF can hold.",
            )
    with quiet():
        merged.save_pretrained(target)
    _copy_tokenizer(base, adapter, target)


def _copy_tokenizer(base: Path, adapter: Path, target: Path) -> None:
    for pattern in TOKENIZER_FILES:
        for file in adapter.glob(pattern):
            shutil.copyfile(file, target / file.name)
    # The converter reads SentencePiece models from this file, which fast tokenizers leave out.
    if (base / SENTENCEPIECE).is_file() and not (target / SENTENCEPIECE).is_file():
        shutil.copyfile(base / SENTENCEPIECE, target / SENTENCEPIECE)
