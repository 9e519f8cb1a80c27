"""The files that the Review tab gives for download."""

from __future__ import annotations

from html import escape
from pathlib import Path

from pengadil.app.context import Context
from pengadil.app.review_words import WORDS
from pengadil.errors import PengadilError
from pengadil.records import write_jsonl
from pengadil.reviewing.desk import Desk
from pengadil.reviewing.exports import (
    Pairs,
    people_lines,
    preference_pairs,
    prompt_of,
    training_rows,
)
from pengadil.reviewing.labels import labels_of
from pengadil.reviewing.tested import test_slice_of, tested_on


def write_files(
    context: Context, desk: Desk, folder: Path, min_reviewers: int | None
) -> tuple[list[Path], str]:
    """The files in `folder`, as far as there is something in them, and what to know, as HTML.

    Raises PengadilError for what cannot be exported.
    """
    standings = desk.standings()
    if not standings:
        return [], _note(context.say(WORDS, "nothing_to_export"))
    found = labels_of(desk.work, standings, min_reviewers)
    rows = training_rows(desk.work, found.labels)
    notes = []
    try:
        pairs = preference_pairs(desk.work, found.labels, prompt_of(desk.work))
    except PengadilError as error:
        pairs = Pairs([], [], [])
        notes.append(_note(context.say(WORDS, "no_pairs", reason=error)))
    files = {
        "rows.jsonl": rows,
        "pairs.jsonl": pairs.preferences,
        "people.jsonl": list(people_lines(standings)),
    }
    for name, records in files.items():
        if records:
            write_jsonl(folder / name, records)
    test = test_slice_of(desk.work)
    tested = {test: [row.id for row in rows]} if test else tested_on(rows)
    warnings = [
        context.say(WORDS, "test_slice", slice=name, count=f"{len(ids):,}")
        for name, ids in tested.items()
        if ids
    ]
    told = context.say(
        WORDS,
        "exported",
        rows=f"{len(rows):,}",
        reasonless=f"{sum(not row.reasoning for row in rows):,}",
        pairs=f"{len(pairs.preferences):,}",
        divided=f"{len(found.divided):,}",
        too_few=f"{len(found.too_few):,}",
        no_reasoning=f"{len(pairs.no_reasoning):,}",
        no_answer=f"{len(pairs.no_answer):,}",
    )
    shown = [f'<p class="verdict unreadable">{escape(text)}</p>' for text in warnings]
    written = [folder / name for name, records in files.items() if records]
    return written, "".join([*shown, _note(told), *notes])


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'
