"""A model's small files: what a plan needs of it, without its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pengadil.models import HUB_TIMEOUT, resolve_model

WEIGHTS = ".safetensors"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A folder with config.json and, mostly, a tokenizer.

    `download` is the bytes that training would still fetch, None where the hub did not tell.
    """

    name: str
    folder: Path
    download: int | None
    reason: str


def model_files(name: str, revision: str = "") -> ModelFiles:
    """The small files of a model, and what of it is still to be fetched.

    Raises PengadilError as `resolve_model` does.
    """
    folder = resolve_model(name, revision, weights=False).folder
    # A local folder without weights is planned for all the same.
    if any(folder.glob(f"*{WEIGHTS}")) or Path(name).is_dir() or name.count("/") != 1:
        return ModelFiles(name, folder, 0, "on this machine already")
    from httpx import HTTPError
    from huggingface_hub import HfApi

    try:
        info = HfApi().model_info(
            name, revision=revision or None, timeout=HUB_TIMEOUT, files_metadata=True
        )
    except (OSError, HTTPError, ValueError) as error:
        reason = f"not known, for the hub is out of reach ({type(error).__name__})"
        return ModelFiles(name, folder, None, reason)
    return _to_fetch(name, folder, info.siblings or [])


def _to_fetch(name: str, folder: Path, listed: list[Any]) -> ModelFiles:
    files = [file for file in listed if file.rfilename.endswith(WEIGHTS)]
    sizes = [file.size for file in files]
    if None in sizes:
        return ModelFiles(name, folder, None, f"{len(files)} files, whose sizes the hub hides")
    return ModelFiles(name, folder, sum(sizes), f"{len(files)} files of the hub")
