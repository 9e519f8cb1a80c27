"""Named test slices, each pinned by a hash: two scores on one name are scores on the same rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from pengadil.data.bundled import load_bundled
from pengadil.data.entries import UNPINNED, Entry, read_entries
from pengadil.data.published import Row, language_code, origin, published_rows
from pengadil.data.sources import read_local, rows_sha256
from pengadil.errors import PengadilError, did_you_mean
from pengadil.models import file_sha256
from pengadil.records import Example


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows to judge.

    `sha256` is of the whole slice: a bundled one's rows as `records.to_json` writes them, a hub
    one's in canonical form (see `canonical`), a union's parts (see `union_sha256`), the bytes of a
    file named by its path. `of` is the number of its rows, and `subset` says that `examples` are
    only the first of them. `note` says what to know before reading scores on it.
    """

    name: str
    examples: list[Example]
    sha256: str
    of: int
    subset: bool = False
    note: str = ""

    @property
    def title(self) -> str:
        """For people: "contoh", or "contoh (first 50 of 200)"."""
        if not self.subset:
            return self.name
        return f"{self.name} (first {len(self.examples)} of {self.of})"

    @property
    def key(self) -> str:
        """For folders: "contoh", or "contoh-first-50"."""
        return f"{self.name}-first-{len(self.examples)}" if self.subset else self.name


def load_slice(
    name: str, slices_toml: Path, data: Path | None = None, limit: int | None = None
) -> Slice:
    """The slice of that name in `slices_toml`, or of an existing .jsonl file.

    `data` is the folder where the files of slices that are not bundled are looked for; what is
    not there comes from the hub. `limit` takes the first rows. Raises PengadilError when there is
    no such slice, its rows cannot be had, or they are not the pinned ones.
    """
    if limit is not None and limit < 1:
        raise PengadilError(f"limit {limit}", "not a number of rows", "Give 1 or more.")
    entries = read_entries(slices_toml)
    path = Path(name)
    if name in entries:
        whole = _named(entries[name], entries, slices_toml, data)
    elif path.suffix.lower() == ".jsonl":
        examples = read_local(path)
        # With its suffix, so that a file called contoh.jsonl is not taken for the bundled slice.
        whole = Slice(path.name, examples, file_sha256(path), len(examples))
    else:
        raise PengadilError(
            repr(name),
            "no such slice",
            did_you_mean(name, list(entries)) + " Or name a .jsonl file.",
        )
    if limit is None or limit >= whole.of:
        return whole
    return replace(whole, examples=whole.examples[:limit], subset=True)


def rows_at_hand(
    judged: Mapping[str, Any], slices_toml: Path, data: Path | None = None
) -> list[Example]:
    """The rows that a summary.json's `slice` was judged on, to quote them; [] if not at hand.

    Nothing is fetched: only bundled rows, a .jsonl file of that name, and what lies in `data`
    are at hand, and only if they have the hash of the judged ones.
    """
    name = str(judged.get("name"))
    try:
        if name.endswith(".jsonl"):
            name = str(data / name if data else name)
        elif data is None and read_entries(slices_toml)[name].kind != "bundled":
            return []
        test = load_slice(name, slices_toml, data)
    except (PengadilError, KeyError):
        return []
    return test.examples if test.sha256 == judged.get("sha256") else []


def canonical(row: Row, columns: Iterable[str]) -> bytes:
    """One row as pandas' `to_json(orient="records", lines=True)` writes it, columns in that order.

    That is ASCII, without spaces, "/" as "\\/". (U+007F, which pandas leaves as it is, is escaped.)
    The published slices were written so. Hence the SHA-256 over the rows of one is that of its
    published file, wherever the rows come from.
    """
    line = json.dumps({column: row[column] for column in columns}, separators=(",", ":"))
    return line.replace("/", "\\/").encode("ascii") + b"\n"


def union_sha256(digests: Iterable[str]) -> str:
    """SHA-256 of the parts' own, in hexadecimal and in order, each with a line's end after it."""
    return sha256("".join(f"{digest}\n" for digest in digests).encode("ascii")).hexdigest()


def _named(entry: Entry, entries: dict[str, Entry], slices_toml: Path, data: Path | None) -> Slice:
    if entry.kind == "bundled":
        return _bundled(entry)
    if entry.kind == "hub":
        return _published(entry, slices_toml, data)
    parts = [_named(entries[part], entries, slices_toml, data) for part in entry.parts]
    examples = [example for part in parts for example in part.examples]
    digest = union_sha256(part.sha256 for part in parts)
    notes = [entry.note, *(f"{part.name}: {part.note}" for part in parts if part.note)]
    return Slice(entry.name, examples, digest, len(examples), note=" ".join(notes).strip())


def _bundled(entry: Entry) -> Slice:
    examples = load_bundled(entry.name, "test")
    digest = rows_sha256(examples)
    if digest != entry.sha256:
        found = f"slice {entry.name}, {len(examples)} rows"
        raise _others(found, digest, entry, "undo the change to the bundled sample, or pin it anew")
    return Slice(entry.name, examples, digest, len(examples), note=entry.note)


def _published(entry: Entry, slices_toml: Path, data: Path | None) -> Slice:
    found, rows, file = published_rows(entry, data)
    digest = sha256(b"".join(canonical(row, entry.columns) for row in rows)).hexdigest()
    note = entry.note
    if entry.sha256 == UNPINNED:
        note = f"Unpinned: the rows' sha256, {digest}, is not in {slices_toml.name}. {note}".strip()
    # The published file itself, byte for byte, is right whatever wrote it.
    elif digest != entry.sha256 and file and file_sha256(file) == entry.sha256:
        digest = entry.sha256
    elif digest != entry.sha256:
        raise _others(found, digest, entry, f"use the rows as published: {origin(entry)}")
    examples = [_example(entry, row, number) for number, row in enumerate(rows, start=1)]
    return Slice(entry.name, examples, digest, len(examples), note=note)


def _others(found: str, digest: str, entry: Entry, remedy: str) -> PengadilError:
    return PengadilError(
        found,
        f"sha256 {digest} is not the pinned {entry.sha256}",
        f"Scores on other rows cannot stand beside earlier ones: {remedy}.",
    )


def _example(entry: Entry, row: Row, number: int) -> Example:
    """One Example; its id is the row's place in the slice, the same from whatever source."""
    return Example(
        id=f"{entry.name}-{number}",
        passage=row["passage"],
        question=row["question"],
        answer=row["answer"],
        language=language_code(str(entry.language or row.get("language") or "ms")),
        source=entry.name,
        group=str(row.get("group") or ""),
    )
