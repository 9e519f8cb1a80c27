"""A local folder to a model in memory: the same for training and judging."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError

CONTEXT_WITHOUT_CONFIG = 2048


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' loading bars and notices off the screen; errors still show."""
    from transformers.utils import logging as transformers_logging

    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    # On import, bitsandbytes warns of optional CPU kernels that are only on the hub.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        transformers_logging.enable_progress_bar()


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a model folder. Raises PengadilError if there is none."""
    from transformers import AutoTokenizer

    try:
        with quiet():
            return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise PengadilError(
            str(folder), f"no tokenizer can be loaded ({_first_line(error)})", "Use another model."
        ) from None


def load_causal(
    folder: Path, dtype: str, attention: str, device: str, load_in_4bit: bool = False
) -> Any:
    """The causal language model of a folder, from safetensors, in the number format `dtype`.

    `load_in_4bit` quantises the linear layers on loading: NF4 with double quantisation, computing
    in `dtype` (Dettmers et al., 2023, QLoRA). Raises PengadilError if the folder holds no such
    model.
    """
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    settings: dict[str, Any] = {}
    if load_in_4bit:
        settings["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=getattr(torch, dtype),
        )
    try:
        with quiet():
            return AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=getattr(torch, dtype),
                attn_implementation=attention,
                use_safetensors=True,
                trust_remote_code=False,
                device_map=device,
                **settings,
            )
    except (OSError, ValueError) as error:
        raise PengadilError(
            str(folder),
            f"no causal language model can be loaded ({_first_line(error)})",
            "Use a folder with config.json and safetensors weights.",
        ) from None


def load_classifier(folder: Path, dtype: str, device: str) -> Any:
    """The sequence classifier of a folder, from safetensors, in the number format `dtype`.

    Raises PengadilError if the folder holds no such model, or only a part of one.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForSequenceClassification

    next_step = "Use a folder with config.json and the safetensors weights of a classifier."
    try:
        with quiet():
            # Attention is left to transformers: not each of these architectures has torch's own,
            # and where one has, memory does not grow with the square of a document's length.
            model, report = AutoModelForSequenceClassification.from_pretrained(
                folder,
                dtype=getattr(torch, dtype),
                use_safetensors=True,
                trust_remote_code=False,
                device_map=device,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise PengadilError(
            str(folder), f"no classifier can be loaded ({_first_line(error)})", next_step
        ) from None
    # What is missing has been made up at random, and so would its verdicts be.
    if missing := sorted(report["missing_keys"]):
        raise PengadilError(str(folder), f"its weights lack {', '.join(missing[:3])}", next_step)
    return model


def load_new_classifier(
    folder: Path, labels: dict[int, str] | None, device: str
) -> tuple[Any, list[str]]:
    """An encoder with a head to train, in float32, and the names of its weights that are new.

    `labels` names the classes of a new head; None keeps those of a folder that is a classifier
    already. New weights are drawn from torch's random numbers, so the caller seeds these. Raises
    PengadilError if the folder holds no encoder, or only a part of one.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForSequenceClassification

    settings: dict[str, Any] = {}
    if labels:
        settings["id2label"] = labels
        settings["label2id"] = {name: index for index, name in labels.items()}
    next_step = "Use a folder with config.json and the safetensors weights of an encoder."
    try:
        with quiet():
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            if any(name.endswith("ForCausalLM") for name in config.architectures or ()):
                raise ValueError("it is a model that writes; train it with another method")
            model, report = AutoModelForSequenceClassification.from_pretrained(
                folder,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                device_map=device,
                ignore_mismatched_sizes=labels is not None,
                output_loading_info=True,
                **settings,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise PengadilError(
            str(folder), f"no encoder can be loaded ({_first_line(error)})", next_step
        ) from None
    mismatched = {str(found[0]) for found in report["mismatched_keys"]}
    fresh = sorted({*report["missing_keys"], *mismatched})
    # The head and the pooling before it are new to each classifier; anything else is the encoder.
    encoder = f"{model.base_model_prefix}."
    lacking = [name for name in fresh if name.startswith(encoder) and ".pooler." not in name]
    if lacking:
        raise PengadilError(str(folder), f"its weights lack {', '.join(lacking[:3])}", next_step)
    return model, fresh


def context_of(config: Any) -> int:
    """How many tokens the model was made for."""
    return int(getattr(config, "max_position_embeddings", None) or CONTEXT_WITHOUT_CONFIG)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
