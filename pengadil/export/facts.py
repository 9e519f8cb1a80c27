"""What a GGUF and its model card say of where they come from."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pengadil
from pengadil.errors import PengadilError
from pengadil.export.source import Source
from pengadil.models import PACKAGED
from pengadil.records import read_judgements

# The packaged model's own licence.
LICENCES = {PACKAGED: "apache-2.0"}
CARD = "README.md"


def licence(source: Source) -> str:
    """The base's licence by its hub identifier, "" where nothing at hand names it."""
    if source.base.name in LICENCES:
        return LICENCES[source.base.name]
    import yaml  # type: ignore[import-untyped]

    with contextlib.suppress(OSError, yaml.YAMLError, AttributeError, IndexError):
        text = (source.base.folder / CARD).read_text(encoding="utf-8")
        if text.startswith("---\n"):
            front: Any = yaml.safe_load(text.split("---\n")[1])
            named = front.get("license")
            return named if isinstance(named, str) else ""
    return ""


def languages(source: Source) -> list[str]:
    """Those of the prompt and of the rows that the run was evaluated on, sorted."""
    found = {source.prompt.language}
    if source.run:
        for file in sorted((source.run.folder / "evaluation").glob("*/results.jsonl")):
            with contextlib.suppress(PengadilError):
                found |= {row.language for row in read_judgements(file) if row.language}
    return sorted(found)


def base_name(source: Source) -> str:
    """The base as others know it: a local folder's path is nobody else's business."""
    name = source.base.name
    return Path(name).name if Path(name).is_dir() else name


def on_hub(source: Source) -> bool:
    """Whether the base is called by a hub name, owner/model."""
    return source.base.name.count("/") == 1 and not Path(source.base.name).is_dir()


def general(source: Source, named_licence: str = "") -> dict[str, Any]:
    """llama.cpp's own metadata, by the names of its `Metadata`."""
    base = {"name": base_name(source)}
    if on_hub(source):
        owner, _, name = source.base.name.partition("/")
        base |= {"name": name, "organization": owner}
        base["repo_url"] = f"https://huggingface.co/{source.base.name}"
    found: dict[str, Any] = {"languages": languages(source), "base_models": [base]}
    if known := named_licence or licence(source):
        found["license"] = known
    return found


def facts(source: Source) -> dict[str, str]:
    """pengadil's own keys and their texts: prompt, adapter, base, data and recipe, with hashes."""
    found = {
        "pengadil.version": pengadil.__version__,
        "pengadil.run": source.name,
        "pengadil.adapter.sha256": str(source.identity["adapter_sha256"]),
        "pengadil.base.name": base_name(source),
        "pengadil.base.revision": source.base.revision,
        "pengadil.prompt.name": Path(source.prompt.name).name,
        "pengadil.prompt.sha256": source.prompt.sha256,
        "pengadil.prompt.answer": source.prompt.answer,
        "pengadil.prompt.language": source.prompt.language,
        "pengadil.prompt.user": source.prompt.user,
    }
    recorded = source.run.facts() if source.run else {}
    if "recipe_sha256" in recorded:
        found["pengadil.recipe.name"] = str(recorded["recipe"])
        found["pengadil.recipe.sha256"] = str(recorded["recipe_sha256"])
    if "data" in recorded:
        data = [{**entry, "source": public_name(entry["source"])} for entry in recorded["data"]]
        found["pengadil.data"] = json.dumps(data, ensure_ascii=False)
    return found


def public_name(name: str) -> str:
    """A source's name without the folders of this machine."""
    kind, mark, rest = name.rpartition(": ")
    named = [Path(part).name if Path(part).is_absolute() else part for part in rest.split(",")]
    return f"{kind}{mark}{','.join(named)}"
