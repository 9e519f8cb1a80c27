"""What becomes a classifier, what is refused, and the judge that it is afterwards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers_classifier import (
    log,
    make_base,
    make_random,
    trained,
    validations,
    weights,
    write_recipe,
)
from helpers_training import cpu_only

from pengadil.data.bundled import load_bundled
from pengadil.errors import PengadilError
from pengadil.hardware import Hardware
from pengadil.judges.base import SCORE
from pengadil.judges.encoder import EncoderJudge, encoder_choice
from pengadil.judges.opening import open_judge
from pengadil.prompts import load_prompt
from pengadil.recipe import Recipe, load_recipe
from pengadil.records import Example, write_jsonl
from pengadil.runs import Run
from pengadil.training.validation import accuracy
from pengadil.training.watch import Watch

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


def right_answers(judge: Any, examples: list[Example]) -> float:
    found = [row for batch in judge.judge(examples, load_prompt("verdict"), SCORE) for row in batch]
    return sum(row.verdict == row.gold for row in found) / len(found)


def test_the_run_opens_as_a_judge_without_its_base(
    base: Path, recipe: Recipes, tmp_path: Path
) -> None:
    moved = tmp_path / "base"
    shutil.copytree(base, moved)
    run = trained(load_recipe(write_recipe(tmp_path, moved)), tmp_path / "runs")
    shutil.rmtree(moved)
    judge = open_judge(str(tmp_path / "runs" / "latest"))
    assert isinstance(judge, EncoderJudge)
    assert judge.name == run.folder.name
    about = judge.describe()
    assert (about["model"], about["dtype"], about["agrees"]) == (
        str(moved),
        "float32",
        "consistent",
    )
    assert len(about["adapter"]) == 64
    measured = [found.value for found in validations(run) if found.best][-1]
    assert right_answers(judge, load_bundled("contoh", "validation", 24, 1)) == measured
    assert open_judge(str(run.folder), cut=True, dtype="bfloat16").describe()["cut"]
    with pytest.raises(PengadilError, match="--threads"):
        open_judge(str(run.folder), threads=2)


@pytest.mark.parametrize("kind", ["xlm-roberta", "modernbert"])
def test_other_encoders_are_trained_too(kind: str, tmp_path: Path) -> None:
    file = write_recipe(tmp_path, make_random(tmp_path / kind, kind))
    run = trained(load_recipe(file, ["--train.max_steps", "2"]), tmp_path / "runs")
    judge = open_judge(str(run.folder))
    [found] = validations(run)
    assert right_answers(judge, load_bundled("contoh", "validation", 24, 1)) == found.value


def test_bfloat16_computes_and_float32_is_kept(recipe: Recipes, tmp_path: Path) -> None:
    run = trained(recipe("--model.dtype", "bfloat16", "--train.max_steps", "2"), tmp_path)
    assert {str(tensor.dtype) for tensor in weights(run).values()} == {"torch.float32"}
    assert open_judge(str(run.folder)).describe()["dtype"] == "bfloat16"


def test_a_classifier_goes_on_with_its_own_classes(undisturbed: Run, tmp_path: Path) -> None:
    """With both labels the other way round in config and head, the training is the same."""
    from safetensors.torch import load_file, save_file

    turned = tmp_path / "turned"
    shutil.copytree(undisturbed.adapter, turned)
    config = json.loads((turned / "config.json").read_text(encoding="utf-8"))
    config |= {"id2label": {"0": "entailment", "1": "not_entailment"}}
    config |= {"label2id": {"entailment": 0, "not_entailment": 1}}
    (turned / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tensors = load_file(turned / "model.safetensors")
    for name in ("classifier.weight", "classifier.bias"):
        tensors[name] = tensors[name].flip(0).contiguous()
    save_file(tensors, turned / "model.safetensors", {"format": "pt"})
    losses = []
    for base in (undisturbed.adapter, turned):
        place = tmp_path / f"runs-{base.name}"
        place.mkdir()
        said: list[str] = []
        run = trained(
            load_recipe(write_recipe(place, base)), place / "runs", Watch(say=said.append)
        )
        assert not said, "nothing is new"
        losses.append([line["loss"] for line in log(run)])
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert open_judge(str(run.folder)).describe()["agrees"] == "entailment"


def test_a_classifier_of_three_gets_a_new_head(tmp_path: Path) -> None:
    labels = dict(enumerate(["entailment", "neutral", "contradiction"]))
    base = make_random(tmp_path / "nli", "bert", head=True, id2label=labels)
    said: list[str] = []
    file = write_recipe(tmp_path, base)
    run = trained(
        load_recipe(file, ["--train.max_steps", "1"]), tmp_path / "runs", Watch(say=said.append)
    )
    assert said[0] == "new, from random numbers: classifier.bias, classifier.weight"
    assert open_judge(str(run.folder)).describe()["labels"] == ["inconsistent", "consistent"]


def test_a_model_that_writes_is_refused(base: Path, tmp_path: Path) -> None:
    causal = tmp_path / "causal"
    shutil.copytree(base, causal)
    config = json.loads((causal / "config.json").read_text(encoding="utf-8"))
    config["architectures"] = ["LlamaForCausalLM"]
    (causal / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(PengadilError, match="it is a model that writes"):
        trained(load_recipe(write_recipe(tmp_path, causal)), tmp_path / "runs")


def test_half_an_encoder_is_refused(base: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    half = tmp_path / "half"
    shutil.copytree(base, half)
    tensors = load_file(half / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if "layer.1" not in name}
    save_file(kept, half / "model.safetensors", {"format": "pt"})
    with pytest.raises(PengadilError, match=r"its weights lack deberta\.encoder\.layer\.1"):
        trained(load_recipe(write_recipe(tmp_path, half)), tmp_path / "runs")


def rows_with_a_long_one(path: Path, length: int) -> None:
    rows = load_bundled("contoh", "train", 15, 3)
    long = Example("panjang", "Ali tinggal di Ipoh. " * length, "Ali guru.", 0)
    write_jsonl(path, [*rows, long])


def test_rows_beyond_the_context_are_refused_by_name(base: Path, tmp_path: Path) -> None:
    """Also where the tokenizer does not know how many tokens its model reads."""
    careless = tmp_path / "careless"
    shutil.copytree(base, careless)
    settings = json.loads((careless / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings["model_max_length"] = 10**30
    (careless / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    rows_with_a_long_one(tmp_path / "rows.jsonl", 100)
    longer = ["--data.train", str(tmp_path / "rows.jsonl"), "--data.max_length", "5000"]
    with pytest.raises(PengadilError, match=r"panjang \(\d+ tokens\).*context of 512"):
        trained(load_recipe(write_recipe(tmp_path, careless), longer), tmp_path / "runs")


def test_long_validation_rows_go_as_those_of_training(recipe: Recipes, tmp_path: Path) -> None:
    rows_with_a_long_one(tmp_path / "rows.jsonl", 30)
    rows = ["--data.validation", str(tmp_path / "rows.jsonl"), "--train.max_steps", "1"]
    with pytest.raises(PengadilError, match=r"panjang .*data\.max_length = 128"):
        trained(recipe(*rows), tmp_path / "error")
    said: list[str] = []
    run = trained(recipe(*rows, "--data.long", "drop"), tmp_path / "drop", Watch(say=said.append))
    assert said[0] == "validation without 1 rows of more than 128 tokens"
    assert [found.n for found in validations(run)] == [15]


@pytest.mark.parametrize(
    ("bf16", "asked", "expected", "why"),
    [
        (False, "auto", "float32", "numbers may outgrow float16"),
        (False, "float16", "float16", "as the recipe asks"),
        (True, "auto", "bfloat16", "this GPU computes in it"),
    ],
)
def test_the_number_format_has_its_reason(bf16: bool, asked: str, expected: str, why: str) -> None:
    card = Hardware("cuda", "Card", (8, 0) if bf16 else (7, 5), 16 << 30, 2, 2, bf16_fast=bf16)
    choice = encoder_choice(card, asked)
    assert (choice.engine, choice.dtype) == ("portable", expected)
    assert why in choice.reason
    assert "encoders gain nothing from unsloth" in choice.reason


def test_it_learns_to_judge_from_random_weights(tmp_path: Path) -> None:
    """The packaged recipe, shorter; validation rows have names that no training row has."""
    overrides = ["--train.max_steps", "160", "--data.validation", "contoh:200"]
    recipe = load_recipe("smoke-classifier", [*overrides, "--train.validate_every", "80"])
    run = trained(recipe, tmp_path)
    best = [found for found in validations(run) if found.best][-1]
    assert (best.n, best.majority) == (200, 0.5)
    assert best.low > 0.6
    assert accuracy(0, [True], [Example("a", "b", "c", 1)]).value == 1  # nothing was replaced
    test = load_bundled("contoh", "test")
    assert right_answers(open_judge(str(run.folder)), test) > 0.7
