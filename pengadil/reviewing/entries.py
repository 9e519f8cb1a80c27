"""The lines that a reviewer's file is made of: what was decided, and on what."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

from pengadil.errors import PengadilError
from pengadil.reviewing.rows import Row, Work

GIVEN, ANSWERED, SKIPPED, UNDONE = "given", "answered", "skipped", "undone"
ACTS = (GIVEN, ANSWERED, SKIPPED, UNDONE)
LONGEST_NAME, LONGEST_SLUG = 80, 40
NAME_NEXT = "Write your name, for example Aina."


@dataclass(frozen=True, slots=True)
class Entry:
    """A line: what a person did with a row, in which browser tab, and when (ISO 8601, UTC).

    `given` says that the row is before that person, `answered` that they gave `answer` (1 agrees,
    0 does not) and, where they corrected it, the `reasoning`; `skipped` that they left it open;
    `undone` takes the entry back whose key is `undoes`. `judge`, `slice`, `text` and `verdict` are
    what was reviewed: an entry counts for no other.
    """

    key: str
    act: str
    person: str
    tab: str
    at: str
    row: str
    judge: str
    slice: str
    text: str
    verdict: int | None
    answer: int | None = None
    reasoning: str | None = None
    undoes: str = ""


def new_entry(
    work: Work,
    row: Row,
    act: str,
    person: str,
    tab: str,
    *,
    answer: int | None = None,
    reasoning: str | None = None,
    undoes: str = "",
) -> Entry:
    """An entry of now on a row of the work."""
    return Entry(
        key=uuid4().hex,
        act=act,
        person=person,
        tab=tab,
        at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        row=row.id,
        judge=work.judge_sha256,
        slice=work.slice_sha256,
        text=row.text_sha256,
        verdict=row.verdict,
        answer=answer,
        reasoning=reasoning,
        undoes=undoes,
    )


def is_of(entry: Entry, work: Work) -> bool:
    """Whether the entry is on a row of this work, judged by this judge and found the same."""
    row = work.by_id.get(entry.row)
    return (
        row is not None
        and entry.judge == work.judge_sha256
        and entry.slice == work.slice_sha256
        and entry.verdict == row.verdict
        and entry.text == row.text_sha256
    )


def entry_from(line: Mapping[str, Any], where: str) -> Entry:
    """The entry of a line; PengadilError for a line that is none. Unknown keys are ignored."""
    known = {field.name: field.default is MISSING for field in fields(Entry)}
    missing = [name for name, required in known.items() if required and name not in line]
    if missing or line["act"] not in ACTS:
        wrong = f"no field '{missing[0]}'" if missing else f"act {line['act']!r} is not known"
        raise PengadilError(where, wrong, "Mend or remove that line, or update pengadil.")
    return Entry(**{name: line[name] for name in known if name in line})


def checked_name(name: str) -> str:
    """A person's name in one form (NFC, single spaces); PengadilError for what is none."""
    person = " ".join(unicodedata.normalize("NFC", name).split())
    if not person:
        raise PengadilError("the reviewer's name", "it is empty", NAME_NEXT)
    if len(person) > LONGEST_NAME or any(unicodedata.category(c)[0] == "C" for c in person):
        raise PengadilError(
            "the reviewer's name",
            f"longer than {LONGEST_NAME} letters, or with a sign that is no letter",
            NAME_NEXT,
        )
    return person


def same_person(name: str) -> str:
    """What two spellings of one name share: "Aina" and "AINA" are one reviewer."""
    return checked_name(name).casefold()


def file_name(person: str) -> str:
    """The reviewer's file: by-aina.jsonl. Where letters had to change, a hash tells names apart.

    It begins with "by-" because Windows keeps names such as con.jsonl for itself.
    """
    name = same_person(person)
    slug = "".join(c if c.isascii() and c.isalnum() else "-" for c in name)[:LONGEST_SLUG]
    if slug != name:
        slug = f"{slug}-{sha256(name.encode()).hexdigest()[:8]}"
    return f"by-{slug}.jsonl"
