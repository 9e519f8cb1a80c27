"""What a training shows: averages that settle, speed, and the time left."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pengadil.training import progress
from pengadil.training.portable import Step
from pengadil.training.progress import Shown, training_progress


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def made(step: int, loss: float = 0.5, accuracy: float = 0.75) -> Step:
    return Step(step, 100, loss, accuracy, learning_rate=8.2e-4, tokens=1000 * step)


def test_the_first_step_shows_what_it_was(clock: Clock) -> None:
    assert Shown().text(made(1)) == "loss 0.500, answers 75.0 %, lr 8.2e-04"


def test_speed_and_time_left_count_from_the_first_step_seen(clock: Clock) -> None:
    """Its own time is unknown, and those of a stopped run's earlier steps are no part of it."""
    shown = Shown()
    shown.text(made(51))
    clock.now += 4
    assert shown.text(made(53)).endswith("500 tokens/s, 1:34 left")
    clock.now += 94
    assert shown.text(made(100)).endswith("500 tokens/s, 0:00 left")


def test_the_averages_follow_slowly(clock: Clock) -> None:
    shown = Shown()
    for number in range(1, 31):
        shown.text(made(number, loss=1.0, accuracy=0.5))
    text = shown.text(made(31, loss=0.0, accuracy=1.0))
    assert text.startswith("loss 0.89")
    assert "answers 55" in text


def lines(capsys: pytest.CaptureFixture[str], clock: Clock, steps: Sequence[int]) -> list[str]:
    with training_progress("training [b]smoke[/b]") as on_step:
        for step in steps:
            on_step(made(step))
            clock.now += 6
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err.splitlines()


def test_without_a_terminal_a_line_now_and_then_and_one_at_the_end(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    shown = lines(capsys, clock, [1, 2, 3, 4, 5, 99, 100])
    assert [line.split(",")[0] for line in shown] == [
        f"training [b]smoke[/b]: step {step}/100" for step in (1, 4, 100)
    ]


def test_in_a_terminal_a_bar(
    capsys: pytest.CaptureFixture[str], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")
    drawn = [line for line in lines(capsys, clock, [1, 2, 100]) if "[b]smoke[/b]" in line]
    assert "training [b]smoke[/b]" in drawn[-1]
    assert "100/100 steps, loss 0.500, answers 75.0 %" in drawn[-1]
