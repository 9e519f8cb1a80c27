"""What we ask of Unsloth against Unsloth itself, where it is installed: names, values, losses.

UNSLOTH_ALLOW_CPU=1 is set by the test; a GPU is not needed, and no kernel of Unsloth's runs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers_runs import make_tiny_base
from helpers_training import write_recipe

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("unsloth") is None, reason="Unsloth is not installed"
)
LINEAR = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unsloth")
    return write_recipe(folder, make_tiny_base(folder / "base"))


@pytest.fixture(scope="module")
def found(recipe_file: Path) -> dict[str, Any]:
    """What a process with Unsloth found: see helpers_unsloth."""
    folder = recipe_file.parent
    words = [str(recipe_file), str(folder), str(folder / "found.json")]
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"import helpers_unsloth as h; h.main(*{words})"],
        env={
            **os.environ,
            "PENGADIL_HOME": str(folder / "home"),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
            "CUDA_VISIBLE_DEVICES": "",
        },
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    made: dict[str, Any] = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return made


def test_trl_is_the_one_that_unsloth_has_patched(found: dict[str, Any]) -> None:
    assert found["patched"] == ["UnslothSFTTrainer", "UnslothORPOTrainer"]


def test_our_arguments_bind_to_its_signatures(found: dict[str, Any]) -> None:
    # These two it hands on to transformers.
    assert found["loading"] == ["local_files_only", "use_safetensors"]
    assert found["adapter"] == found["sft"] == found["orpo"] == []
    assert found["trainers"] == {"UnslothSFTTrainer": [], "UnslothORPOTrainer": []}


def test_all_linear_means_all_seven(found: dict[str, Any]) -> None:
    assert found["targets"] == LINEAR


def test_no_value_is_silently_changed(found: dict[str, Any]) -> None:
    assert found["sft_changed"] == found["orpo_changed"] == ""


def test_where_it_would_change_the_number_format_we_refuse(found: dict[str, Any]) -> None:
    assert "16 is True instead of False" in found["in float32"]


def test_its_trainer_trains_as_the_portable_engine(
    found: dict[str, Any], recipe_file: Path, tmp_path: Path
) -> None:
    """In bfloat16, where the two engines' attention rounds differently."""
    from helpers_training import log, trained

    from pengadil.recipe import load_recipe

    for loss, losses in found["losses"].items():
        words = ["--train.loss", loss, "--model.dtype", "bfloat16"]
        portable = trained(load_recipe(recipe_file, words), tmp_path / loss)
        expected = [line["loss"] for line in log(portable)]
        assert losses == pytest.approx(expected, rel=0.05), loss


def test_it_loads_the_adapter_that_the_portable_engine_makes(found: dict[str, Any]) -> None:
    loaded = found["loaded"]
    assert loaded["model"] == "CausalLM_fast_forward.<locals>._CausalLM_fast_forward"
    assert loaded["same files"]
    assert loaded["same config"]
    assert loaded["same start"]
    assert loaded["formats"] == ["torch.float32"]


def test_a_model_that_it_does_not_load_in_4_bits_is_refused(found: dict[str, Any]) -> None:
    """On a processor it says so and goes on in 16."""
    assert found["loaded"]["4 bits without bitsandbytes"] == "it has not loaded the model in 4 bits"


def test_what_its_source_must_say(found: dict[str, Any]) -> None:
    assert [name for name, true in found["facts"].items() if not true] == []


def test_nothing_is_sent_and_nothing_left_lying_about(
    found: dict[str, Any], recipe_file: Path
) -> None:
    assert found["connections"] == []
    assert found["cache"]
    assert not (recipe_file.parent / "unsloth_compiled_cache").exists()
