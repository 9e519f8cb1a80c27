"""A model's small files: what a plan needs of it, without its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.models import HUB_TIMEOUT, PACKAGED, resolve_model

# What training fetches (pengadil/models.py), without the weights.
SMALL = ["*.json", "*.model", "*.txt", "*.jinja"]
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
    """The small files of a model: of the packaged one, of a folder, or fetched from the hub.

    Raises PengadilError as `resolve_model` does, and when the hub is out of reach and its cache
    holds no config.json of the model.
    """
    if name == PACKAGED or Path(name).is_dir() or name.count("/") != 1:
        folder = resolve_model(name, revision).folder
        return ModelFiles(name, folder, 0, "on this machine already")
    from httpx import HTTPError
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        info = HfApi().model_info(
            name, revision=revision or None, timeout=HUB_TIMEOUT, files_metadata=True
        )
        folder = Path(snapshot_download(name, revision=info.sha, allow_patterns=SMALL))
    except GatedRepoError:
        raise PengadilError(
            name,
            "the repository is gated and this account may not read it",
            "Accept its licence on the hub and set HF_TOKEN.",
        ) from None
    except RepositoryNotFoundError:
        raise PengadilError(
            name, "no such repository on the hub (or it is private)", "Check the name; HF_TOKEN."
        ) from None
    # No connection (httpx), none allowed, no such revision, or an answer that is not the hub's.
    except (OSError, HTTPError, ValueError) as error:
        return _cached(name, revision, type(error).__name__)
    missing = [file for file in info.siblings or [] if not (folder / file.rfilename).exists()]
    return _to_fetch(name, folder, missing)


def _to_fetch(name: str, folder: Path, missing: list[Any]) -> ModelFiles:
    files = [file for file in missing if file.rfilename.endswith(WEIGHTS)]
    sizes = [file.size for file in files]
    if not files:
        return ModelFiles(name, folder, 0, "in the hub's cache already")
    if None in sizes:
        return ModelFiles(name, folder, None, f"{len(files)} files, whose sizes the hub hides")
    return ModelFiles(name, folder, sum(sizes), f"{len(files)} files of the hub")


def _cached(name: str, revision: str, why: str) -> ModelFiles:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(
            snapshot_download(
                name, revision=revision or None, allow_patterns=SMALL, local_files_only=True
            )
        )
    except (OSError, ValueError):
        folder = Path()
    if not (folder / "config.json").is_file():
        raise PengadilError(
            name,
            f"the hub is out of reach ({why}), and without the model's config.json nothing can be "
            "said of memory or time",
            "Go online, or name a folder that holds its config.json: --model.name FOLDER.",
        )
    whole = any(folder.glob(f"*{WEIGHTS}"))
    if whole:
        return ModelFiles(name, folder, 0, "in the hub's cache already")
    return ModelFiles(name, folder, None, f"not known, for the hub is out of reach ({why})")
