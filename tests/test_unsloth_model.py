"""What the unsloth engine asks for when it loads a model, and what it refuses: without Unsloth."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers_runs import make_tiny_base
from helpers_training import cpu_only, write_recipe

from pengadil.errors import PengadilError
from pengadil.recipe import load_recipe
from pengadil.training import unsloth_model
from pengadil.training.plan import Plan, make_plan

LINEAR = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("model") / "base")


@pytest.fixture
def plan(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Plan]:
    """A plan as on a GPU: with the unsloth engine, in float16."""
    cpu_only(monkeypatch)
    path = write_recipe(tmp_path, base)

    def made(*words: str, dtype: str = "float16") -> Plan:
        planned = make_plan(load_recipe(path, words))
        return replace(planned, choice=replace(planned.choice, engine="unsloth", dtype=dtype))

    return made


@pytest.fixture
def causal(base: Path) -> Any:
    from pengadil.loading import load_causal

    return load_causal(base, "float32", "eager", "cpu")


def test_the_model_is_loaded_as_the_recipe_says(plan: Callable[..., Plan], base: Path) -> None:
    import torch

    asked = unsloth_model.loading_arguments(
        plan("--model.load_in_4bit", "true", "--train.seed", "7"), 8192
    )
    assert asked["model_name"] == str(base.resolve())
    assert Path(asked["model_name"]).is_absolute()
    assert asked["use_exact_model_name"]
    assert asked["dtype"] == torch.float16
    assert (asked["load_in_4bit"], asked["load_in_16bit"]) == (True, False)
    assert asked["random_state"] == 7
    assert asked["trust_remote_code"] is False
    assert unsloth_model.loading_arguments(plan(), 8192)["load_in_16bit"]


def test_the_adapter_is_the_recipes(plan: Callable[..., Plan], causal: Any) -> None:
    words = ("--lora.rank", "8", "--lora.alpha", "32", "--lora.dropout", "0.1")
    asked = unsloth_model.adapter_arguments(plan(*words), causal)
    assert (asked["r"], asked["lora_alpha"], asked["lora_dropout"]) == (8, 32, 0.1)
    assert asked["target_modules"] == LINEAR
    assert (asked["bias"], asked["use_rslora"], asked["loftq_config"]) == ("none", False, None)
    named = unsloth_model.adapter_arguments(plan("--lora.targets", "q_proj,v_proj"), causal)
    assert named["target_modules"] == ["q_proj", "v_proj"]


def test_the_output_layer_is_refused(plan: Callable[..., Plan], causal: Any) -> None:
    with pytest.raises(PengadilError, match="the output layer is among them"):
        unsloth_model.adapter_arguments(plan("--lora.targets", "q_proj,lm_head"), causal)


def test_rows_are_never_cut_nor_positions_stretched(plan: Callable[..., Plan]) -> None:
    planned = plan()
    longest = max(len(row.ids) for row in planned.rows)
    assert unsloth_model.longest(planned, 8192) == planned.recipe.data.max_length
    assert unsloth_model.longest(planned, longest) == longest
    with pytest.raises(PengadilError, match=f"the model was made for {longest - 1}"):
        unsloth_model.longest(planned, longest - 1)


def test_prompts_to_validate_with_may_be_longer_than_rows(plan: Callable[..., Plan]) -> None:
    planned = plan("--data.validation_share", "0.25")
    assert planned.encoder
    asked = max(
        len(planned.encoder.prompt(planned.prompt, example)) for example in planned.validation
    )
    most = planned.recipe.data.max_length
    assert unsloth_model.longest(planned, 8192) == most + asked


def test_float32_is_refused_before_anything_is_loaded(plan: Callable[..., Plan]) -> None:
    with pytest.raises(PengadilError, match="computes in bfloat16 or float16"):
        unsloth_model.load_unsloth(plan(dtype="float32"))


def test_several_processes_are_refused(
    plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(PengadilError, match="2 processes"):
        unsloth_model.load_unsloth(planned)


def test_another_model_than_the_folders_is_refused(causal: Any) -> None:
    rows = causal.config.vocab_size
    unsloth_model._check_base(causal, rows, in_4bit=False)
    with pytest.raises(PengadilError, match=f"{rows} tokens of the model's {rows - 1}"):
        unsloth_model._check_base(causal, rows - 1, in_4bit=False)
    with pytest.raises(PengadilError, match="has not loaded the model in 4 bits"):
        unsloth_model._check_base(causal, rows, in_4bit=True)


def test_four_bits_must_be_nf4_quantised_twice(base: Path) -> None:
    from pengadil.loading import load_causal

    causal = load_causal(base, "float32", "eager", "cpu", load_in_4bit=True)
    rows = causal.config.vocab_size
    unsloth_model._check_base(causal, rows, in_4bit=True)
    with pytest.raises(PengadilError, match="not NF4 with double quantisation"):
        unsloth_model._check_base(causal, rows, in_4bit=False)
    for module in causal.modules():
        if state := getattr(getattr(module, "weight", None), "quant_state", None):
            state.quant_type = "fp4"
    with pytest.raises(PengadilError, match="not NF4 with double quantisation"):
        unsloth_model._check_base(causal, rows, in_4bit=True)


@pytest.mark.skipif(importlib.util.find_spec("unsloth") is not None, reason="Unsloth is installed")
def test_without_unsloth_the_way_out_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dict(os.environ, PENGADIL_HOME=str(tmp_path), UNSLOTH_TOKEN_BUDGET="512")
    monkeypatch.setattr(os, "environ", settings)
    with pytest.raises(PengadilError, match=r"No module named 'unsloth'.*--train.engine portable"):
        unsloth_model.import_unsloth()
    assert settings["UNSLOTH_DISABLE_STATISTICS"] == "1"
    assert settings["WANDB_ERROR_REPORTING"] == "false"
    assert settings["UNSLOTH_COMPILE_LOCATION"].startswith(str(tmp_path))
    assert "UNSLOTH_TOKEN_BUDGET" not in settings
