"""What is wrong with a training is told in one go, before anything is paid for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers_runs import make_tiny_base
from helpers_training import cpu_only, write_recipe

from pengadil import hardware
from pengadil.data.bundled import load_bundled
from pengadil.data.slices import Slice
from pengadil.errors import PengadilError
from pengadil.hardware import Hardware
from pengadil.preflight import chat, run
from pengadil.preflight.libraries import misfits, unmet
from pengadil.preflight.run import Preflight, preflight
from pengadil.recipe import Recipe, load_recipe
from pengadil.records import write_jsonl
from pengadil.training.plan import choose_engine, make_plan

Recipes = Callable[..., Recipe]


@pytest.fixture(autouse=True)
def on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu_only(monkeypatch)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("model") / "base")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Recipes:
    path = write_recipe(tmp_path_factory.mktemp("recipe"), base)
    return lambda *overrides: load_recipe(path, overrides)


def told(flight: Preflight, level: str) -> str:
    return "\n".join(f"{f.check}: {f.text}" for f in flight.findings if f.level == level)


def test_where_nothing_is_wrong_there_is_a_plan_and_a_line_for_each_check(recipe: Recipes) -> None:
    flight = preflight(recipe("--data.validation", "contoh:10"))
    assert flight.plan is not None
    assert len(flight.plan.rows) == 48
    assert not flight.wrong
    assert {finding.check for finding in flight.findings} == {
        *("device", "libraries", "model", "rows", "validation", "chat", "memory", "disk")
    }
    assert "rows: 48 rows, none in a test slice, 50.0 % with label 1" in told(flight, "fine")
    assert "validation: 10 rows, every 1 steps" in told(flight, "fine")


def test_all_that_is_wrong_is_told_at_once_each_with_its_mend(
    recipe: Recipes, tmp_path: Path
) -> None:
    rows = load_bundled("contoh", "test", 3)
    write_jsonl(tmp_path / "leaking.jsonl", rows)
    leaking = recipe(
        *("--export.quant", "q9_9", "--model.name", str(tmp_path)),
        *("--data.train", str(tmp_path / "leaking.jsonl")),
        *("--train.engine", "unsloth"),
    )
    flight = preflight(leaking, [Slice("contoh", load_bundled("contoh", "test"), "", 200)])
    assert flight.plan is None
    assert [finding.check for finding in flight.wrong] == ["device", "export", "model", "rows"]
    wrong = told(flight, "wrong")
    for part in (
        "Use --train.engine auto",
        "q8_0",
        "a folder without config.json is not a model",
        "3 training rows",
        "they stand in the test slice contoh too",
    ):
        assert part in wrong
    assert all("\n" not in finding.text for finding in flight.wrong)


def test_rows_that_are_too_long_are_an_error_or_left_out_aloud(
    recipe: Recipes, tmp_path: Path
) -> None:
    rows = load_bundled("contoh", "train", 8)
    long = replace(rows[3], passage=rows[3].passage * 9)
    write_jsonl(tmp_path / "rows.jsonl", [*rows[:3], long, *rows[4:]])
    words = ("--data.train", str(tmp_path / "rows.jsonl"), "--data.max_length", "200")
    assert f"{long.id} (" in told(preflight(recipe(*words)), "wrong")
    flight = preflight(recipe(*words, "--data.long", "drop"))
    assert flight.plan is not None
    assert flight.plan.dropped == [long.id]
    assert f"1 of 8 rows are longer than data.max_length = 200 and are left out ({long.id}" in told(
        flight, "note"
    )


def test_rows_of_one_label_are_worth_a_note(recipe: Recipes, tmp_path: Path) -> None:
    rows = [row for row in load_bundled("contoh", "train", 16) if row.answer]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    flight = preflight(recipe("--data.train", str(tmp_path / "rows.jsonl")))
    assert "rows: all 8 have the label 1" in told(flight, "note")


def with_template(base: Path, folder: Path, template: str) -> Path:
    """The tiny model with another chat template."""
    folder.mkdir()
    for path in base.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("template", "wrong"),
    [
        (
            "{{ bos_token }}{{ bos_token }}{{ messages[0]['content'] }}",
            "the beginning-of-text token twice",
        ),
        ("{{ bos_token }}always the same", "it leaves out what the user says"),
        ("{{ raise_exception('only tools') }}", "only tools"),
    ],
)
def test_a_template_that_no_judge_could_read_is_refused(
    recipe: Recipes, base: Path, tmp_path: Path, template: str, wrong: str
) -> None:
    model = with_template(base, tmp_path / "model", template)
    assert wrong in told(preflight(recipe("--model.name", str(model))), "wrong")


def test_what_is_unusual_in_a_template_is_noted(
    recipe: Recipes, base: Path, tmp_path: Path
) -> None:
    template = (
        "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}<think>{% endif %}"
    )
    model = with_template(base, tmp_path / "model", template)
    flight = preflight(recipe("--model.name", str(model)))
    notes = told(flight, "note")
    assert flight.plan is not None
    assert "padding and end-of-text are one token" in notes
    assert "writes no beginning-of-text token" in notes
    assert "writes an answered turn otherwise" in notes


def test_a_target_without_its_end_is_refused(recipe: Recipes) -> None:
    plan = make_plan(recipe())
    cut = replace(plan.rows[0], ids=plan.rows[0].ids[:-1])
    with pytest.raises(PengadilError, match=f"row {cut.id}: its target has no end-of-text token"):
        chat.check_rows(replace(plan, rows=[cut]))
    chat.check_rows(plan)


def test_several_processes_train_with_the_portable_engine(
    recipe: Recipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    turing = Hardware("cuda", "Tesla T4", (7, 5), 15 * 2**30, 4, 2, bf16_fast=False)
    monkeypatch.setattr(hardware, "_unsloth_obstacle", lambda *_: "")
    half = recipe("--model.dtype", "float16")
    assert choose_engine(half, turing).engine == "unsloth"
    assert choose_engine(recipe(), turing).engine == "portable"  # it asks for float32
    monkeypatch.setenv("WORLD_SIZE", "2")
    choice = choose_engine(half, turing)
    assert choice.engine == "portable"
    assert "2 processes train together, which unsloth does not" in choice.reason
    with pytest.raises(PengadilError, match="2 processes train together"):
        choose_engine(recipe("--train.engine", "unsloth"), turing)


def test_a_full_disk_is_known_before(recipe: Recipes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "free", lambda _: 1000)
    flight = preflight(recipe())
    assert [finding.check for finding in flight.wrong] == ["disk"]
    assert "0.0 GB free. Free some, or name another folder with --runs." in told(flight, "wrong")


def test_a_lack_of_memory_is_known_before(recipe: Recipes, monkeypatch: pytest.MonkeyPatch) -> None:
    detected = run.detect()
    monkeypatch.setattr(run, "detect", lambda: replace(detected, memory_bytes=2**20))
    flight = preflight(recipe())
    assert [finding.check for finding in flight.wrong] == ["memory"]


def test_the_libraries_here_fit_together() -> None:
    assert misfits() == []


def test_a_library_that_another_does_not_take_is_named_with_the_mend() -> None:
    there: dict[str, tuple[str, list[str]]] = {
        "unsloth": ("2026.10.7", ["trl<=1.15.0,!=0.19.0", "torch<2.15,>=2.4", "pillow"]),
        "trl": ("1.16.0", ["transformers>=4.56", 'torch<1; extra == "old"']),
        "torch": ("2.14.1", []),
    }
    [line] = unmet(["unsloth", "trl", "peft"], there.get)
    assert line.startswith("unsloth 2026.10.7 takes trl!=0.19.0,<=1.15.0, and 1.16.0 is installed.")
    assert "Run: python -m pip install 'trl!=0.19.0,<=1.15.0'" in line


def test_unsloths_needs_count_only_where_it_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    from pengadil.preflight import libraries

    found: dict[str, Any] = {"unsloth": ("1", ["torch<2"]), "torch": ("2.13.0+cpu", [])}
    monkeypatch.setattr(libraries, "_installed", found.get)
    assert misfits("portable") == []
    assert len(misfits("unsloth")) == 1


def test_a_findings_text_is_one_line_of_json_too(recipe: Recipes) -> None:
    flight = preflight(recipe())
    assert json.loads(json.dumps([finding.text for finding in flight.findings]))
    assert all("\n" not in finding.text for finding in flight.findings)
