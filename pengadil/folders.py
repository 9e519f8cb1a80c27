"""Files that users name: prompts, rubrics, recipes and evaluation settings, and their TOML.

The library imports none of the folders that hold them. It looks in the current directory
first, so that a user's own file wins, and then where the project's own are: beside the package in
a checkout, in pengadil/shipped/ where it was installed as a wheel.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pengadil.errors import PengadilError, did_you_mean

# Laid out as a checkout: what setup.py puts there.
SHIPPED = Path(__file__).resolve().parent / "shipped"

Kind = Literal["prompts", "recipes", "eval", "rubrics"]
ONE_OF: dict[Kind, str] = {
    "prompts": "prompt",
    "recipes": "recipe",
    "eval": "evaluation setting",
    "rubrics": "rubric",
}


def find(kind: Kind, name: str, suffix: str = ".toml") -> Path:
    """The file called `name`: a path as given, else `kind/name` here, else the project's own.

    The suffix may be left out of `name`. PengadilError names what exists.
    """
    if Path(name).is_file():
        return Path(name)
    for folder in _folders(kind):
        path = folder / (name.removesuffix(suffix) + suffix)
        if path.is_file():
            return path
    existing = did_you_mean(Path(name).name.removesuffix(suffix), names(kind, suffix))
    raise PengadilError(repr(name), f"no such {ONE_OF[kind]}", existing)


def names(kind: Kind, suffix: str = ".toml") -> list[str]:
    """The names that `find` knows without a path, sorted."""
    return sorted(
        {
            file.name.removesuffix(suffix)
            for place in _folders(kind)
            for file in place.glob("*" + suffix)
        }
    )


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; a fault names the file, the line and what is wrong there."""
    try:
        # utf-8-sig: Windows editors put a byte order mark in front, which TOML refuses.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise PengadilError(
            str(path), f"not UTF-8 (byte {error.start})", "Save the file as UTF-8."
        ) from None
    except (ValueError, RecursionError) as error:
        raise PengadilError(str(path), f"not TOML ({error})", "Mend that line.") from None


def home() -> Path:
    """The folder that holds the project's own scripts/, prompts/, recipes/ and so on."""
    # Beside an installed package lie other packages, whose folders may bear such names.
    return SHIPPED if SHIPPED.is_dir() else SHIPPED.parent.parent


def _folders(kind: Kind) -> tuple[Path, Path]:
    return Path(kind), home() / kind
