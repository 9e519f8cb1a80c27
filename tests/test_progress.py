"""What a training shows: averages that settle, speed, the time left, validations and notices."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pengadil.training import progress
from pengadil.training.measured import measured, validation_text
from pengadil.training.progress import Shown, duration, training_progress
from pengadil.training.watch import Step, Validation

FOUND = Validation(50, "accuracy", 0.7083, 0.568, 0.8176, 48, majority=0.5, best=True)


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
    monkeypatch.setattr(progress, "peak_memory", lambda: {"main": 3 * 2**30, "cuda": 2**29})
    return clock


def made(step: int, loss: float = 0.5, accuracy: float | None = 0.75, **figures: float) -> Step:
    return Step(step, 100, loss, accuracy, 8.2e-4, 1000 * step, figures)


def test_the_first_step_shows_what_it_was(clock: Clock) -> None:
    assert Shown().text(made(1)) == "loss 0.500, answers 75.0 %, lr 8.2e-04"


def test_what_a_method_does_not_measure_is_left_out(clock: Clock) -> None:
    assert Shown().text(made(1, accuracy=None)) == "loss 0.500, lr 8.2e-04"
    shown = Shown().text(made(1, margin=0.25))
    assert shown == "loss 0.500, answers 75.0 %, margin 0.250, lr 8.2e-04"


def test_speed_and_time_left_count_from_the_first_step_seen(clock: Clock) -> None:
    """Its own time is unknown, and those of a stopped run's earlier steps are no part of it."""
    shown = Shown()
    shown.text(made(51))
    clock.now += 4
    assert shown.text(made(53)).endswith("500 tokens/s, 1:34 left")
    clock.now += 94
    assert shown.text(made(100)).endswith("500 tokens/s, 0:00 left")


def test_a_time_limit_that_comes_first_is_told(clock: Clock) -> None:
    shown = Shown(deadline=clock.now + 64)
    shown.text(made(51))
    clock.now += 4
    assert shown.text(made(53)).endswith("1:34 left, stops to go on later in 1:00")
    clock.now += 61
    assert shown.text(made(55)).endswith("stops to go on later in 0:00")
    assert "stops" not in Shown(deadline=clock.now + 9e9).text(made(53))


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0.4, 102, 3599.6, 36120)] == [
        *("0:00", "1:42", "1:00:00", "10:02:00")
    ]


def test_the_averages_follow_slowly(clock: Clock) -> None:
    shown = Shown()
    for number in range(1, 31):
        shown.text(made(number, loss=1.0, accuracy=0.5))
    text = shown.text(made(31, loss=0.0, accuracy=1.0))
    assert text.startswith("loss 0.89")
    assert "answers 55" in text


def test_a_validation_in_words() -> None:
    assert validation_text(FOUND) == (
        "step 50: validation accuracy 70.8 % of 48 (95 % interval 56.8–81.8), majority 50.0 %, "
        "best so far"
    )
    loss = Validation(1000, "loss", 1.23456, 1.1, 1.4, 1200)
    assert validation_text(loss) == (
        "step 1,000: validation loss 1.23 of 1,200 (95 % interval 1.1 to 1.4)"
    )


def test_a_validation_by_another_metric_tells_its_accuracy_too() -> None:
    figures = {"verdicts": 0.7083, "verdicts_low": 0.568, "verdicts_high": 0.8176}
    rest = {"verdicts_n": 48.0, "verdicts_majority": 0.5, "log_odds": 0.3, "pairs": 0.9}
    rest |= {"pairs_low": 0.8, "pairs_high": 0.95}
    margin = Validation(50, "margin", 0.5, 0.25, 0.75, 96, best=True, figures={**figures, **rest})
    assert validation_text(margin) == (
        "step 50: validation margin 0.5 of 96 (95 % interval 0.25 to 0.75); accuracy 70.8 % of 48 "
        "(95 % interval 56.8–81.8), majority 50.0 %, best so far"
    )
    assert list(measured(margin)) == ["margin", "accuracy", "pairs"]
    assert measured(margin)["pairs"].n == 96
    assert measured(FOUND) == {"accuracy": FOUND}
    more = Validation(50, "accuracy", 0.5, 0.4, 0.6, 48, figures=figures)
    assert measured(more)["accuracy"].value == 0.5


def lines(capsys: pytest.CaptureFixture[str], clock: Clock, steps: Sequence[int]) -> list[str]:
    with training_progress("training [b]smoke[/b]", deadline=9e9) as watch:
        assert watch.deadline == 9e9
        for step in steps:
            watch.on_step(made(step))
            if step == 2:
                watch.on_validation(FOUND)
                watch.say("out of memory: micro-batch 8 -> 4")
            clock.now += 6
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err.splitlines()


def test_without_a_terminal_a_line_now_and_then_and_one_at_the_end(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    shown = lines(capsys, clock, [1, 2, 3, 4, 5, 99, 100])
    assert all(line.startswith("training [b]smoke[/b]: ") for line in shown)
    said = [line.split(": ", 1)[1] for line in shown]
    assert [text.split(",")[0] for text in said[:1] + said[3:5]] == [
        f"step {step}/100" for step in (1, 4, 100)
    ]
    assert said[1:3] == [validation_text(FOUND), "out of memory: micro-batch 8 -> 4"]
    assert said[5:] == [
        "100 of 100 steps, 2750 tokens/s, most memory held: 3.0 GiB (main), 0.5 GiB (cuda)"
    ]


def test_going_on_is_told_once(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    shown = lines(capsys, clock, [51, 52, 100])
    assert shown[0] == "training [b]smoke[/b]: going on from step 50"
    assert sum("going on" in line for line in shown) == 1


def test_a_training_that_made_no_step_says_nothing(
    capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    assert lines(capsys, clock, []) == []
    assert len(lines(capsys, clock, [1])) == 1


def test_in_a_terminal_a_bar_and_what_is_said_above_it(
    capsys: pytest.CaptureFixture[str], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")
    shown = lines(capsys, clock, [1, 2, 100])
    drawn = [line for line in shown if "[b]smoke[/b]" in line]
    assert "training [b]smoke[/b]" in drawn[-1]
    assert "100/100 steps, loss 0.500, answers 75.0 %" in drawn[-1]
    for text in (validation_text(FOUND), "out of memory: micro-batch 8 -> 4"):
        assert any(line.rstrip().endswith(text) for line in shown)
