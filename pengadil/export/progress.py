"""What the terminal shows of an export: its steps, each with the time it takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pengadil.export.gguf import Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

# Where no one watches a bar (a log file, a pipe), a line is written this often.
SECONDS_BETWEEN_LINES = 15.0


@contextmanager
def export_progress() -> Iterator[Progress]:
    """Bars in a terminal, a line a step elsewhere; yields `export_gguf`'s `progress`."""
    from rich.console import Console

    console = Console(stderr=True, markup=False, highlight=False)
    with _bars(console) if console.is_terminal else _lines(console) as progress:
        yield progress


@contextmanager
def _bars(console: Console) -> Iterator[Progress]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Bars(*columns, console=console) as bars:

        def end_steps() -> None:
            # A step without a count is over when the next one begins.
            for task in bars.tasks:
                if not task.finished:
                    bars.update(task.id, total=task.total or 1, completed=task.total or 1)

        def progress(step: str, done: int, total: int) -> None:
            if step not in tasks:
                end_steps()
                tasks[step] = bars.add_task(step, total=total or None)
            bars.update(tasks[step], completed=done)

        yield progress
        end_steps()


@contextmanager
def _lines(console: Console) -> Iterator[Progress]:
    """Each step's name as it begins, and the seconds that the one before took."""
    step_now, began = "", time.monotonic()
    written = began

    def end_step() -> None:
        if step_now:
            console.print(f"{step_now}: {time.monotonic() - began:.1f} s")

    def progress(step: str, done: int, total: int) -> None:
        nonlocal step_now, began, written
        now = time.monotonic()
        if step != step_now:
            end_step()
            step_now, began, written = step, now, now
            console.print(f"{step} ...")
        elif done < total and now - written >= SECONDS_BETWEEN_LINES:
            written = now
            left = (now - began) / max(1, done) * (total - done)
            console.print(f"{step}: {done}/{total} rows, ETA {left:.0f} s")

    yield progress
    end_step()
