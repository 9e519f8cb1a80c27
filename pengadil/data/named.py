"""Training rows by name: the data sets of sources.toml, and others of the hub with our columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path

from pengadil.data.entries import Entry
from pengadil.data.hub import HUB_NAME, hub_rows
from pengadil.data.published import Row, labelled, language_code, selected
from pengadil.errors import PengadilError
from pengadil.folders import read_toml
from pengadil.records import Example, read_jsonl

EXAMPLES, PREFERENCES, REWRITES = "examples", "preferences", "rewrites"
TABLE = Path(__file__).with_name("sources.toml")
COPIES = Path("data")  # in the working folder: OWNER/NAME-SPLIT.jsonl stands in for the hub


@dataclass(frozen=True, slots=True)
class Source:
    """A data set of the hub, as sources.toml describes it.

    `kind` is "" for one that is not in it. `train` and `validation` are names of its splits, ""
    for one that it does not have.
    """

    name: str
    kind: str
    hub: str
    train: str = "train"
    validation: str = ""
    where: dict[str, str] = field(default_factory=dict)
    rename: dict[str, str] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    language: str = ""


@cache
def named_sources() -> dict[str, Source]:
    """The data sets of sources.toml by name."""
    return {name: Source(name=name, **table) for name, table in read_toml(TABLE).items()}


def find_source(name: str) -> Source | None:
    """The data set of that name; a hub name that is not in the table has a kind of ""."""
    if name in named_sources():
        return named_sources()[name]
    if HUB_NAME.fullmatch(name) and not Path(name).exists():
        return Source(name, "", name, validation="validation")
    return None


def load_examples(source: Source, split: str, count: int | None) -> list[Example]:
    """The first `count` examples of a split, or all; ids are the data set's name and row.

    Raises PengadilError when the rows cannot be had, are too few or lack a column, and with the
    number of the row for a label that is neither 0 nor 1.
    """
    where, rows = read_rows(source, split, EXAMPLES, count)
    entry = _entry(source, split, EXAMPLES)
    return [_example(entry, number, f"{where} {number}", row) for number, row in rows]


def read_rows(
    source: Source, split: str, kind: str, count: int | None
) -> tuple[str, list[tuple[int, Row]]]:
    """Where the rows of a split stand, and the first `count` of them, or all, with their numbers.

    `split` is "train" or "validation", by whatever name the data set calls it. The rows are in
    our columns, those of `kind`.
    """
    entry = _entry(source, split, kind)
    where, published = _published(entry)
    rows = list(islice(selected(entry, where, published), count))
    if len(rows) < (count or 1):
        asked = f"{count} rows asked for, it has {len(rows)}" if count else "it has no rows"
        raise PengadilError(f"data set {source.name}", asked, "Ask for fewer, or name another.")
    return where, rows


def _published(entry: Entry) -> tuple[str, Iterator[tuple[int, Row]]]:
    """What precedes the number in a row's place, and the rows as published, counted from 1."""
    owner, _, name = entry.hub.partition("/")
    copy = COPIES / owner / f"{name}-{entry.split}.jsonl"
    if copy.is_file():
        return f"{copy}, line", read_jsonl(copy)
    rows = hub_rows(
        entry.hub,
        entry.split,
        otherwise=f"Or save that split, a JSON object a line, as {copy.as_posix()}.",
    )
    return f"{entry.hub}, split {entry.split}, row", iter(enumerate(rows, start=1))


def _entry(source: Source, split: str, kind: str) -> Entry:
    """What to read of a data set, in the form that the slices have."""
    if source.kind and source.kind != kind:
        raise PengadilError(
            f"data set {source.name}",
            f"it holds {source.kind}, and this training takes {kind}",
            'Name another, or use the --train.method for it ("orpo" takes preferences, '
            '"rewrite" takes rewrites).',
        )
    published = source.train if split == "train" else source.validation
    if not published:
        raise PengadilError(
            f"data set {source.name}",
            f"it has no {split} split",
            "Hold out some of the training rows instead: --data.validation_share 0.05.",
        )
    columns = {
        EXAMPLES: ("passage", "question", "answer"),
        PREFERENCES: ("chosen", "rejected"),
        REWRITES: ("original", "rewritten"),
    }
    return Entry(
        name=source.name,
        kind="hub",
        hub=source.hub,
        split=published,
        where=source.where,
        rename=source.rename,
        answers=source.answers,
        language=source.language,
        columns=columns[kind],
    )


def _example(entry: Entry, number: int, place: str, published: Row) -> Example:
    row = labelled(entry, published, place)
    return Example(
        id=f"{entry.name}-{number}",
        passage=row["passage"],
        question=row["question"],
        answer=row["answer"],
        language=language_code(str(entry.language or row.get("language") or "ms")),
        source=entry.name,
        reasoning=str(row.get("reasoning") or ""),
        group=str(row.get("group") or ""),
    )
