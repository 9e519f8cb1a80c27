"""Work that reports as it goes, as a plain iterator: a thread of its own does it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")
# On Windows a wait without an end does not hear Ctrl-C.
LISTEN_SECONDS = 0.2


class _ClosedError(BaseException):
    """Nobody listens any more; nothing on the way may take it for a fault of its own."""


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


def in_background(work: Callable[[Callable[[Item], None]], None]) -> Iterator[Item]:
    """Run `work(found)` in a thread, begun with the first item asked for; yield what it finds.

    An empty item is a chance to be stopped, and goes no further. What `work` raises is raised
    here, after everything found before it. Closing the iterator stops the work where it next
    reports, and waits until it has stopped.
    """
    found: SimpleQueue[Item | _End] = SimpleQueue()
    closed = threading.Event()

    def report(item: Item) -> None:
        if closed.is_set():
            raise _ClosedError
        if item:
            found.put(item)

    def run() -> None:
        error: BaseException | None = None
        try:
            work(report)
        except _ClosedError:
            pass
        except BaseException as raised:
            error = raised
        found.put(_End(error))

    thread = threading.Thread(target=run, name="pengadil-writing", daemon=True)
    thread.start()
    try:
        while not isinstance(item := _next(found), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        closed.set()
        thread.join()


def _next(found: SimpleQueue[Item | _End]) -> Item | _End:
    """The next item, once there is one.

    A function of its own: in Python 3.11 a Ctrl-C that arrives as `continue` jumps out of an
    `except` skips the `finally` around it.
    """
    while True:
        try:
            return found.get(timeout=LISTEN_SECONDS)
        except Empty:
            continue
