"""From a path to the work on it: a results folder, or a file that scripts/judge.py wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pengadil.comparison.results import Results, open_one
from pengadil.data.entries import Entry, read_entries
from pengadil.data.slices import rows_at_hand
from pengadil.errors import PengadilError
from pengadil.folders import find
from pengadil.judging.places import Places
from pengadil.judging.tables import KINDS
from pengadil.records import Example
from pengadil.reviewing.doubt import most_doubtful_first
from pengadil.reviewing.judged import open_judged
from pengadil.reviewing.rows import Row, Work, judge_sha256
from pengadil.runs import LATEST

REVIEWS, DATA = "reviews", Path("data")


def open_work(path: Path, data: Path | None = None) -> Work:
    """The rows at a path, most doubtful first, with their texts.

    The path is a results folder, a run folder with one evaluation, or a file of judged rows. The
    texts of results are found again through the slice that summary.json names; `data` is the
    folder with its file where it is not bundled. Raises PengadilError where there is nothing to
    review or the texts that were judged are not at hand.
    """
    if path.is_file() and path.suffix.lower() in KINDS:
        return open_judged(path, path.with_name(f"{path.name}.{REVIEWS}"))
    results = open_one(path)
    settings = results.summary
    examples = _texts(results, data)
    rows = [Row(examples[row.id], row) for row in results.rows]
    if not rows:
        raise PengadilError(str(results.folder), "it has no rows", "Evaluate again.")
    prompt = settings.get("prompt")
    return Work(
        title=results.folder.as_posix(),
        folder=results.folder / REVIEWS,
        model=str(settings["model"]["name"]),
        slice_name=str(settings["slice"]["name"]),
        slice_sha256=str(settings["slice"].get("sha256")),
        judge_sha256=judge_sha256(settings),
        prompt=prompt if isinstance(prompt, dict) else {},
        rows=most_doubtful_first(rows),
    )


def find_works(results: Path, runs: Path = Path("runs")) -> list[Path]:
    """What can be reviewed under a folder of results and in runs, the newest first.

    That is results folders and files of judged rows; none of them is opened.
    """
    found = {file.parent: file for file in results.glob("*/summary.json")}
    found |= {
        file: Places.of(file).summary
        for file in results.glob("*")
        if file.suffix.lower() in KINDS and Places.of(file).is_whole()
    }
    found |= {
        file.parent: file
        for file in runs.glob("*/evaluation/*/summary.json")
        if file.relative_to(runs).parts[0] != LATEST
    }
    return sorted(found, key=lambda place: (-found[place].stat().st_mtime_ns, place.as_posix()))


def _texts(results: Results, data: Path | None) -> Mapping[str, Example]:
    """The examples of the judged rows, by id."""
    judged: Mapping[str, Any] = results.summary["slice"]
    known = find("eval", "slices")
    name = str(judged["name"])
    file = name if name.endswith(".jsonl") else f"the file of slice {name}"
    places = _places(name, results.folder, read_entries(known)) if data is None else [data]
    for place in places:
        examples = {row.id: row for row in rows_at_hand(judged, known, place)}
        if examples and all(_fits(examples.get(row.id), row.characters) for row in results.rows):
            return examples
    raise PengadilError(
        str(results.folder),
        f"the texts of its rows ({name}) are not {'at hand' if data is None else f'in {data}'}",
        f"Put {file}, as it was when it was judged, into the folder data, or name its folder: "
        "--data FOLDER",
    )


def _places(name: str, folder: Path, entries: Mapping[str, Entry]) -> Iterator[Path | None]:
    """Where the texts may be without being asked for: as `rows_at_hand` takes it."""
    yield None
    if name.endswith(".jsonl"):
        yield from (DATA, folder, folder.parent)
    # What does not lie there would be fetched from the hub.
    elif name in entries and _lies_in(DATA, entries[name], entries):
        yield DATA


def _lies_in(data: Path, entry: Entry, entries: Mapping[str, Entry]) -> bool:
    if entry.kind == "union":
        return all(_lies_in(data, entries[part], entries) for part in entry.parts)
    return entry.kind == "bundled" or any((data / file).is_file() for file in entry.files)


def _fits(example: Example | None, characters: int | None) -> bool:
    return example is not None and characters in (None, len(example.passage))
