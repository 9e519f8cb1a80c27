"""What stands of all that was done: the last decision of each reviewer on each row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pengadil.reviewing.entries import ANSWERED, GIVEN, SKIPPED, UNDONE, Entry, is_of
from pengadil.reviewing.rows import Work

# So long a row that somebody has been given is offered to others only when nothing else is left.
HELD = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Standing:
    """One reviewer on one work.

    `decisions` has the standing decision on each row, answered or skipped, the latest last;
    `stale` counts answers on rows judged otherwise since, or by another judge.
    """

    person: str
    decisions: Mapping[str, Entry]
    stale: int

    @property
    def answers(self) -> dict[str, Entry]:
        """The standing answers, by row."""
        return {row: entry for row, entry in self.decisions.items() if entry.act == ANSWERED}

    @property
    def skipped(self) -> list[str]:
        """The rows left open, the one skipped longest ago first."""
        return [row for row, entry in self.decisions.items() if entry.act == SKIPPED]

    def last(self, tab: str | None = None) -> Entry | None:
        """The latest standing decision, of one browser tab or of all; what an undo takes back."""
        entries = [entry for entry in self.decisions.values() if tab in (None, entry.tab)]
        return entries[-1] if entries else None


def standing(entries: Sequence[Entry], work: Work) -> Standing:
    """What stands of one reviewer's entries, which are in the order in which they were written."""
    undone = {entry.undoes for entry in entries if entry.act == UNDONE}
    decisions: dict[str, Entry] = {}
    stale = 0
    for entry in entries:
        if entry.act not in (ANSWERED, SKIPPED) or entry.key in undone:
            continue
        if is_of(entry, work):
            decisions.pop(entry.row, None)
            decisions[entry.row] = entry
        else:
            stale += entry.act == ANSWERED
    return Standing(entries[-1].person, decisions, stale)


def held_rows(entries: Iterable[Entry], tab: str, now: datetime | None = None) -> set[str]:
    """The rows that other browser tabs are looking at: each one's last entry gave it a row."""
    now = now or datetime.now(UTC)
    latest: dict[str, Entry] = {}
    for entry in entries:
        if entry.tab not in latest or latest[entry.tab].at <= entry.at:
            latest[entry.tab] = entry
    return {
        entry.row
        for of, entry in latest.items()
        if of != tab and entry.act == GIVEN and now - datetime.fromisoformat(entry.at) < HELD
    }
