"""What a training shows while it runs: a bar with loss, verdicts right, speed and the time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pengadil.wording import percent

if TYPE_CHECKING:
    from pengadil.training.portable import Step

SMOOTHING = 0.9  # share of the old value in the shown loss and accuracy
SECONDS_BETWEEN_LINES = 15.0


class Shown:
    """The running averages behind the bar."""

    def __init__(self) -> None:
        self._loss = self._accuracy = 0.0
        self._weight = 0.0
        self._began: tuple[float, Step] | None = None

    def text(self, step: Step) -> str:
        """ "loss 0.312, answers 93.1 %, lr 8.2e-04, 820 tokens/s, 1:42 left"."""
        now = time.monotonic()
        self._weight = SMOOTHING * self._weight + 1 - SMOOTHING
        self._loss = SMOOTHING * self._loss + (1 - SMOOTHING) * step.loss
        self._accuracy = SMOOTHING * self._accuracy + (1 - SMOOTHING) * step.accuracy
        parts = [
            f"loss {self._loss / self._weight:.3f}",
            f"answers {percent(self._accuracy / self._weight)}",
            f"lr {step.learning_rate:.1e}",
        ]
        if self._began is None:
            self._began = now, step
        began, first = self._began
        if now > began and step.step > first.step:
            seconds = (now - began) / (step.step - first.step)
            minutes, rest = divmod(round(seconds * (step.steps - step.step)), 60)
            parts.append(f"{(step.tokens - first.tokens) / (now - began):.0f} tokens/s")
            parts.append(f"{minutes}:{rest:02d} left")
        return ", ".join(parts)


@contextmanager
def training_progress(what: str) -> Iterator[Callable[[Step], None]]:
    """Yields the callback for each optimizer step; without a terminal, a line now and then."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True, markup=False, highlight=False)
    shown = Shown()
    if not console.is_terminal:
        written = 0.0

        def on_line(step: Step) -> None:
            nonlocal written
            text = shown.text(step)
            if step.step == step.steps or time.monotonic() - written >= SECONDS_BETWEEN_LINES:
                written = time.monotonic()
                console.print(f"{what}: step {step.step}/{step.steps}, {text}", soft_wrap=True)

        yield on_line
        return
    columns = (
        TextColumn(escape(what)),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("steps, {task.fields[text]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=None, text="")

        def on_step(step: Step) -> None:
            progress.update(task, completed=step.step, total=step.steps, text=shown.text(step))

        yield on_step
