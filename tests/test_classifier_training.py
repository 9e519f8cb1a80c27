"""An encoder is trained to judge: the same however often it was stopped, and the best is kept."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers_classifier import (
    STEPS,
    difference,
    killed,
    log,
    make_base,
    stopped,
    trained,
    validations,
    weights,
    write_recipe,
)
from helpers_training import cpu_only

from pengadil.errors import PengadilError
from pengadil.judges.encoder import is_classifier
from pengadil.recipe import Recipe, load_recipe
from pengadil.runs import Run
from pengadil.training import classifier
from pengadil.training.watch import Validation, Watch

Recipes = Callable[..., Recipe]


@pytest.fixture(autouse=True)
def on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu_only(monkeypatch)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    return write_recipe(tmp_path_factory.mktemp("recipe"), base)


@pytest.fixture(scope="module")
def recipe(recipe_file: Path) -> Recipes:
    """The tiny recipe with overrides: recipe("--train.seed", "2")."""
    return lambda *overrides: load_recipe(recipe_file, overrides)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, recipe: Recipes) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        cpu_only(patch)
        return trained(recipe(), tmp_path_factory.mktemp("undisturbed"))


def test_the_run_holds_the_whole_model_and_no_pickle(undisturbed: Run) -> None:
    assert undisturbed.finished
    names = {path.name for path in undisturbed.adapter.iterdir()}
    assert names >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert {Path(name).suffix for name in names} <= {".safetensors", ".json"}
    assert is_classifier(undisturbed.adapter)
    assert {str(tensor.dtype) for tensor in weights(undisturbed).values()} == {"torch.float32"}
    assert sorted(path.name for path in undisturbed.folder.iterdir()) == [
        "adapter", "log.jsonl", "recipe.toml", "run.json", "validation.jsonl",
    ]  # fmt: skip


def test_steps_and_validations_are_recorded(undisturbed: Run) -> None:
    lines = log(undisturbed)
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert all(line["loss"] > 0 and 0 <= line["accuracy"] <= 1 for line in lines)
    assert lines[-1]["tokens"] > 48 * 10
    measured = validations(undisturbed)
    assert [found.step for found in measured] == [2, 4, 6]
    for found in measured:
        assert (found.metric, found.n, found.majority) == ("accuracy", 24, 0.5)
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_the_loss_is_the_mean_cross_entropy_of_the_rows(base: Path, recipe: Recipes) -> None:
    """The first step's, of a model that is loaded and seeded in the same way."""
    import torch
    from transformers import set_seed

    from pengadil.loading import load_new_classifier
    from pengadil.training.plan import make_plan

    plan = make_plan(recipe())
    set_seed(plan.recipe.train.seed)
    model, fresh = load_new_classifier(base, classifier.CLASSES, "cpu")
    assert fresh == [
        "classifier.bias",
        "classifier.weight",
        "pooler.dense.bias",
        "pooler.dense.weight",
    ]
    assert model.config.id2label == {0: "inconsistent", 1: "consistent"}
    model.config.hidden_dropout_prob = 0.0
    losses = []
    for row in plan.rows[:8]:
        inputs = {name: torch.tensor([ids]) for name, ids in row.inputs.items()}
        with torch.no_grad():
            logits = model.eval()(**inputs).logits[0]
        losses.append(-float(logits.log_softmax(dim=0)[row.label]))
    seen: list[float] = []
    without = recipe("--train.max_steps", "1")
    trained(without, base.parent / "loss", Watch(on_step=lambda step: seen.append(step.loss)))
    # Dropout is on in training.
    assert seen == [pytest.approx(sum(losses) / 8, abs=0.05)]


@pytest.mark.parametrize("step", [1, 4])
def test_stopped_anywhere_it_comes_to_the_same(
    step: int, undisturbed: Run, recipe: Recipes, tmp_path: Path
) -> None:
    left = stopped(recipe(), tmp_path, step)
    assert not left.finished
    again = trained(recipe(), tmp_path)
    assert again.folder == left.folder
    assert difference(again, undisturbed) <= 1e-6
    assert [(line["step"], line["loss"]) for line in log(again)] == [
        (line["step"], line["loss"]) for line in log(undisturbed)
    ]
    assert validations(again) == validations(undisturbed)


