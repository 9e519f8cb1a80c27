"""The entries of a slices file: what each slice is made of, checked before anything is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pengadil.data.bundled import GRADES
from pengadil.data.hub import HUB_NAME
from pengadil.errors import PengadilError, did_you_mean
from pengadil.folders import read_toml

# In the place of a hash: the rows were not at hand when the file was written.
UNPINNED = "unpinned"
NEEDED = ("passage", "question", "answer")
COLUMNS = (*NEEDED, "language", "group")


@dataclass(frozen=True, slots=True)
class Entry:
    """One slice as the file describes it.

    `sha256` is "" for a union, which its parts pin. `columns` are what the hash is of, in their
    order. `rename` gives the published name of a column that has another one here; a column under
    our own name comes first. `answers` reads a published label as 1 or 0.
    """

    name: str
    kind: str
    rows: int = 0
    sha256: str = ""
    hub: str = ""
    split: str = ""
    revision: str = ""
    where: dict[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rename: dict[str, str] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    language: str = ""
    parts: tuple[str, ...] = ()
    note: str = ""


# Of each kind of slice: the keys it must have, and those it may.
KINDS = {
    "bundled": ({"rows", "sha256"}, {"note"}),
    "hub": (
        {"rows", "sha256", "hub", "split", "files", "columns"},
        {"where", "rename", "answers", "language", "revision", "note"},
    ),
    "union": ({"parts"}, {"note"}),
}


def read_entries(path: Path) -> dict[str, Entry]:
    """The slices of a file by name. PengadilError lists all that is wrong with it at once."""
    tables = read_toml(path)
    faults = [fault for name, table in tables.items() for fault in _faults(name, table, tables)]
    if faults:
        numbered = [f"({number}) {fault}" for number, fault in enumerate(faults, start=1)]
        raise PengadilError(
            str(path),
            "; ".join(numbered) if len(faults) > 1 else faults[0],
            "The comment at the top of eval/slices.toml says what each key is.",
        )
    return {name: _entry(name, table) for name, table in tables.items()}


def _entry(name: str, table: dict[str, Any]) -> Entry:
    lists = {key: tuple(value) for key, value in table.items() if isinstance(value, list)}
    return Entry(name=name, **{**table, **lists})


def _faults(name: str, table: Any, tables: dict[str, Any]) -> Iterator[str]:
    kind = table.get("kind") if isinstance(table, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        yield f"[{name}] kind = {kind!r} is none of {', '.join(KINDS)}"
        return
    required, optional = KINDS[kind]
    known = sorted(required | optional)
    for key in sorted(required - set(table)):
        yield f"[{name}] no {key}"
    for key, value in table.items():
        if key == "kind":
            continue
        if key not in known:
            yield f"[{name}] unknown key {key}: {did_you_mean(key, known).rstrip('.?')}"
        elif not CHECKS[key][0](value):
            yield f"[{name}] {key} = {value!r} is not {CHECKS[key][1]}"
    if kind == "bundled" and name not in GRADES:
        yield f"[{name}] is no bundled grade; these are {', '.join(GRADES)}"
    if kind == "union" and CHECKS["parts"][0](table.get("parts")):
        yield from _wrong_parts(name, table["parts"], tables)


def _wrong_parts(name: str, parts: list[str], tables: dict[str, Any]) -> Iterator[str]:
    for part in parts:
        if part not in tables:
            yield f"[{name}] part {part} is no slice of this file"
        elif isinstance(tables[part], dict) and tables[part].get("kind") == "union":
            yield f"[{name}] part {part} is itself a union"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _is_table(value: Any, inner: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(inner, value.values()))


def _is_list(value: Any) -> bool:
    listed = isinstance(value, list) and bool(value) and all(map(_is_text, value))
    return listed and len(set(value)) == len(value)


def _is_label(value: Any) -> bool:
    return value in (0, 1) and type(value) is int


CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "rows": (lambda value: type(value) is int and value > 0, "a number of rows"),
    "sha256": (
        lambda value: (
            isinstance(value, str)
            and (value == UNPINNED or re.fullmatch("[0-9a-f]{64}", value) is not None)
        ),
        f'64 lower-case hexadecimal digits or "{UNPINNED}"',
    ),
    "hub": (
        lambda value: isinstance(value, str) and HUB_NAME.fullmatch(value) is not None,
        "a repository (owner/name)",
    ),
    "split": (_is_text, "a text"),
    "revision": (_is_text, "a text"),
    "language": (_is_text, "a text"),
    "note": (_is_text, "a text"),
    "where": (lambda value: _is_table(value, _is_text), "a table of column = text"),
    "rename": (
        lambda value: _is_table(value, _is_text) and set(value) <= set(COLUMNS),
        f"a table of our column = theirs (ours are {', '.join(COLUMNS)})",
    ),
    "answers": (lambda value: _is_table(value, _is_label), "a table of label = 0 or 1"),
    "files": (
        lambda value: (
            _is_list(value)
            and all(name.endswith(".jsonl") and not re.search(r"[\\/:]", name) for name in value)
        ),
        "a list of .jsonl file names",
    ),
    "columns": (
        lambda value: _is_list(value) and set(NEEDED) <= set(value) <= set(COLUMNS),
        f"a list of {', '.join(NEEDED)} and perhaps language and group",
    ),
    "parts": (_is_list, "a list of different slices"),
}
