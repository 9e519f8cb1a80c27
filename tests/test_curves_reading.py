"""Logs of trainings read back: finished, stopped, still being written, or broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers_curves import VALIDATIONS, log_row, make_run

from pengadil.curves.figures import headline, settings_section
from pengadil.curves.page import write_curves
from pengadil.curves.reading import read_curves
from pengadil.errors import PengadilError


def test_a_training_is_read_back(tmp_path: Path) -> None:
    run = make_run(tmp_path / "smoke", validations=VALIDATIONS)
    curves = read_curves(run)
    assert curves.name == "smoke"
    assert [step.step for step in curves.steps] == list(range(1, 41))
    assert curves.seconds[-1] == 20.0
    assert [found.value for found in curves.validations] == [0.6, 0.9, 0.8]
    assert curves.best == curves.validations[1]
    assert (curves.finished, curves.method) == (True, "sft")


def test_a_log_that_is_being_written_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [log_row(1), log_row(2)], status="training")
    with (run / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 3, "ste')
    assert [step.step for step in read_curves(run).steps] == [1, 2]
    assert (run / "log.jsonl").read_text(encoding="utf-8").endswith('"ste')


def test_steps_made_twice_count_once_and_unknown_fields_not(tmp_path: Path) -> None:
    rows = [log_row(1), log_row(2, loss=9.0), log_row(2, loss=0.25, news=1), log_row(3)]
    curves = read_curves(make_run(tmp_path / "run", rows))
    assert [step.loss for step in curves.steps] == [1.0, 0.25, 1 / 3]


def test_a_run_needs_neither_recipe_nor_facts(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    for name, text in (("recipe.toml", "= ["), ("run.json", "[")):
        (run / name).write_text(text, encoding="utf-8")
        assert headline([read_curves(run)]).startswith("40 steps")
        (run / name).unlink()
    curves = read_curves(run)
    assert (curves.recipe, curves.facts) == ({}, {})
    assert settings_section([curves]) is None


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("nonsense", "line 2.*not a line of a training's log"),
        ('{"loss": 1}', "line 2.*not a line of a training's log"),
        ('{"step": 2, "steps": 3}', "step 2: no field 'loss'"),
    ],
)
def test_a_broken_log_is_named(tmp_path: Path, line: str, wrong: str) -> None:
    run = make_run(tmp_path / "run", [log_row(1)])
    with (run / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(PengadilError, match=wrong):
        read_curves(run)


def test_without_a_logged_step_there_is_nothing_to_draw(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", make_run(tmp_path / "run", [])):
        with pytest.raises(PengadilError, match="no step is logged"):
            write_curves(folder)
        assert not (folder / "curves.png").exists()
