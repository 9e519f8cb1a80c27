"""Rows held out of the training ones: whole documents, always the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TypeVar

from pengadil.errors import PengadilError
from pengadil.records import Example, Preference, Rewrite

Record = TypeVar("Record", Example, Preference, Rewrite)


def document_of(record: Example | Preference | Rewrite) -> str:
    """What the rows of one document share: passage, conversation before the answer, or original."""
    if isinstance(record, Example):
        return record.passage
    if isinstance(record, Preference):
        return record.document or json.dumps(record.messages, ensure_ascii=False)
    return record.original


def hold_out(
    records: Sequence[Record],
    share: float,
    seed: int = 0,
    key: Callable[[Record], str] = document_of,
) -> tuple[list[Record], list[Record]]:
    """The records as (train, validation), each in its old order.

    No document (what `key` gives) is cut in two. Documents are taken by the SHA-256 of `seed` and
    their text until they hold `share` of the records, so a few more records in the data change
    little. Raises PengadilError when nothing would be left to train on.
    """
    sizes: dict[str, int] = {}
    for record in records:
        sizes[key(record)] = sizes.get(key(record), 0) + 1
    ranked = sorted(sizes, key=lambda text: sha256(f"{seed}\n{text}".encode()).digest())
    held: set[str] = set()
    wanted = share * len(records)
    count = 0
    for document in ranked:
        if count >= wanted:
            break
        held.add(document)
        count += sizes[document]
    if held and count == len(records):
        raise PengadilError(
            f"{len(records)} rows of {len(sizes)} documents",
            f"holding out {share:g} of them, whole documents, leaves none to train on",
            "Lower --data.validation_share, or use more rows.",
        )
    return (
        [record for record in records if key(record) not in held],
        [record for record in records if key(record) in held],
    )
