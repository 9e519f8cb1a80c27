"""Named test slices, each pinned by a hash: two scores on one name are scores on the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pengadil.data.bundled import load_bundled
from pengadil.data.sources import read_local, rows_sha256
from pengadil.errors import PengadilError, did_you_mean
from pengadil.folders import read_toml
from pengadil.models import file_sha256
from pengadil.records import Example

# The keys of a [slice] in the file, by its kind.
KEYS = {"bundled": {"rows", "sha256"}, "file": {"rows", "sha256", "file", "hub"}}


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows to judge.

    `sha256` is of the whole slice: a bundled one's rows in canonical form, a file's bytes. `of`
    is the number of its rows, and `subset` says that `examples` are only the first of them.
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

    `data` is the folder with the files of slices that are not bundled; `limit` takes the first
    rows. Raises PengadilError when there is no such slice, its file is missing, or its rows are
    not the pinned ones.
    """
    if limit is not None and limit < 1:
        raise PengadilError(f"limit {limit}", "not a number of rows", "Give 1 or more.")
    named: dict[str, Any] = read_toml(slices_toml)
    path = Path(name)
    if name in named:
        whole = _pinned(name, named[name], slices_toml, data)
    elif path.suffix.lower() == ".jsonl":
        examples = read_local(path)
        # With its suffix, so that a file called contoh.jsonl is not taken for the bundled slice.
        whole = Slice(path.name, examples, file_sha256(path), len(examples))
    else:
        raise PengadilError(
            repr(name), "no such slice", did_you_mean(name, list(named)) + " Or name a .jsonl file."
        )
    if limit is None or limit >= whole.of:
        return whole
    return Slice(whole.name, whole.examples[:limit], whole.sha256, whole.of, True, whole.note)


def _pinned(name: str, entry: Any, slices_toml: Path, data: Path | None) -> Slice:
    kind = entry.get("kind") if isinstance(entry, dict) else None
    missing = KEYS[kind] - set(entry) if kind in KEYS else {"kind"}
    if missing:
        raise PengadilError(
            f"slice {name} in {slices_toml}",
            f"no usable {', '.join(sorted(missing))}",
            "contoh shows how a bundled slice is written, boolq-malay-200 one from a file.",
        )
    if kind == "bundled":
        examples = load_bundled(name, "test")
        digest = rows_sha256(examples)
    else:
        path = _file(name, entry, data)
        digest = file_sha256(path)
        _check(str(path), digest, entry)
        examples = read_local(path, name)
    _check(f"slice {name}, {len(examples)} rows", digest, entry)
    return Slice(name, examples, digest, len(examples), note=str(entry.get("note", "")))


def _file(name: str, entry: dict[str, Any], data: Path | None) -> Path:
    where = f"{entry['file']}, from {entry['hub']} on the hub"
    if data is None:
        raise PengadilError(
            f"slice {name}", "its rows are not bundled", f"Give --data the folder with {where}."
        )
    path = data / str(entry["file"])
    if not path.is_file():
        raise PengadilError(str(path), "no such file", f"Put it there: {where}.")
    return path


def _check(what: str, digest: str, entry: dict[str, Any]) -> None:
    if digest != entry["sha256"]:
        raise PengadilError(
            what,
            f"sha256 {digest} is not the pinned {entry['sha256']}",
            "Scores on other rows cannot stand beside earlier ones: "
            + (
                "use the file as published."
                if entry["kind"] == "file"
                else "undo the change to the bundled sample, or pin it anew."
            ),
        )
