"""Models of a real shape with random weights, and rows of real lengths with random ids.

Speed and memory depend on shapes, not on what the weights have learned.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.records import write_whole

LONGEST = 2048
SHORTEST = 64
# Logarithm of the tokens of the Malay BoolQ validation rows (3,269) in the prompt `verdict`,
# counted with SmolLM2's tokenizer: exp(mean) and standard deviation.
MEDIAN, DEVIATION = 310, 0.36
ANSWER = 5  # a fifth of a row is the answer, which has labels
SHARD = "4GB"
UNDONE, WHOLE = "undone", "whole.json"  # in a folder that is being made, and in one that is
# Arguments of the configuration, where they are not its class's defaults.
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "mistral-7b": ("mistral", {}),
    "qwen2.5-7b": (
        "qwen2",
        {
            "vocab_size": 152_064,
            "hidden_size": 3_584,
            "intermediate_size": 18_944,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "max_window_layers": 28,
            "tie_word_embeddings": False,
        },
    ),
    "tiny": (
        "mistral",
        {
            "vocab_size": 512,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 16,
        },
    ),
}
TEMPLATE = (
    "{% for message in messages %}{{ '<s>' + message['role'] + '\n' + message['content'] "
    "+ '</s>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<s>assistant\n' }}{% endif %}"
)


def make_model(shape: str, folder: Path, device: str) -> None:
    """The shape's model with random weights, as sharded bfloat16 safetensors with a tokenizer.

    A folder that holds it is left as it is. PengadilError where something else lies there, and
    where the disk is too small.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    if is_made(folder, shape):
        return
    if folder.is_dir() and any(folder.iterdir()) and not (folder / UNDONE).is_file():
        raise PengadilError(str(folder), "something else is there", "Name another with --folder.")
    kind, changed = SHAPES[shape]
    config = AutoConfig.for_model(kind, **changed)
    config.update({"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 3})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / UNDONE).touch()
    with torch.device("meta"):
        parameters = sum(p.numel() for p in AutoModelForCausalLM.from_config(config).parameters())
    free = shutil.disk_usage(folder).free
    if free < 2.1 * parameters:
        raise PengadilError(
            str(folder),
            f"{free / 2**30:.0f} GiB free, the weights take {2 * parameters / 2**30:.0f}",
            "Name another with --folder.",
        )
    torch.manual_seed(1)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder, max_shard_size=SHARD)
    make_tokenizer().save_pretrained(folder)
    write_whole(folder / WHOLE, json.dumps({"shape": shape, "parameters": parameters}) + "\n")
    (folder / UNDONE).unlink()


def is_made(folder: Path, shape: str) -> bool:
    """Whether a folder holds the whole model of the shape."""
    try:
        made = json.loads((folder / WHOLE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(made["shape"] == shape)


def make_tokenizer() -> Any:
    """A tokenizer of bytes: the trainers ask for one, though the rows are ids already."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<s>", "</s>", "<unk>", "<pad>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*special, *alphabet])}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        model_max_length=LONGEST,
    )
    made.chat_template = TEMPLATE
    return made


def drawn_lengths(count: int, seed: int = 1) -> list[int]:
    """Lengths like those of BoolQ rows: log-normal, between SHORTEST and LONGEST."""
    chooser = random.Random(seed)
    return [bounded(MEDIAN * chooser.lognormvariate(0, DEVIATION)) for _ in range(count)]


def read_lengths(file: Path) -> list[int]:
    """The numbers of a file, one a row."""
    try:
        found = [bounded(int(word)) for word in file.read_text(encoding="utf-8").split()]
    except (OSError, ValueError) as error:
        raise PengadilError(str(file), str(error), "Give a file of numbers.") from None
    if not found:
        raise PengadilError(str(file), "it is empty", "Give a file of numbers.")
    return found


def lengths_of(data: Path, prompt: str = "verdict") -> list[int]:
    """The tokens of each row of a .jsonl file, by the packaged SmolLM2's tokenizer."""
    from pengadil.data.sources import read_local
    from pengadil.loading import load_tokenizer
    from pengadil.models import PACKAGED, resolve_model
    from pengadil.prompts import load_prompt
    from pengadil.tokens import Encoder
    from pengadil.training.rows import make_rows

    encoder = Encoder.of_tokenizer(load_tokenizer(resolve_model(PACKAGED).folder))
    rows = make_rows(read_local(data), load_prompt(prompt), encoder, 1_000_000, "completion")
    return [bounded(len(row.ids)) for row in rows]


def bounded(length: float) -> int:
    return round(min(max(length, SHORTEST), LONGEST))


def make_random_rows(lengths: Sequence[int], vocabulary: int, seed: int = 1) -> list[Any]:
    """Training rows of these lengths: random ids, no two of one document."""
    from pengadil.training.rows import IGNORED, TrainingRow

    chooser = random.Random(seed)
    rows = []
    for number, length in enumerate(lengths):
        ids = [chooser.randrange(4, vocabulary) for _ in range(length)]
        asked = length - length // ANSWER
        rows.append(
            TrainingRow(
                id=f"random-{number}",
                group=f"random-{number}",
                ids=ids,
                labels=[IGNORED] * asked + ids[asked:],
                weights=[0.0] * asked + [1.0] * (length - asked),
            )
        )
    return rows
