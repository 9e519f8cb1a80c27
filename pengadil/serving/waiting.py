"""The rows that wait for the judge, and who is next."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

from pengadil.prompts import Prompt
from pengadil.records import Example, Judgement
from pengadil.serving.refusals import stopping


@dataclass(eq=False)
class Call:
    """Rows that somebody asked for together; `future` gets their judgements in their order.

    They are judged in one batch or in several, with the rows of other calls.
    """

    rows: Sequence[Example]
    prompt: Prompt
    mode: str
    future: Future[list[Judgement]] = field(default_factory=Future)
    _taken: int = 0
    _found: dict[int, Judgement] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """Rows that nobody has taken yet; 0 when nobody waits for them."""
        return 0 if self.future.done() else len(self.rows) - self._taken

    def take(self, most: int) -> list[Row]:
        """The next rows, at most so many."""
        first = self._taken
        self._taken = min(len(self.rows), first + most)
        return [Row(self, place) for place in range(first, self._taken)]

    def give(self, place: int, judgement: Judgement) -> None:
        """The judgement of one row."""
        self._found[place] = judgement
        if len(self._found) == len(self.rows):
            with suppress(InvalidStateError):  # it was cancelled meanwhile
                self.future.set_result([self._found[at] for at in range(len(self.rows))])

    def fail(self, error: BaseException) -> None:
        """The same error for the whole call."""
        with suppress(InvalidStateError):
            self.future.set_exception(error)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a call."""

    call: Call
    place: int

    @property
    def example(self) -> Example:
        return self.call.rows[self.place]


class Line:
    """Calls in the order they came.

    A call that is too long for a batch goes on behind those that came after it: a long document
    holds nobody up, and the rows of a short call, which mostly share a document, stay together.
    """

    def __init__(self) -> None:
        self._calls: deque[Call] = deque()
        self._changed = threading.Condition()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether no more calls are taken."""
        return self._closed

    def depth(self) -> int:
        """Rows that wait."""
        with self._changed:
            return sum(call.left for call in self._calls)

    def put(self, call: Call) -> None:
        """Stand at the end of the line; RefusedError when it is closed."""
        with self._changed:
            if self._closed:
                raise stopping()
            self._calls.append(call)
            self._changed.notify_all()

    def take(self, most: int, wait: float) -> list[Row]:
        """The rows of the next batch, all of one prompt and mode; none when the line is closed.

        From the first row on, `wait` seconds are waited for others, unless `most` are there.
        """
        with self._changed:
            while not self._closed:
                self._changed.wait_for(lambda: self._closed or self._waiting())
                self._changed.wait_for(lambda: self._closed or self._waiting() >= most, wait)
                # Those that were there may have left meanwhile.
                if not self._closed and (rows := self._next(most)):
                    return rows
            return []

    def close(self) -> None:
        """Take no more calls, and refuse those that wait."""
        with self._changed:
            self._closed = True
            waiting, self._calls = self._calls, deque()
            self._changed.notify_all()
        for call in waiting:
            call.fail(stopping())

    def _waiting(self) -> int:
        """Rows that wait; calls that nobody waits for leave the line."""
        self._calls = deque(call for call in self._calls if call.left)
        return sum(call.left for call in self._calls)

    def _next(self, most: int) -> list[Row]:
        rows: list[Row] = []
        others: list[Call] = []
        again: list[Call] = []
        while self._calls and len(rows) < most:
            call = self._calls.popleft()
            if rows and not _alike(rows[0].call, call):
                others.append(call)
                continue
            rows += call.take(most - len(rows))
            if call.left:
                again.append(call)
        self._calls = deque([*others, *self._calls, *again])
        return rows


def _alike(one: Call, other: Call) -> bool:
    """Whether a judge can answer both in one go."""
    return (one.mode, one.prompt) == (other.mode, other.prompt)
