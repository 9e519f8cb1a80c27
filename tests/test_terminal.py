"""What the terminal shows of an evaluation, with and without anyone watching."""

from __future__ import annotations

import time

import pytest

from pengadil import terminal
from pengadil.terminal import rows_progress


def test_without_a_terminal_there_is_a_line_at_the_start_and_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with rows_progress("contoh [a]") as on_progress:
        for done in (0, 1, 2, 3):
            on_progress(done, 3)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "contoh [a]: 0/3 rows"
    assert len(lines) == 2
    assert lines[1].startswith("contoh [a]: 3/3 rows, ")


def test_speed_leaves_out_the_rows_of_an_earlier_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 100.0, 110.0, 120.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    speed = terminal._Speed()
    assert speed.text(80, 200) == ""
    assert speed.text(100, 200) == "2.0 rows/s, ETA 0:50"
    assert speed.text(101, 200) == "1.1 rows/s, ETA 1:34"


def test_on_a_terminal_there_is_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with rows_progress("contoh [a]") as on_progress:
        on_progress(0, 3)
        on_progress(3, 3)
    shown = capsys.readouterr().err
    assert "contoh [a]" in shown
    assert "ETA" in shown
