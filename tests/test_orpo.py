"""ORPO: trainings that go on and change nothing, a preference that moves, and TRL's versions."""

from __future__ import annotations

import importlib.metadata
import math
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers_orpo import (
    Recipes,
    recipe,
    recipe_file,
    share_apart,
    write_preferences,
)
from helpers_training import difference, killed, log, stopped, trained

from pengadil.data.bundled import load_bundled
from pengadil.errors import PengadilError
from pengadil.prompts import load_prompt
from pengadil.recipe import load_recipe
from pengadil.runs import Run
from pengadil.training import orpo, run
from pengadil.training.orpo_scores import PairModel
from pengadil.training.orpo_trainer import orpo_classes
from pengadil.training.orpo_validation import Preferred, summarise
from pengadil.training.plan import Plan, make_plan
from pengadil.training.portable import load_adapted
from pengadil.training.watch import Watch

__all__ = ["recipe", "recipe_file"]

VALIDATED = ("--data.validation", "contoh:12", "--train.validate_every", "3")


@pytest.fixture(scope="module")
def undisturbed(recipe: Recipes, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(recipe(), tmp_path_factory.mktemp("undisturbed"))


# The training


def test_the_log_tells_what_is_preferred(undisturbed: Run) -> None:
    lines = log(undisturbed)
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    for line in lines:
        assert line["figures"].keys() == {"likelihood", "margin", "log_odds"}
        assert line["loss"] > line["figures"]["likelihood"] > 0
        assert line["accuracy"] * 8 in range(9)
    assert lines[0]["learning_rate"] == pytest.approx(1e-3)


def test_the_size_of_a_micro_batch_changes_nothing(recipe: Recipes, tmp_path: Path) -> None:
    """Not even in a last step that is not full."""
    some = ("--data.train", "contoh:27")
    large = trained(recipe(*some), tmp_path / "8")
    small = trained(recipe(*some, "--train.micro_batch_size", "2"), tmp_path / "2")
    for one, other in zip(log(small), log(large), strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)
        assert one["figures"] == pytest.approx(other["figures"], rel=1e-3, abs=1e-5)
    assert share_apart(small, large) < 0.01


def test_memory_that_does_not_suffice_changes_nothing_but_the_pairs_at_once(
    recipe: Recipes, undisturbed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(model: PairModel, **batch: Any) -> Any:
        if len(batch["input_ids"]) > 2:
            raise MemoryError("no more")
        return computed(model, **batch)

    computed = PairModel.forward
    monkeypatch.setattr(PairModel, "forward", forward)
    said: list[str] = []
    assert share_apart(trained(recipe(), tmp_path, say=said.append), undisturbed) < 0.01
    assert [text.split(";")[0] for text in said] == [
        "out of memory: 4 rows at once instead of 8",
        "out of memory: 2 rows at once instead of 4",
    ]


def test_killed_it_goes_on_to_the_same_adapter(
    recipe_file: Path, undisturbed: Run, tmp_path: Path
) -> None:
    left = killed(recipe_file, tmp_path, "fifth step")
    assert {path.name for path in left.checkpoints.iterdir()} == {"checkpoint-2", "checkpoint-4"}
    steps: list[int] = []
    assert trained(load_recipe(recipe_file), tmp_path, lambda step: steps.append(step.step)) == left
    assert steps == [5, 6]
    assert difference(left, undisturbed) < 1e-6


def test_dropout_is_the_recipes_and_goes_on_as_if_never_stopped(
    recipe: Recipes, undisturbed: Run, tmp_path: Path
) -> None:
    """TRL's trainer would take it out of the model."""
    dropping = recipe("--lora.dropout", "0.3")
    whole = trained(dropping, tmp_path / "whole")
    assert log(whole)[0]["loss"] == pytest.approx(log(undisturbed)[0]["loss"])  # B is still 0
    assert log(whole)[-1]["loss"] != pytest.approx(log(undisturbed)[-1]["loss"], rel=1e-6)
    stopped(dropping, tmp_path / "stopped", 3)
    assert difference(trained(dropping, tmp_path / "stopped"), whole) < 1e-6


def test_the_engines_train_the_same(
    recipe: Recipes, undisturbed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of Unsloth's path that a CPU can show: the adapted model is that of transformers."""
    from transformers import set_seed

    def load_unsloth(plan: Plan) -> Any:
        set_seed(plan.recipe.train.seed)
        return load_adapted(plan)

    monkeypatch.setattr("pengadil.training.unsloth_model.load_unsloth", load_unsloth)
    plan = make_plan(recipe(*VALIDATED, "--train.keep", "last"))
    monkeypatch.setattr(run, "trainer_of", lambda plan: orpo.train_orpo)
    runs = []
    for engine in ("portable", "unsloth"):
        this = replace(plan, choice=replace(plan.choice, engine=engine))
        found, _ = run.find_or_start(this, tmp_path / engine)
        run.train(this, found, Watch())
        runs.append(found)
    portable, unsloth = runs
    assert share_apart(portable, unsloth) < 0.01
    assert share_apart(unsloth, undisturbed) < 0.01
    first, second = (run.read_validations(found) for found in runs)
    for one, other in zip(first, second, strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-5)
        assert one.figures == pytest.approx(other.figures, abs=1e-4)


def test_nothing_is_sent_and_no_card_is_written(
    recipe: Recipes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl.trainer import base_trainer

    def send(**_: Any) -> None:
        raise AssertionError("TRL tells its makers of this training")

    monkeypatch.setattr(base_trainer, "send_telemetry", send)
    monkeypatch.delenv("CI", raising=False)
    left = stopped(recipe(), tmp_path, 5)
    assert not list(left.folder.rglob("README*"))
    assert not list(left.folder.rglob("*.bin"))


def test_a_pair_that_is_too_long_stops_the_plan(recipe: Recipes) -> None:
    with pytest.raises(PengadilError, match=r"48 rows: contoh\S+ \(\d+ tokens\)"):
        make_plan(recipe("--data.max_length", "64"))


# What it is measured by


def test_a_validation_of_judges_tells_verdicts_and_margin_with_intervals(
    recipe: Recipes, tmp_path: Path
) -> None:
    """Its verdicts are those that the trained judge gives in score mode."""
    from pengadil.judges.opening import open_judge

    found = trained(recipe(*VALIDATED, "--train.keep", "last"), tmp_path)
    measured = run.read_validations(found)
    assert [validation.step for validation in measured] == [3, 6]
    for validation in measured:
        assert (validation.metric, validation.n, validation.majority) == ("accuracy", 12, 0.5)
        assert validation.low <= validation.value <= validation.high
        figures = validation.figures
        for name in ("margin", "log_odds", "pairs"):
            assert figures[f"{name}_low"] <= figures[name] <= figures[f"{name}_high"]
    examples = load_bundled("contoh", "validation", 12, 1)
    judged = open_judge(str(found.folder)).judge(examples, load_prompt("verdict"), "score")
    right = [row.verdict == row.gold for batch in judged for row in batch]
    assert measured[-1].value == sum(right) / 12


def test_a_summary_of_margins() -> None:
    """The interval is worked out by hand: mean 1, deviation 2, of four pairs."""
    margins = [1.0, 1 + math.sqrt(6), 1.0, 1 - math.sqrt(6)]
    found = summarise(7, [Preferred(str(n), margin, 3.0) for n, margin in enumerate(margins)])
    assert (found.step, found.metric, found.n) == (7, "margin", 4)
    assert found.value == pytest.approx(1)
    assert found.high - found.value == pytest.approx(1.96 * 2 / 2, rel=1e-4)
    assert found.value - found.low == pytest.approx(found.high - found.value)
    assert found.figures["pairs"] == 0.75
    assert found.figures["log_odds"] == found.figures["log_odds_low"] == 3


def test_preferences_of_their_own_move_on_pairs_held_out(recipe: Recipes, tmp_path: Path) -> None:
    """The margin's interval leaves zero behind; there are no verdicts to tell of."""
    files = [
        write_preferences(tmp_path / "latih.jsonl", 48),
        write_preferences(tmp_path / "sah.jsonl", 16, 1000),
    ]
    moving = recipe(
        "--data.train", str(files[0]), "--data.validation", str(files[1]),
        "--train.learning_rate", "0.02", "--train.validate_every", "1",
    )  # fmt: skip
    measured = run.read_validations(trained(moving, tmp_path / "runs"))
    assert measured[-1].low > measured[0].high
    assert measured[-1].low > 0
    assert measured[-1].figures["pairs"] == 1
    assert {validation.metric for validation in measured} == {"margin"}


# TRL


@pytest.mark.parametrize("fault", ["no module", "no loss", "other version"])
def test_another_trl_is_refused_with_the_one_to_install(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = SimpleNamespace(ORPOConfig=object, ORPOTrainer=object)
    named = "trl.experimental.orpo"
    monkeypatch.setitem(sys.modules, named, None if fault == "no module" else module)
    if fault == "other version":
        monkeypatch.delattr(module, "ORPOTrainer")
    version = importlib.metadata.version("trl")
    with pytest.raises(PengadilError, match=rf"trl {version}: .*pip install \"trl>=1.15,<1.17\""):
        orpo_classes()


def test_without_trl_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setitem(sys.modules, "trl", None)
    monkeypatch.setitem(sys.modules, "trl.experimental.orpo", None)
    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(PengadilError, match="trl, which is not installed"):
        orpo_classes()
