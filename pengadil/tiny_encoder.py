"""An encoder small enough to learn the bundled sample on a CPU in a minute, made here.

It knows nothing: a DeBERTa-v2 of two layers with random weights, whose vocabulary comes from the
words of the bundled sample (of names, those of its training rows). Only its first layer is begun
with care: queries and keys are the same, so that a token at first looks for itself elsewhere in the
text (after Trockman and Kolter, 2023, Mimetic Initialization of Self-Attention Layers). Left to
chance, finding a statement's words in the document takes a model this small many more rows.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from string import ascii_lowercase, digits
from typing import TYPE_CHECKING, Any

from pengadil.loading import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

ENCODER = "encoder-kecil"
# Bump when what is made changes, so that old copies are not used.
ENCODER_FORMAT = 1
SAMPLE = Path(__file__).parent / "data" / "sample"
WIDTH, LAYERS, HEADS, CONTEXT, VOCABULARY = 64, 2, 4, 512, 1000
SPREAD = 0.1  # of the random weights; BERT's 0.02 suits a model ten times as wide
SEED = 1


def make_encoder(folder: Path) -> None:
    """Write the model (safetensors, 0.7 MB) and its tokenizer into a folder."""
    import torch
    from transformers import DebertaV2Config, DebertaV2Model

    tokenizer = _tokenizer()
    config = DebertaV2Config(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        pooler_hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        max_position_embeddings=CONTEXT,
        type_vocab_size=2,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=SPREAD,
        relative_attention=True,
        position_biased_input=False,
        pos_att_type=["p2c", "c2p"],
        position_buckets=32,
        norm_rel_ebd="layer_norm",
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = DebertaV2Model(config)
        _begin(model)
    with quiet():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _begin(model: Any) -> None:
    """Words count most in where the first layer looks; place and text count little."""
    from torch.nn.init import normal_, orthogonal_

    normal_(model.embeddings.token_type_embeddings.weight, std=SPREAD / 2)
    for layer in model.encoder.layer:
        for name in ("pos_key_proj", "pos_query_proj"):
            normal_(getattr(layer.attention.self, name).weight, std=SPREAD / 5)
    first = model.encoder.layer[0].attention.self
    orthogonal_(first.query_proj.weight, gain=2.0)
    first.key_proj.weight.data.copy_(first.query_proj.weight.data)


def _tokenizer() -> PreTrainedTokenizerFast:
    """Byte pairs in lower case; writes [CLS] passage [SEP] question [SEP]."""
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Digits, Sequence, Whitespace
    from tokenizers.processors import TemplateProcessing
    from tokenizers.trainers import BpeTrainer
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    tokenizer = Tokenizer(BPE(unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Sequence([Whitespace(), Digits(individual_digits=True)])
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        initial_alphabet=[*ascii_lowercase, *digits],
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(), trainer)
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
        model_max_length=CONTEXT,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def _texts() -> list[str]:
    """The sample's words, but for names that only validation and test rows have, and sentences."""
    words = tomllib.loads((SAMPLE / "words.toml").read_text(encoding="utf-8"))
    pools = [pool.get("all") or pool["train"] for pool in words.values()]
    patterns = tomllib.loads((SAMPLE / "patterns.toml").read_text(encoding="utf-8"))
    texts = [text.replace("|", " ") for pool in pools for text in pool]
    return [*texts, *(re.sub(r"\$\w+", "", text) for text in _strings(patterns))]


def _strings(found: Any) -> Iterator[str]:
    """The texts in the leaves of a TOML file."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict | list):
        for part in found.values() if isinstance(found, dict) else found:
            yield from _strings(part)
