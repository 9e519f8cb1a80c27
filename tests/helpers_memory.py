"""How much memory a training step takes on the CPU, told by every allocation that torch makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

LLAMA = {
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": 600,
}
# DeBERTa-v2 as mesolitica and Microsoft publish it, made small.
DEBERTA = {
    "hidden_size": 128,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "vocab_size": 600,
    "relative_attention": True,
    "position_buckets": 64,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "type_vocab_size": 0,
}


@dataclass(frozen=True)
class Measured:
    """Bytes of the base's weights, of what is trained, and at the step's peak beyond both.

    Gradients are held before the step begins, as in the later micro-batches of one.
    """

    weights: int
    trained: int
    peak: int


def peak_bytes(work: Callable[[], Any]) -> int:
    """The most bytes that `work` holds at once beyond what was held before it.

    Every allocation and release of torch's CPU allocator counts, those of temporaries inside an
    operation too; what libraries take by themselves (oneDNN's scratch) does not. On one thread:
    each further one has scratch of its own, which models of this size would notice.
    """
    import torch
    from torch.profiler import ProfilerActivity, profile

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
            work()
    finally:
        torch.set_num_threads(threads)
    changes = [
        (event.start_ns(), event.nbytes())
        for event in recorded.profiler.kineto_results.events()
        if event.name() == "[memory]"
    ]
    held = most = 0
    for _, change in sorted(changes, key=lambda change: change[0]):
        held += change
        most = max(most, held)
    return most


def write_config(folder: Path, kind: str, **settings: Any) -> Path:
    """A folder with the config.json of an architecture, and nothing else."""
    from transformers import AutoConfig

    AutoConfig.for_model(kind, **settings).save_pretrained(folder)
    return folder


def measure_judge(
    folder: Path,
    dtype: str,
    rows: int,
    tokens: int,
    labels: int,
    *,
    rank: int = 8,
    dropout: float = 0.0,
    four_bits: bool = False,
    again: bool = False,
    fused: bool = False,
    verdict: bool = False,
) -> Measured:
    """A step of the portable engine on a random model of the folder's config.json.

    `again` computes layers again in the backward pass, as a GPU does with a base in 4 bits; `fused`
    computes attention as a GPU does, though with the kernels of a CPU.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from peft.helpers import disable_input_dtype_casting
    from transformers import AutoConfig, AutoModelForCausalLM

    from pengadil.loading import load_causal
    from pengadil.training import attention
    from pengadil.training.bundles import collate
    from pengadil.training.objective import Objective
    from pengadil.training.portable import compute_again
    from pengadil.training.rows import IGNORED, TrainingRow

    config = AutoConfig.from_pretrained(folder)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    causal = load_causal(folder, dtype, "eager", "cpu", four_bits)
    causal.config.use_cache = False
    if again:
        compute_again(causal)
    attention.use_bundles(causal)
    adapted = get_peft_model(
        causal,
        LoraConfig(
            r=rank,
            lora_alpha=rank,
            lora_dropout=dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
    )
    trained = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.data = parameter.data.float()
        parameter.grad = torch.zeros_like(parameter)
    adapted.train()
    number_format = getattr(torch, dtype)
    objective = Objective(adapted, (5, 6) if verdict else None, number_format)
    made = []
    for number in range(rows):
        ids = torch.randint(3, config.vocab_size, (tokens,)).tolist()
        marked = [IGNORED] * (tokens - labels) + (
            [5] + [IGNORED] * (labels - 1) if verdict else ids[tokens - labels :]
        )
        weights = [float(label != IGNORED) for label in marked]
        made.append(TrainingRow(str(number), str(number), ids, marked, weights))
    batch = collate(made, 0, number_format)

    way = attention.fused if fused else attention.scored

    def step() -> None:
        with disable_input_dtype_casting(adapted):
            objective(**batch)["loss"].backward()

    with patch.object(attention, "way", lambda _: way):
        step()  # the first sets things up
        peak = peak_bytes(step)
    frozen = [parameter for parameter in adapted.parameters() if not parameter.requires_grad]
    return Measured(
        weights=sum(map(_held, frozen)),
        trained=sum(parameter.numel() for parameter in trained),
        peak=peak,
    )


def measure_classifier(folder: Path, dtype: str, rows: int, tokens: int) -> Measured:
    """A step on all weights of a random classifier of the folder's config.json."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_config(config)
    model.train()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    inputs = {
        "input_ids": torch.randint(3, config.vocab_size, (rows, tokens)),
        "attention_mask": torch.ones(rows, tokens, dtype=torch.long),
        "labels": torch.zeros(rows, dtype=torch.long),
    }
    number_format = getattr(torch, dtype)

    def step() -> None:
        with torch.autocast("cpu", number_format, enabled=dtype != "float32"):
            loss = model(**inputs).loss
        loss.backward()

    step()
    count = sum(parameter.numel() for parameter in model.parameters())
    return Measured(weights=4 * count, trained=count, peak=peak_bytes(step))


def _held(parameter: Any) -> int:
    """Bytes of a weight; in 4 bits its scales, and the scales of those, belong to it."""
    scales = getattr(parameter, "quant_state", None)
    if scales is None:
        return int(parameter.nbytes)
    nested = scales.state2.absmax.nbytes if scales.nested else 0
    return int(parameter.nbytes + scales.absmax.nbytes + nested)
