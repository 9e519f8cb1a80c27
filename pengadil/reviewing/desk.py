"""The table at which people review: it hands out rows and takes decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from pengadil.errors import PengadilError
from pengadil.reviewing.entries import (
    ANSWERED,
    GIVEN,
    SKIPPED,
    UNDONE,
    Entry,
    checked_name,
    file_name,
    new_entry,
)
from pengadil.reviewing.journal import Journal
from pengadil.reviewing.opening import open_work
from pengadil.reviewing.rows import Row, Work
from pengadil.reviewing.standing import Standing, held_rows, standing

LONGEST_REASONING = 20_000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a reviewer is: rows `done` and `skipped`, of `all`."""

    done: int
    skipped: int
    all: int


class Desk:
    """One work and its reviews. Any number of people, browser tabs and programs may sit at it.

    Every decision is on the disk when its method returns. Safe to use from any thread.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self._journal = Journal(work.folder)
        self._thread = Lock()

    @staticmethod
    def at(path: Path, data: Path | None = None) -> Desk:
        """The desk of a results folder or judged file; PengadilError as `open_work` raises."""
        return Desk(open_work(path, data))

    def standings(self) -> dict[str, Standing]:
        """What stands of each reviewer, by name, in the order of their files."""
        with self._thread:
            return self._standings()

    def standing(self, person: str) -> Standing | None:
        """What stands of this reviewer; None where they have done nothing yet."""
        return self._of(self.standings(), person)

    def progress(self, person: str) -> Progress:
        """How far this reviewer is."""
        mine = self.standing(person)
        return Progress(
            len(mine.answers) if mine else 0,
            len(mine.skipped) if mine else 0,
            len(self.work.rows),
        )

    def next_row(self, person: str, tab: str) -> Row | None:
        """The next row for a reviewer, which is theirs for a while; None when all are answered.

        The most doubtful comes first. Rows that they skipped come after all others, the one skipped
        longest ago first, and rows that are before somebody else (or in another tab) last of all.
        """
        person = checked_name(person)
        with self._thread, self._journal.held():
            mine = self._of(self._standings(), person)
            answered = mine.answers if mine else {}
            skipped = {row: place for place, row in enumerate(mine.skipped if mine else (), 1)}
            everyone = self._journal.entries().values()
            held = held_rows((entry for entries in everyone for entry in entries), tab)
            left = (row for row in self.work.rows if row.id not in answered)
            row = min(left, key=lambda row: (row.id in held, skipped.get(row.id, 0)), default=None)
            if row is not None:
                self._journal.append(new_entry(self.work, row, GIVEN, person, tab))
            return row

    def answer(self, person: str, tab: str, row_id: str, answer: int, reasoning: str = "") -> Entry:
        """Save what a reviewer says of a row: 1 agrees, 0 does not, whatever the judge said.

        `reasoning` is the text beside it; it is saved where it is not the judge's own, and an
        empty one is none. Raises PengadilError for what is no answer.
        """
        if answer not in (0, 1):
            raise PengadilError(f"answer {answer!r}", "neither 0 nor 1", "Give one of them.")
        row = self._row(row_id)
        # Half of a character, which a browser may send, is no text.
        corrected = reasoning.encode("utf-8", "replace").decode("utf-8").strip()
        if len(corrected) > LONGEST_REASONING or "\x00" in corrected:
            raise PengadilError(
                f"a reasoning of {len(corrected):,} characters",
                f"more than {LONGEST_REASONING:,}, or with a NUL character in it",
                "Shorten it: a judge's reasoning is a few sentences.",
            )
        own = corrected if corrected and corrected != row.reasoning else None
        entry = new_entry(
            self.work, row, ANSWERED, checked_name(person), tab, answer=answer, reasoning=own
        )
        return self._save(entry)

    def skip(self, person: str, tab: str, row_id: str) -> Entry:
        """Save that a reviewer leaves a row open."""
        return self._save(
            new_entry(self.work, self._row(row_id), SKIPPED, checked_name(person), tab)
        )

    def undo(self, person: str, tab: str) -> Row | None:
        """Take back the reviewer's last decision in this tab, or else their last; its row.

        What was decided on the row before stands again. None when there is nothing to take back.
        """
        person = checked_name(person)
        with self._thread, self._journal.held():
            mine = self._of(self._standings(), person)
            last = (mine.last(tab) or mine.last()) if mine else None
            if last is None:
                return None
            row = self.work.by_id[last.row]
            for act, undoes in ((UNDONE, last.key), (GIVEN, "")):
                entry = new_entry(self.work, row, act, person, tab, undoes=undoes)
                self._journal.append(entry)
            return row

    def _save(self, entry: Entry) -> Entry:
        with self._thread, self._journal.held():
            self._journal.append(entry)
        return entry

    def _row(self, row_id: str) -> Row:
        if row_id not in self.work.by_id:
            raise PengadilError(
                f"row {row_id!r}", f"not one of {self.work.title}", "Open the results again."
            )
        return self.work.by_id[row_id]

    def _standings(self) -> dict[str, Standing]:
        everyone = self._journal.entries().values()
        found = [standing(entries, self.work) for entries in everyone if entries]
        return {one.person: one for one in found}

    @staticmethod
    def _of(standings: Mapping[str, Standing], person: str) -> Standing | None:
        wanted = file_name(person)
        return next((one for one in standings.values() if file_name(one.person) == wanted), None)
