"""What a training shows while it runs: loss, answers right, speed, the time left, validations."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pengadil.hardware import peak_memory
from pengadil.training.measured import validation_text
from pengadil.training.watch import Step, Watch
from pengadil.wording import percent

if TYPE_CHECKING:
    from rich.console import Console

Shows = tuple[Callable[[Step], None], Callable[[str], None]]

SMOOTHING = 0.9  # share of the old value in the shown loss and accuracy
SECONDS_BETWEEN_LINES = 15.0
GIB = 2**30


class Shown:
    """The running averages behind the bar.

    `first` is the first step seen: its own time is unknown, and those of a stopped run's earlier
    steps are no part of the speed. `deadline` is a value of time.monotonic().
    """

    def __init__(self, deadline: float | None = None) -> None:
        self.first: Step | None = None
        self.last: Step | None = None
        self.seconds = 0.0
        self._deadline = deadline
        self._began = 0.0
        self._averages: dict[str, tuple[float, float]] = {}  # of each figure: sum, weight

    def text(self, step: Step) -> str:
        """ "loss 0.312, answers 93.1 %, lr 8.2e-04, 820 tokens/s, 1:42 left"."""
        now = time.monotonic()
        if self.first is None:
            self.first, self._began = step, now
        self.last, self.seconds = step, now - self._began
        parts = [f"loss {self._average('loss', step.loss):.3f}"]
        if step.accuracy is not None:
            parts.append(f"answers {percent(self._average('answers', step.accuracy))}")
        if "margin" in step.figures:
            parts.append(f"margin {self._average('margin', step.figures['margin']):.3f}")
        parts.append(f"lr {step.learning_rate:.1e}")
        done = step.step - self.first.step
        if self.seconds > 0 and done:
            left = self.seconds / done * (step.steps - step.step)
            parts.append(f"{(step.tokens - self.first.tokens) / self.seconds:.0f} tokens/s")
            parts.append(self._time_left(left, now))
        return ", ".join(parts)

    def closing(self) -> str:
        """ "200 of 200 steps, 820 tokens/s, most memory held: ..."; empty before a second step."""
        if self.first is None or self.last is None or self.last is self.first:
            return ""
        parts = [f"{self.last.step} of {self.last.steps} steps"]
        if self.seconds > 0:
            tokens = self.last.tokens - self.first.tokens
            parts.append(f"{tokens / self.seconds:.0f} tokens/s")
        held = ", ".join(f"{size / GIB:.1f} GiB ({kind})" for kind, size in peak_memory().items())
        return ", ".join([*parts, f"most memory held: {held}"])

    def _average(self, name: str, value: float) -> float:
        total, weight = self._averages.get(name, (0.0, 0.0))
        total = SMOOTHING * total + (1 - SMOOTHING) * value
        weight = SMOOTHING * weight + 1 - SMOOTHING
        self._averages[name] = total, weight
        return total / weight

    def _time_left(self, left: float, now: float) -> str:
        if self._deadline is not None and now + left > self._deadline:
            pause = duration(max(0.0, self._deadline - now))
            return f"{duration(left)} left, stops to go on later in {pause}"
        return f"{duration(left)} left"


def duration(seconds: float) -> str:
    """102 as "1:42", 36120 as "10:02:00"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextmanager
def training_progress(what: str, deadline: float | None = None) -> Iterator[Watch]:
    """Yields the Watch that shows a training; without a terminal, a line now and then.

    `deadline`, a value of time.monotonic(), is handed on in the Watch.
    """
    from rich.console import Console

    console = Console(stderr=True, markup=False, highlight=False)
    shown = Shown(deadline)
    showing = _bar if console.is_terminal else _lines
    with showing(console, what, shown) as (show, say):

        def on_step(step: Step) -> None:
            if shown.first is None and step.step > 1:
                say(f"going on from step {step.step - 1}")
            show(step)

        yield Watch(on_step, lambda found: say(validation_text(found)), say, deadline)
        if closing := shown.closing():
            say(closing)


@contextmanager
def _lines(console: Console, what: str, shown: Shown) -> Iterator[Shows]:
    written = 0.0

    def say(text: str) -> None:
        console.print(f"{what}: {text}", soft_wrap=True)

    def show(step: Step) -> None:
        nonlocal written
        text = shown.text(step)
        if step.step == step.steps or time.monotonic() - written >= SECONDS_BETWEEN_LINES:
            written = time.monotonic()
            say(f"step {step.step}/{step.steps}, {text}")

    yield show, say


@contextmanager
def _bar(console: Console, what: str, shown: Shown) -> Iterator[Shows]:
    """A bar at the foot of the terminal; what is said appears above it."""
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn(escape(what)),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("steps, {task.fields[text]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=None, text="")

        def show(step: Step) -> None:
            progress.update(task, completed=step.step, total=step.steps, text=shown.text(step))

        yield show, lambda text: console.print(text, soft_wrap=True)
