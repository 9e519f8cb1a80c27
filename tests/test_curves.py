"""Curves of trainings: smoothed, drawn, counted and put into a page."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import pytest
from helpers_curves import ORPO, VALIDATIONS, log_row, make_run, validation_row
from hypothesis import given, settings
from hypothesis import strategies as st

from pengadil.curves.figures import headline, numbers_section, settings_section
from pengadil.curves.lines import places, smoothed, span_of, speeds
from pengadil.curves.page import read_all, write_curves
from pengadil.curves.panels import panels
from pengadil.curves.picture import COLOURS, curves_picture, scale_of
from pengadil.curves.reading import Curves, read_curves

ROOT = Path(__file__).parent.parent


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "smoke", validations=VALIDATIONS)


@settings(deadline=None)  # the first call imports pandas
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.integers(1, 30))
def test_a_smoothed_line_stays_between_what_it_averages(values: list[float], span: int) -> None:
    means, medians = smoothed(values, span, "mean"), smoothed(values, span, "median")
    assert len(means) == len(medians) == len(values)
    half = span // 2
    for at, (mean, median) in enumerate(zip(means, medians, strict=True)):
        around = sorted(values[max(0, at - half) : at + half + 1])
        room = 1e-6 * max(1.0, *map(abs, values))
        assert around[0] - room <= mean <= around[-1] + room
        assert mean == pytest.approx(sum(around) / len(around), abs=room)
        assert around[(len(around) - 1) // 2] <= median <= around[len(around) // 2]


def test_what_is_no_number_is_passed_over() -> None:
    assert smoothed([1.0, math.nan, 3.0, math.inf], 3, "mean") == [1.0, 2.0, 3.0, 3.0]
    assert math.isnan(smoothed([math.nan], 3, "median")[0])


def test_longer_trainings_are_averaged_over_more() -> None:
    assert [span_of(steps) for steps in (4, 400, 4000)] == [10, 10, 100]


def test_speeds_are_of_each_step_and_a_pause_hardly_moves_their_median(tmp_path: Path) -> None:
    rows = [log_row(n, seconds=n / 2 + (60 if n > 20 else 0)) for n in range(1, 41)]
    curves = read_curves(make_run(tmp_path / "run", rows))
    found = speeds(curves)
    assert len(found) == 39
    assert found[0] == 200.0
    assert found[19] == pytest.approx(100 / 60.5)
    assert set(smoothed(found, 10, "median")) == {200.0}


def test_a_line_may_stand_against_steps_tokens_or_time(run: Path) -> None:
    curves = read_curves(run)
    assert [places(curves, axis)[10] for axis in ("step", "tokens", "seconds")] == [10, 1000, 5]
    for panel in panels([curves], "tokens"):
        assert max(panel.traces[0].x) == 4000


def test_a_panel_for_each_figure_that_was_logged(run: Path, tmp_path: Path) -> None:
    drawn = {panel.title: panel for panel in panels([read_curves(run)])}
    assert list(drawn) == [
        *("Loss", "Answers right", "Validation accuracy", "Learning rate", "Tokens a second")
    ]
    [loss] = drawn["Loss"].traces
    assert (loss.faint[0], loss.faint[-1]) == (1.0, 1 / 40)
    [trace] = drawn["Validation accuracy"].traces
    assert (trace.x, trace.strong) == ([10, 20, 40], [0.6, 0.9, 0.8])
    assert (trace.low[1], trace.high[1]) == (0.8, 1.0)
    assert (trace.best, trace.baseline) == ((20, 0.9), 0.5)
    assert "48" in drawn["Validation accuracy"].note
    assert "Counted: verdicts." in drawn["Answers right"].note


def test_preferences_have_a_margin_and_verdicts_that_compare_with_other_methods(
    run: Path, tmp_path: Path
) -> None:
    figures = {"margin": 1.5, "verdicts": 0.7, "verdicts_low": 0.6, "verdicts_high": 0.8}
    figures |= {"verdicts_n": 40, "verdicts_majority": 0.5}
    rows = [log_row(n, accuracy=None, figures={"margin": n / 10}) for n in range(1, 41)]
    held = [validation_row(20, 0.4, True, metric="margin", figures=figures, majority=None)]
    orpo = read_curves(make_run(tmp_path / "orpo", rows, held, recipe=ORPO))
    drawn = {panel.title: panel for panel in panels([orpo])}
    assert list(drawn) == [
        *("Loss", "Validation accuracy", "Margin, chosen over rejected"),
        *("Learning rate", "Tokens a second"),
    ]
    training, held_out = drawn["Margin, chosen over rejected"].traces
    assert training.faint[9] == 1.0
    assert (held_out.x, held_out.strong, held_out.held_out) == ([20], [0.4], True)
    accuracy = drawn["Validation accuracy"]
    assert accuracy.traces[0].best == (20, 0.7)
    assert "held-out rows, 40." in accuracy.note
    assert "by margin." in accuracy.note
    numbers = dict(numbers_section([orpo]).rows)
    assert numbers["validation margin, best"] == "0.4 of 48 (95 % interval 0.3 to 0.5); step 20"
    assert numbers["validation accuracy, best"].startswith("70.0 % of 40 (95 % interval 60.0–80.0)")
    both = {panel.title: panel for panel in panels([read_curves(run), orpo])}
    assert [trace.run for trace in both["Validation accuracy"].traces] == [0, 1]
    assert "smoke 48; orpo 40" in both["Validation accuracy"].note


def test_a_validation_by_the_loss_has_no_majority(tmp_path: Path) -> None:
    held = [validation_row(20, 0.4, True, metric="loss", majority=None)]
    drawn = panels([read_curves(make_run(tmp_path / "run", validations=held))])
    [loss] = [panel for panel in drawn if panel.title == "Validation loss"]
    assert (loss.share, loss.traces[0].baseline) == (False, None)
    assert "Dashed" not in loss.note


def test_losses_of_different_methods_are_not_held_against_each_other(
    run: Path, tmp_path: Path
) -> None:
    other = make_run(tmp_path / "orpo", recipe=ORPO)
    loss, right, *_ = panels(read_all([run, other]))
    assert "Not one quantity, so not to be compared: smoke supervised loss (verdict); " in loss.note
    assert "orpo ORPO loss (beta 0.1)" in loss.note
    assert "orpo pairs whose chosen answer is preferred" in right.note
    same = make_run(tmp_path / "same")
    assert "Not one quantity" not in panels(read_all([run, same]))[0].note


def test_the_numbers_stand_in_a_table(run: Path) -> None:
    facts = {"engine": {"engine": "portable", "dtype": "float32"}, "recipe": "smoke"}
    facts["hardware"] = {"device_name": "a processor"}
    (run / "run.json").write_text(json.dumps({"status": "finished", **facts}), encoding="utf-8")
    curves = read_curves(run)
    rows = dict(numbers_section([curves]).rows)
    best = "90.0 % of 48 (95 % interval 80.0–100.0), majority 50.0 %"
    assert rows["validation accuracy, best"] == f"{best}; step 20"
    assert rows["validation accuracy, at last"].startswith("80.0 %")
    assert rows["seconds"] == "20.0 (0:20)"
    assert rows["tokens"] == "4,000"
    assert rows["tokens a second, by the clock"] == "200"
    assert (rows["engine"], rows["hardware"]) == ("portable", "a processor")
    assert (rows["recipe"], rows["number format"]) == ("smoke", "float32")
    assert rows["answers right, best"] == "93.8 %"
    assert headline([curves]).endswith(
        "; best validation (step 20): accuracy 90.0 % of 48 (95 % interval 80.0–100.0), "
        "majority 50.0 %"
    )


def test_an_unfinished_training_says_so(tmp_path: Path) -> None:
    rows = [log_row(n) for n in range(1, 13)]
    stopped = make_run(tmp_path / "stopped", rows, status="training")
    assert headline([read_curves(stopped)]).startswith("Not finished: 12 of 40 steps in 0:06, loss")
    ended = make_run(tmp_path / "ended", rows)
    assert headline([read_curves(ended)]).startswith("Ended after 12 of 40 steps")


def test_of_several_trainings_the_table_shows_what_differs(run: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", recipe='[train]\nloss = "completion"\n')
    section = settings_section(read_all([run, other]))
    assert section.columns == ("setting", "smoke", "other")
    assert section.rows == [["train.loss", "verdict", "completion"]]
    assert "2 other settings are the same" in section.note


def test_runs_of_one_name_are_told_apart_and_one_given_twice_is_one(tmp_path: Path) -> None:
    first, second = make_run(tmp_path / "a" / "smoke"), make_run(tmp_path / "b" / "smoke")
    assert [run.name for run in read_all([first, second, first])] == ["a/smoke", "b/smoke"]


def test_two_files_lie_in_the_run_folder(run: Path) -> None:
    written = write_curves(run)
    assert written == [run / "curves.png", run / "training.html"]
    assert written[0].read_bytes().startswith(b"\x89PNG")
    page = written[1].read_text(encoding="utf-8")
    assert page.count("<img ") == 5
    assert "http" not in page.replace("http-equiv", "")
    for text in ("Training smoke", "Validation accuracy", "90.0 % of 48", "train.loss"):
        assert text in page
    before = written[0].read_bytes()
    assert write_curves(run)[0].read_bytes() == before
    assert not list(run.glob("*.part"))


def test_names_that_would_be_formulas_or_markup_are_drawn_as_they_are(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name) for name in ("$x_{", "a$b$c")]
    for chosen in (runs[:1], runs):
        curves = read_all(chosen)
        drawn = panels(curves)
        names = [run.name for run in curves]
        assert curves_picture(drawn, names, scale_of(drawn, "step")).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "log",
    [
        [log_row(1, steps=1)],
        [log_row(n, loss=math.nan, accuracy=None, seconds=0, tokens=0) for n in (1, 2)],
        [log_row(n, loss=-1.0, learning_rate=0.0) for n in (1, 2)],
    ],
    ids=["one step", "nothing that is a number", "nothing above zero"],
)
def test_the_strangest_of_trainings_can_be_drawn(tmp_path: Path, log: list[dict[str, Any]]) -> None:
    run = make_run(tmp_path / "run", log, [validation_row(1, 0.5), validation_row(99, 0.5)])
    assert len(write_curves(run)) == 2


def test_more_trainings_than_colours(run: Path) -> None:
    one = read_curves(run)
    many = [Curves(f"run {n}", run, one.steps, one.seconds) for n in range(len(COLOURS) + 2)]
    drawn = panels(many)
    assert curves_picture(drawn, [run.name for run in many], scale_of(drawn, "step"))


def test_the_script_draws_one_run_in_place_and_several_elsewhere(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("curves_script", ROOT / "scripts" / "curves.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.chdir(tmp_path)
    script.main([str(run)])
    printed = capsys.readouterr().out
    assert "In numbers" in printed
    assert str(run / "training.html") in printed
    other = make_run(tmp_path / "orpo", recipe=ORPO)
    script.main([str(run), str(other), "--against", "seconds"])
    assert (tmp_path / "results" / "curves-smoke-orpo" / "curves.png").is_file()
    script.main([str(run), str(other), "--out", "both"])
    assert (tmp_path / "both" / "training.html").is_file()
    assert not (other / "curves.png").exists()
