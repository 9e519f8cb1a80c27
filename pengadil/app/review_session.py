"""What a press in the Review tab does, without the page around it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from uuid import uuid4

from pengadil.app.context import Context
from pengadil.app.review_view import counters_html, done_html, row_html
from pengadil.app.review_words import WORDS
from pengadil.errors import PengadilError
from pengadil.reviewing.desk import Desk
from pengadil.reviewing.entries import checked_name
from pengadil.reviewing.opening import find_works
from pengadil.reviewing.rows import Row

AGREE, OVERRULE, SKIP, UNDO = "agree", "overrule", "skip", "undo"
TAB = re.compile(r"[\w-]{8,64}")


@dataclass(frozen=True, slots=True)
class Seat:
    """Who sits where: results, person, browser tab, and the row before them ("" for none)."""

    results: str
    person: str
    tab: str
    row: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows next; `row` is None when all are reviewed."""

    seat: Seat
    row: Row | None
    card: str
    counters: str
    message: str = ""


class Desks:
    """The desks of a page, opened when first asked for, and again when the results are others."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: dict[str, tuple[tuple[int, int], Desk]] = {}

    def at(self, results: str) -> Desk:
        """The desk of a results folder or judged file; PengadilError as `open_work` raises."""
        path = Path(results)
        with self._lock:
            stamp = _stamp(path)
            if results not in self._open or self._open[results][0] != stamp:
                self._open[results] = stamp, Desk.at(path)
            return self._open[results][1]


def choices(context: Context) -> list[tuple[str, str]]:
    """(what is shown, path) of all that can be reviewed."""
    return [(path.as_posix(), path.as_posix()) for path in find_works(context.results)]


def offered(context: Context, results: str | None) -> str:
    """The results, where they are among those that the page offers; else PengadilError."""
    for _, path in choices(context):
        if path == results:
            return path
    words = context.say(WORDS, "results"), str(results or "–"), context.say(WORDS, "choose")
    raise PengadilError(*words)


def begin(context: Context, desks: Desks, results: str | None, name: str, tab: str) -> View:
    """Sit down: the first row for this person. PengadilError for a missing name or results.

    `tab` is what the browser calls its tab; anything odd is replaced.
    """
    chosen = offered(context, results)
    if not (name or "").strip():
        raise PengadilError(*(context.say(WORDS, key) for key in ("name", "no_name", "name_info")))
    person = checked_name(name)
    seat = Seat(chosen, person, tab if TAB.fullmatch(tab or "") else uuid4().hex)
    return _next(context, desks.at(seat.results), seat)


def press(
    context: Context, desks: Desks, seat: Seat, shown: str, key: str, reasoning: str
) -> View | None:
    """Do what a button says with the row that is shown, and go to the next.

    None for a press that came before the page showed the next row: nobody has seen that one.
    Raises PengadilError where it cannot be saved; the same row is then still before the person.
    """
    if shown != seat.row:
        return None
    desk = desks.at(seat.results)
    if key == UNDO:
        row = desk.undo(seat.person, seat.tab)
        if row is None:
            current = desk.work.by_id.get(seat.row)
            return _view(context, desk, seat, current, context.say(WORDS, "nothing_to_undo"))
        return _view(context, desk, seat, row, context.say(WORDS, "undone", row=row.id))
    if not seat.row:
        return None
    if key == SKIP:
        desk.skip(seat.person, seat.tab, seat.row)
        return _next(context, desk, seat, context.say(WORDS, "saved_skip", row=seat.row))
    row = desk.work.by_id.get(seat.row)
    answer = answer_of(row, key) if row else 0
    desk.answer(seat.person, seat.tab, seat.row, answer, reasoning)
    said = context.say(WORDS, f"says_{answer}")
    return _next(context, desk, seat, context.say(WORDS, "saved", said=said, row=seat.row))


def answer_of(row: Row, key: str) -> int:
    """What agreeing or overruling says of a row; where the judge said nothing, 1 and 0."""
    verdict = 1 if row.verdict is None else row.verdict
    return verdict if key == AGREE else 1 - verdict


def labels(context: Context, row: Row) -> tuple[str, str]:
    """The words on the buttons to agree and to overrule, each with what it says of the row."""
    if row.verdict is None:
        return context.say(WORDS, "read_1"), context.say(WORDS, "read_0")
    agree, overrule = (
        context.say(WORDS, key, verdict=context.say(WORDS, f"says_{answer_of(row, key)}"))
        for key in (AGREE, OVERRULE)
    )
    return agree, overrule


def _next(context: Context, desk: Desk, seat: Seat, message: str = "") -> View:
    return _view(context, desk, seat, desk.next_row(seat.person, seat.tab), message)


def _view(context: Context, desk: Desk, seat: Seat, row: Row | None, message: str) -> View:
    mine = desk.standing(seat.person)
    before = row is not None and mine is not None and row.id in mine.skipped
    return View(
        seat=replace(seat, row=row.id if row else ""),
        row=row,
        card=row_html(context, row, before) if row else done_html(context, desk),
        counters=counters_html(context, desk, seat.person),
        message=message,
    )


def _stamp(path: Path) -> tuple[int, int]:
    """Changes when the results do."""
    file = path / "summary.json" if path.is_dir() else path
    try:
        facts = file.stat()
    except OSError:
        raise PengadilError(
            str(path), "it is not there any more", "Choose other results."
        ) from None
    return facts.st_mtime_ns, facts.st_size
