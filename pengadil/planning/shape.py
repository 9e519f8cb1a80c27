"""A model's shape, told by its config.json alone: no weight is read or fetched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.loading import context_of, quiet


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear layer by its full name; `outputs` x `inputs` weights, biases apart."""

    name: str
    inputs: int
    outputs: int

    @property
    def weights(self) -> int:
        return self.inputs * self.outputs


@dataclass(frozen=True, slots=True)
class Shape:
    """What memory and time depend on.

    `parameters` counts shared ones once. `linears` are all linear layers but the output layer:
    those that 4 bits hold, and that "all-linear" adapts. `normed` is how many numbers a token
    passes through the normalisations of one layer.
    """

    family: str
    parameters: int
    tables: int  # of the parameters, in token tables: embeddings, and the output layer if apart
    linears: tuple[Linear, ...]
    width: int
    mlp: int
    layers: int
    heads: int
    key_heads: int
    head_size: int
    vocabulary: int
    context: int
    normed: int
    relative: int  # an encoder's relative positions (DeBERTa), 0 where it has none
    quantised: bool  # its published weights are quantised already

    @property
    def attended(self) -> int:
        """How wide the attention's result is, all heads together."""
        return self.heads * self.head_size

    @property
    def matrix_weights(self) -> int:
        """Weights that each token is multiplied with once, the output layer's included."""
        return sum(linear.weights for linear in self.linears) + self.vocabulary * self.width

    def adapted(self, targets: str | Sequence[str]) -> tuple[Linear, ...]:
        """The linear layers that an adapter with these targets is put on, as peft chooses them.

        Raises PengadilError when there are none.
        """
        if targets == "all-linear":
            return self.linears
        named = [targets] if isinstance(targets, str) else targets
        found = tuple(
            linear
            for linear in self.linears
            if any(linear.name == name or linear.name.endswith(f".{name}") for name in named)
        )
        if not found:
            raise PengadilError(
                f"lora.targets = {', '.join(named)}", "no layer has such a name", "Use all-linear."
            )
        return found

    def adapter_parameters(self, rank: int, targets: str | Sequence[str]) -> int:
        """Weights of a LoRA adapter: each layer gets rank x inputs and outputs x rank."""
        return sum(
            rank * (linear.inputs + linear.outputs) for linear in self.adapted(targets) if rank
        )


def read_shape(folder: Path, classifier: bool = False) -> Shape:
    """The shape of the model whose config.json lies in a folder.

    The model is built without memory (torch's meta device) and counted, so the numbers are exact
    for every architecture that transformers knows. Raises PengadilError for any other.
    """
    import torch
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForSequenceClassification,
    )

    kind: Any = AutoModelForSequenceClassification if classifier else AutoModelForCausalLM
    try:
        with quiet(), torch.device("meta"):
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            quantised = bool(getattr(config, "quantization_config", None))
            model = kind.from_config(config, trust_remote_code=False)
    except (OSError, ValueError, KeyError, AttributeError, json.JSONDecodeError) as error:
        what = "sequence classifier" if classifier else "causal language model"
        raise PengadilError(
            str(folder),
            f"its config.json describes no {what} ({str(error).strip().splitlines()[0]})",
            "Name another model with --model.name.",
        ) from None
    return _shape(model, config.get_text_config(), quantised)


def _shape(model: Any, config: Any, quantised: bool) -> Shape:
    import torch

    output = model.get_output_embeddings()
    tables = {
        id(module.weight): module.weight.numel()
        for module in (model.get_input_embeddings(), output)
        if module is not None
    }
    linears = tuple(
        Linear(name, module.in_features, module.out_features)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not output
    )
    heads = int(config.num_attention_heads)
    key_heads = int(getattr(config, "num_key_value_heads", None) or heads)
    head_size = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    layers = int(config.num_hidden_layers)
    return Shape(
        family=str(config.model_type),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        tables=sum(tables.values()),
        linears=linears,
        width=int(config.hidden_size),
        mlp=int(config.intermediate_size),
        layers=layers,
        heads=heads,
        key_heads=key_heads,
        head_size=head_size,
        vocabulary=int(config.vocab_size),
        context=context_of(config),
        normed=_normed(model, layers, heads, key_heads),
        relative=_relative(config),
        quantised=quantised,
    )


def _normed(model: Any, layers: int, heads: int, key_heads: int) -> int:
    """Numbers a token passes through normalisations in a layer, the last one's left out.

    Qwen 3 and Gemma 3 normalise each head's queries and keys by themselves.
    """
    total = 0
    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if "Norm" not in type(module).__name__ or weight is None or ".layers." not in name:
            continue
        last = name.rpartition(".")[2]
        times = {"q_norm": heads, "k_norm": key_heads}.get(last, 1)
        total += times * weight.numel()
    return total // layers


def _relative(config: Any) -> int:
    """How many relative positions DeBERTa attends to, on both sides together."""
    if not getattr(config, "relative_attention", False):
        return 0
    span = int(getattr(config, "position_buckets", 0) or 0)
    if span < 1:
        span = int(getattr(config, "max_relative_positions", 0) or 0)
    return 2 * (span if span > 0 else context_of(config))