def test_killed_it_comes_to_the_same(
    undisturbed: Run, recipe: Recipes, recipe_file: Path, tmp_path: Path
) -> None:
    left = killed(recipe_file, tmp_path, 5)
    assert not left.finished
    assert difference(trained(recipe(), tmp_path), undisturbed) <= 1e-6


def test_the_seed_decides(undisturbed: Run, recipe: Recipes, tmp_path: Path) -> None:
    again = trained(recipe(), tmp_path / "again")
    file = "model.safetensors"
    assert (again.adapter / file).read_bytes() == (undisturbed.adapter / file).read_bytes()
    other = trained(recipe("--train.seed", "2"), tmp_path / "other")
    assert difference(other, undisturbed) > 0.01


def test_rows_at_once_change_nothing_but_rounding(base: Path, tmp_path: Path) -> None:
    """Without dropout, which draws for a whole micro-batch."""
    plain = tmp_path / "plain"
    shutil.copytree(base, plain)
    config = json.loads((plain / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (plain / "config.json").write_text(json.dumps(config), encoding="utf-8")
    file = write_recipe(tmp_path, plain)
    runs = [
        trained(load_recipe(file, ["--train.micro_batch_size", size]), tmp_path / size)
        for size in ("8", "2")
    ]
    for one, other in zip(*map(log, runs), strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-4)


def test_out_of_time_it_stops_and_goes_on_later(
    undisturbed: Run, recipe: Recipes, tmp_path: Path
) -> None:
    left = trained(recipe(), tmp_path, Watch(deadline=time.monotonic()))
    assert not left.finished
    assert len(log(left)) == 1
    assert difference(trained(recipe(), tmp_path), undisturbed) <= 1e-6


def scores(monkeypatch: pytest.MonkeyPatch, *values: float) -> None:
    """Let the validations find these accuracies, one after the other."""
    left = list(values)

    def found(step: int, _right: Any, examples: Any) -> Validation:
        value = left.pop(0)
        return Validation(step, "accuracy", value, value, value, len(examples), 0.5)

    monkeypatch.setattr(classifier, "accuracy", found)


def test_the_best_weights_are_kept(
    recipe: Recipes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores(monkeypatch, 0.6, 0.9, 0.8)
    best = trained(recipe(), tmp_path / "best")
    assert [found.best for found in validations(best)] == [True, True, False]
    scores(monkeypatch, 0.6, 0.9)
    four = trained(recipe("--train.max_steps", "4", "--train.keep", "last"), tmp_path / "four")
    assert difference(best, four) <= 1e-6
    scores(monkeypatch, 0.6, 0.9, 0.8)
    last = trained(recipe("--train.keep", "last"), tmp_path / "last")
    assert difference(best, last) > 1e-4


def test_it_stops_early_without_a_better_validation(
    recipe: Recipes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores(monkeypatch, 0.7, 0.7, 0.6, 0.9)
    said: list[str] = []
    run = trained(
        recipe("--train.patience", "2", "--train.epochs", "3"), tmp_path, Watch(say=said.append)
    )
    assert run.finished
    assert len(log(run)) == 6, "of 18"
    assert any("2 validations without a better one" in text for text in said)


def test_on_a_plateau_the_steps_get_smaller(
    recipe: Recipes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores(monkeypatch, 0.7, 0.7, 0.6, 0.9)
    run = trained(recipe("--train.schedule", "plateau", "--train.max_steps", "8"), tmp_path)
    rates = [line["learning_rate"] for line in log(run)]
    assert rates == pytest.approx([1e-3] * 6 + [1e-4] * 2)


def test_a_loss_that_is_no_number_ends_the_training(recipe: Recipes, tmp_path: Path) -> None:
    with pytest.raises(PengadilError, match=r"step \d of 6: the loss is no longer a number"):
        trained(recipe("--train.learning_rate", "1e30"), tmp_path)


def test_what_is_new_is_said(recipe: Recipes, tmp_path: Path) -> None:
    said: list[str] = []
    trained(recipe("--train.max_steps", "1"), tmp_path, Watch(say=said.append))
    assert said[0].startswith("new, from random numbers: classifier.bias, classifier.weight")
