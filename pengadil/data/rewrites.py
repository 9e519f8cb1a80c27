"""Rewrites: a text and the same in another style, from .csv and .jsonl files and the hub."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pengadil.data.named import REWRITES, find_source, read_rows
from pengadil.data.sources import first_rows, unknown_source
from pengadil.errors import PengadilError
from pengadil.recipe import parse_source
from pengadil.records import Rewrite, read_jsonl

# Of each field, the name of the column that the style project's file has it in.
PUBLISHED = {"original": "LLM", "rewritten": "human"}
SHAPE = "Give it the columns original and rewritten, or LLM and human."
LONGEST_CELL = 2**30  # characters; Python's csv would stop at 131,072


def load_rewrites(spec: str, split: str = "train") -> list[Rewrite]:
    """The rewrites that an entry of `data.train` or `data.validation` names.

    A .csv or .jsonl file, which has no splits, or a data set of the hub; with `:rows`, the first
    of them. Raises PengadilError for a source that does not exist or cannot be had, for too few
    rows, and with its place for a row that is no rewrite.
    """
    source, count = parse_source(spec)
    if source.lower().endswith((".csv", ".jsonl")):
        return first_rows(source, read_rewrites(Path(source)), count)
    named = find_source(source)
    if named is None:
        raise unknown_source(source, ".csv", ".jsonl")
    where, rows = read_rows(named, split, REWRITES, count)
    return [
        rewrite_from(row, f"{where} {number}", f"{source}-{number}", source) for number, row in rows
    ]


def read_rewrites(path: Path, source: str = "") -> list[Rewrite]:
    """All rewrites of a .csv or .jsonl file, in order; ids default to `stem-line`.

    A fault is a PengadilError that names file and line: in a .csv, the one a row begins on.
    """
    lines = _read_csv(path) if path.suffix.lower() == ".csv" else read_jsonl(path)
    rows = [
        rewrite_from(row, f"{path}, line {line}", f"{path.stem}-{line}", source or path.stem)
        for line, row in lines
    ]
    if not rows:
        raise PengadilError(str(path), "the file has no rows", SHAPE)
    return rows


def rewrite_from(row: dict[str, Any], where: str, default_id: str, source: str) -> Rewrite:
    """One Rewrite from an object; a field that is missing or empty is a PengadilError."""
    texts: dict[str, str] = {}
    for name, column in PUBLISHED.items():
        if name not in row and column not in row:
            found = ", ".join(map(str, row)) or "none"
            raise PengadilError(where, f"no column '{name}' (found: {found})", SHAPE)
        text = row[name] if name in row else row[column]
        if not isinstance(text, str) or not text.strip():
            raise PengadilError(where, f"'{name}' is no text", "Give it one, or remove the row.")
        texts[name] = text
    return Rewrite(
        id=str(default_id if row.get("id") is None else row["id"]),
        source=str(row.get("source") or source),
        **texts,
    )


def _read_csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(first line, row by column) of each row that is not empty."""
    csv.field_size_limit(LONGEST_CELL)
    line = 1
    try:
        # utf-8-sig: spreadsheets put a byte order mark in front.
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            names = next(rows, [])
            line = rows.line_num + 1
            for cells in rows:
                if len(cells) > len(names):
                    raise PengadilError(
                        f"{path}, line {line}",
                        f"{len(cells)} cells under {len(names)} columns",
                        'Put texts with commas between ".',
                    )
                if cells:
                    yield line, dict(zip(names, cells, strict=False))
                line = rows.line_num + 1
    except FileNotFoundError:
        raise PengadilError(str(path), "no such file", "Check the path.") from None
    except OSError as error:
        raise PengadilError(
            str(path), f"cannot be read ({error.strerror})", "Give it a .csv file."
        ) from None
    except UnicodeDecodeError:
        raise PengadilError(
            f"{path}, line {line} or after", "not UTF-8", "Save the file as UTF-8."
        ) from None
    except csv.Error as error:
        raise PengadilError(
            f"{path}, line {line}", f"not CSV ({error})", 'Put texts with commas between ".'
        ) from None
