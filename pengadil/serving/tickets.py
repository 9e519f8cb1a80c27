"""A request's claim on the judge: until when it waits, how much it may ask, and when it gave up."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError, Future
from contextvars import ContextVar
from typing import Any, TypeVar

from pengadil.serving.refusals import RefusedError, late

Found = TypeVar("Found")


class ClientGoneError(Exception):
    """Nobody waits for this request's answer any more."""


class Ticket:
    """What one request waits for; it may be cancelled from any thread.

    `seconds` is how long it waits in all, `rows` how many rows the judge may read at once for it.
    """

    def __init__(self, seconds: float, rows: int) -> None:
        self.seconds, self.rows = seconds, rows
        self._until = time.monotonic() + seconds
        self._cancelled = False
        self._lock = threading.Lock()
        self._waiting: set[Future[Any]] = set()

    def enter(self, future: Future[Any], rows: int) -> None:
        """Begin to wait for so many rows.

        Raises RefusedError where they are too many, ClientGoneError where nobody waits any more.
        """
        if rows > self.rows:
            raise RefusedError(
                413,
                f"{rows} rows to judge (sentences times parts of documents)",
                f"more than the {self.rows} that one request may need",
                "Send fewer statements at once, or start the service with a higher --most-rows.",
            )
        with self._lock:
            self.check()
            self._waiting.add(future)

    def check(self) -> None:
        """Raise ClientGoneError where nobody waits any more."""
        if self._cancelled:
            raise ClientGoneError

    def wait(self, future: Future[Found]) -> Found:
        """What comes of it, or what it raises.

        Raises RefusedError when the time is up, ClientGoneError when nobody waits any more.
        """
        try:
            return future.result(max(0.0, self._until - time.monotonic()))
        except CancelledError:
            raise ClientGoneError from None
        except TimeoutError:
            if future.cancel():
                raise late(self.seconds) from None
            return future.result()  # it came in the last moment, or is a time-out of the judge's
        finally:
            with self._lock:
                self._waiting.discard(future)

    def cancel(self) -> None:
        """Nobody waits any more: rows that are not yet judged are dropped."""
        with self._lock:
            self._cancelled = True
            waiting = list(self._waiting)
        for future in waiting:
            future.cancel()


# The ticket of the request that a thread works for; None outside a request.
CURRENT: ContextVar[Ticket | None] = ContextVar("ticket", default=None)
