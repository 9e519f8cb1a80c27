"""Whether the installed libraries fit together, by what each of them says that it needs."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator

# Those that a training loads; each names the versions of the others that it takes.
CHECKED = (
    "transformers", "peft", "accelerate", "bitsandbytes", "datasets", "trl", "unsloth",
    "unsloth_zoo", "tokenizers", "safetensors", "huggingface_hub", "torch",
)  # fmt: skip
WITH_UNSLOTH = ("unsloth", "unsloth_zoo")


def misfits(engine: str = "portable") -> list[str]:
    """A line for each installed library that another one does not take, with the mend.

    Unsloth's own needs count with the engine "unsloth" only: they are narrower, and without it
    nothing imports it.
    """
    asking = [name for name in CHECKED if engine == "unsloth" or name not in WITH_UNSLOTH]
    return list(unmet(asking, _installed))


def unmet(
    asking: list[str], installed: Callable[[str], tuple[str, list[str]] | None]
) -> Iterator[str]:
    """The needs that are not met, of those that one checked library has of another.

    `installed` gives a library's version and the requirements of its metadata, None without it.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    checked = {canonicalize_name(name) for name in CHECKED}
    for name in asking:
        found = installed(name)
        if found is None:
            continue
        for line in found[1]:
            need = Requirement(line)
            if canonicalize_name(need.name) not in checked:
                continue
            if need.marker is not None and not need.marker.evaluate({"extra": ""}):
                continue
            other = installed(need.name)
            if other is None or need.specifier.contains(other[0], prereleases=True):
                continue
            yield (
                f"{name} {found[0]} takes {need.name}{need.specifier}, and {other[0]} is "
                f"installed. Run: python -m pip install '{need.name}{need.specifier}'"
            )


def _installed(name: str) -> tuple[str, list[str]] | None:
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    return found.version, found.requires or []
