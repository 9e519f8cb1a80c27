"""How much may be asked of the service."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from pengadil.serving.refusals import RefusedError

MEGABYTE = 1_000_000
# Callers whose requests are counted; of more, those are forgotten that have not asked for longest.
MOST_CALLERS = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """For one request: the bytes of its body, the rows it may need, the seconds it may take.

    For all: `at_once` requests are answered at a time; each caller may send `per_minute` requests
    a minute, or any number if 0.
    """

    body: int = 10 * MEGABYTE
    rows: int = 2000
    seconds: float = 60.0
    at_once: int = 64
    per_minute: float = 600.0


class PerMinute:
    """Lets each caller send so many requests a minute, at once or spread (a token bucket)."""

    def __init__(self, limit: float, now: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._now = limit, now
        self._callers: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def enter(self, caller: str) -> None:
        """Count a request; RefusedError, with the seconds to wait, beyond the limit."""
        if not self._limit:
            return
        now = self._now()
        left, before = self._callers.pop(caller, (self._limit, now))
        left = min(self._limit, left + (now - before) * self._limit / 60)
        enough = left >= 1
        self._callers[caller] = (left - enough, now)
        while len(self._callers) > MOST_CALLERS:
            self._callers.popitem(last=False)
        if not enough:
            raise RefusedError(
                429,
                "this client's requests",
                f"more than {self._limit:g} a minute",
                "Wait as long as Retry-After says, send several statements in one request, or "
                "start the service with a higher --per-minute.",
                math.ceil((1 - left) * 60 / self._limit),
            )
