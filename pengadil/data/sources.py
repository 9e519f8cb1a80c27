"""Where rows come from: a bundled grade, a file on this machine, or a data set of the hub."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from pengadil.data.bundled import GRADES, load_bundled
from pengadil.data.named import find_source, load_examples, named_sources
from pengadil.data.published import language_code
from pengadil.errors import PengadilError, did_you_mean
from pengadil.prompts import Prompt
from pengadil.recipe import parse_source
from pengadil.records import Example, Preference, Rewrite, read_examples, to_json

Record = Example | Preference | Rewrite
Read = TypeVar("Read")


def load_rows(spec: str, split: str = "train", seed: int = 0) -> list[Example]:
    """The examples that an entry of `data.train` or `data.validation` names.

    `contoh:800` is 800 rows of a bundled grade's `split`, made from `seed`; `rows.jsonl:500` is
    the first 500 rows of a file, which has no splits; `owner/name:1000` is the first 1,000 of a
    data set of the hub, as sources.toml describes it. Raises PengadilError for a source that does
    not exist, cannot be had, or has fewer rows than asked for.
    """
    source, count = parse_source(spec)
    if source in GRADES:
        return load_bundled(source, split, count, seed)
    if source.lower().endswith(".jsonl"):
        return first_rows(source, read_local(Path(source)), count)
    if named := find_source(source):
        return load_examples(named, split, count)
    raise unknown_source(source, ".jsonl")


def unknown_source(source: str, *suffixes: str) -> PengadilError:
    """What to raise where a source is nothing that rows can be read from."""
    return PengadilError(
        repr(source),
        f"neither a bundled grade, a {' or '.join(suffixes)} file nor a data set of the hub",
        did_you_mean(source, [*GRADES, *named_sources()]),
    )


def read_local(path: Path, source: str = "") -> list[Example]:
    """The examples of a JSONL file, with "Malay" and "English" as "ms" and "en"."""
    return [
        replace(example, language=language_code(example.language))
        for example in read_examples(path, source)
    ]


def first_rows(name: str, rows: list[Read], count: int | None) -> list[Read]:
    """The first `count` rows, or all; PengadilError where there are fewer."""
    if count is not None and count > len(rows):
        raise PengadilError(
            name, f"{count} rows asked for, it has {len(rows)}", f"Ask for {len(rows)}."
        )
    return rows[:count]


def rows_sha256(rows: Iterable[Record]) -> str:
    """SHA-256 over the rows in their canonical form: `records.to_json` lines, in order."""
    digest = sha256()
    for row in rows:
        digest.update(to_json(row).encode() + b"\n")
    return digest.hexdigest()


def leaks(
    train: Sequence[Record], test: Sequence[Record], prompt: Prompt | None = None
) -> list[str]:
    """Ids of training rows that stand in the test too.

    Of Examples, passage and question are compared, of Preferences the conversation before the
    answer, of Rewrites the original. With the `prompt` that Preferences were made with, Examples
    in the test are compared with them too. Case and white space are passed over; nothing else is.
    """
    tested = {_folded(record) for record in test}
    if prompt is not None:
        asked = [prompt.render(record) for record in test if isinstance(record, Example)]
        tested |= {_folded(Preference("", messages, "", "")) for messages in asked}
    return [record.id for record in train if _folded(record) in tested]


def _folded(record: Record) -> tuple[str, ...]:
    texts: tuple[str, ...]
    if isinstance(record, Example):
        texts = (record.passage, record.question)
    elif isinstance(record, Preference):
        texts = ("messages", *(message["content"] for message in record.messages))
    else:
        texts = ("original", record.original)
    return tuple(" ".join(text.casefold().split()) for text in texts)
