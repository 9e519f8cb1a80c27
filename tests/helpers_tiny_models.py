"""Tiny models of random weights in the architectures that the recipes train.

Each has the packaged SmolLM2's vocabulary, and the special tokens, chat template and config of its
real family.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pengadil.data.bundled import load_bundled
from pengadil.models import resolve_model

# Mistral-7B-Instruct-v0.2's: turns alternate and no system message is taken.
MISTRAL = """\
{{ bos_token }}{% for message in messages %}\
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}\
{% endif %}\
{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}\
{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}\
{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}\
{% endfor %}"""
# Qwen2.5's ChatML, with the system message that it adds.
QWEN = """\
{% if messages[0]['role'] != 'system' %}\
{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}\
{% for message in messages %}\
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}\
{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""
LLAMA = """\
{{ bos_token }}{% for message in messages %}\
{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' \
+ message['content'] | trim + '<|eot_id|>' }}{% endfor %}\
{% if add_generation_prompt %}\
{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"""
GEMMA = """\
{{ bos_token }}{% for message in messages %}\
{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}\
{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}\
{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"""


@dataclass(frozen=True)
class Family:
    """What a family's tokenizer has of its own, and its config beyond the common shape."""

    template: str
    bos: str
    eos: str
    pad: str | None
    turns: tuple[str, ...] = ()
    config: tuple[tuple[str, Any], ...] = ()


FAMILIES = {
    "mistral": Family(MISTRAL, "<s>", "</s>", None, config=(("sliding_window", 4096),)),
    "qwen2": Family(
        QWEN, "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", ("<|im_start|>", "<|im_end|>")
    ),
    "llama": Family(
        LLAMA,
        "<|begin_of_text|>",
        "<|eot_id|>",
        "<|finetune_right_pad_id|>",
        ("<|start_header_id|>", "<|end_header_id|>"),
    ),
    "gemma3_text": Family(
        GEMMA,
        "<bos>",
        "<eos>",
        "<pad>",
        ("<start_of_turn>", "<end_of_turn>"),
        # As Gemma 3 270M has them: most layers look back over 512 tokens, the last over all.
        (
            ("sliding_window", 512),
            ("layer_types", ["sliding_attention", "full_attention"]),
            ("query_pre_attn_scalar", 16),
        ),
    ),
}


def make_tiny(kind: str, folder: Path) -> Path:
    """The folder of a tiny model of that kind, as transformers calls it ("mistral")."""
    if kind == "deberta-v2":
        return _make_deberta(folder)
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    family = FAMILIES[kind]
    tokenizer = _tokenizer(family)
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,  # 4-bit weights come in blocks of 64
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 4096,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    torch.manual_seed(3)
    config = AutoConfig.for_model(kind, **shape, **dict(family.config))
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(family: Family) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(resolve_model("smollm2-135m").folder)
    names = {"bos_token": family.bos, "eos_token": family.eos, "pad_token": family.pad}
    tokenizer.add_special_tokens({name: token for name, token in names.items() if token})
    tokenizer.add_tokens(list(family.turns), special_tokens=True)
    if family.pad is None:
        tokenizer.pad_token = None
    tokenizer.chat_template = family.template
    return tokenizer


def _make_deberta(folder: Path) -> Path:
    """A DeBERTa-v2 encoder without a classifier, under a Unigram tokenizer of the sample."""
    import torch
    from transformers import AutoConfig, AutoModel

    tokenizer = _unigram(
        f"{row.passage} {row.question}" for row in load_bundled("contoh", "train", 200)
    )
    config = AutoConfig.for_model(
        "deberta-v2",
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=512,
        type_vocab_size=0,
        relative_attention=True,
        position_biased_input=False,
        pos_att_type=["p2c", "c2p"],
        position_buckets=32,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(3)
    AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _unigram(texts: Iterable[str]) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import Unigram
    from tokenizers.pre_tokenizers import Metaspace
    from tokenizers.processors import TemplateProcessing
    from tokenizers.trainers import UnigramTrainer
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    tokenizer = Tokenizer(Unigram())
    tokenizer.pre_tokenizer = Metaspace()
    trainer = UnigramTrainer(
        vocab_size=1000, special_tokens=special, unk_token="[UNK]", show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        unk_token="[UNK]",
        mask_token="[MASK]",
        model_max_length=512,
    )
