"""Watching a kernel until it ends."""

from __future__ import annotations

import time
from collections.abc import Callable

from pengadil.errors import PengadilError
from pengadil.remote.faults import PassingError
from pengadil.remote.service import COMPLETE, Service, State
from pengadil.verbs import shown

# Seconds between two looks: soon after the push, and seldom in a run of hours.
FIRST, LONGEST, GROWTH = 10.0, 300.0, 1.4
# Looks in a row that may fail before it is given up.
FAILURES = 8
SECONDS_BETWEEN_LINES = 900
TAIL = 40


def follow(
    service: Service,
    kernel: str,
    say: Callable[[str], None] = print,
    pause: Callable[[float], None] = time.sleep,
) -> State:
    """Look at a kernel until it has ended, with growing pauses; returns its last state.

    `say` is told when the state changes, and every quarter of an hour. A passing fault is told
    and tried again; PassingError is raised after the eighth in a row.
    """
    wait, failed, waited, told_at = FIRST, 0, 0.0, 0.0
    before = ""
    while True:
        try:
            state = service.state(kernel)
            failed = 0
        except PassingError as error:
            failed += 1
            if failed == FAILURES:
                raise
            say(f"{clock(waited)}  {error.wrong}; trying again")
        else:
            if state.name != before or waited - told_at >= SECONDS_BETWEEN_LINES:
                say(f"{clock(waited)}  {state.name.replace('_', ' ')}")
                before, told_at, wait = state.name, waited, wait if state.name == before else FIRST
            if state.ended:
                return state
        pause(wait)
        waited += wait
        wait = min(wait * GROWTH, LONGEST)


def watch(service: Service, kernel: str, say: Callable[[str], None] = print) -> int:
    """Follow a kernel, and say what to do next; 0 when it has come to its end.

    Raises PengadilError when it failed or was cancelled, after the end of its log.
    """
    state = follow(service, kernel, say)
    if state.name == COMPLETE:
        say(shown("next: python kaggle/pull.py"))
        return 0
    say(tail(service.log(kernel)))
    why = f" ({state.message})" if state.message else ""
    raise PengadilError(
        kernel,
        f"ended as {state.name.replace('_', ' ')}{why}",
        "Above is the end of its log; python kaggle/pull.py fetches what it has kept.",
    )


def tail(log: str, lines: int = TAIL) -> str:
    """The last lines of a log; of a line that redraws itself only what it showed last."""
    shown = [line.rstrip().rpartition("\r")[2] for line in log.splitlines()]
    return "\n".join([line for line in shown if line.strip()][-lines:])


def clock(seconds: float) -> str:
    """4980 seconds as "1:23": hours and minutes."""
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02d}"
