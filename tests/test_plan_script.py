"""scripts/plan.py as it is called."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from helpers_memory import DEBERTA, LLAMA, write_config

from pengadil.errors import BAD_INPUT, PengadilError
from pengadil.planning import rates
from pengadil.planning.gpus import GPUS
from pengadil.planning.memory import PARTS

SCRIPT = Path(__file__).parent.parent / "scripts" / "plan.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("plan_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def mistral(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with Mistral-7B's config.json and nothing else."""
    return str(write_config(tmp_path_factory.mktemp("mistral"), "mistral"))


def test_the_smoke_recipe_on_this_machine(
    script: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rates, "SECONDS", 0.01)
    file = tmp_path / "plan.json"
    assert script.main(["smoke", "--gpu", "none", "--json", str(file)]) == 0
    shown = capsys.readouterr().out
    for word in ("smoke on", "micro-batch", *PARTS, "tokens a second", "disk", "fits: "):
        assert word in shown
    assert max(map(len, shown.splitlines())) <= 100
    assert all(line == line.rstrip() for line in shown.splitlines())
    plan = json.loads(file.read_text(encoding="utf-8"))
    assert plan["rows"]["exact"]
    assert plan["rows"]["rows"] == 1600
    assert plan["steps"] == 200
    assert plan["choice"]["engine"] == "portable"
    assert plan["seconds"] > 0
    assert str(tmp_path) not in shown.replace(str(file), "")


@pytest.mark.parametrize("gpu", GPUS)
def test_the_published_recipe_on_each_gpu(
    gpu: str, script: ModuleType, mistral: str, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    words = ["malaysian-mistral-v3", "--gpu", gpu, "--model.name", mistral]
    words += ["--data.max_length=1024", "--train.max_steps", "100", "--json", str(file)]
    assert script.main(words) == 0
    plan = json.loads(file.read_text(encoding="utf-8"))
    # 7.24 B weights, all but 2 x 32,000 x 4,096 of the tables and the norms in 4.13 bits.
    weights = plan["memory"][0]["bytes"]
    assert weights == pytest.approx(6_979_321_856 * 0.51587 + 262_410_240 * 2, rel=1e-4)
    assert plan["choice"]["engine"] == ("portable" if gpu == "p100" else "unsloth")
    assert plan["micro_batch_size"] * plan["accumulation"] == 8
    # No rows are at hand: the bound is said to be one.
    assert not plan["rows"]["exact"]
    assert plan["rows"]["tokens"] == 800 * 1024
    assert plan["seconds"] == pytest.approx(800 * 1024 / plan["tokens_a_second"]["tokens"])
    assert plan["disk_free_bytes"] is None
    assert ("cu126" in " ".join(plan["warnings"])) == (gpu == "p100")


def test_what_does_not_fit_is_shown_and_ends_with_two(
    script: ModuleType, mistral: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["malaysian-mistral-v3", "--gpu", "p100", "--model.name", mistral]
    assert script.main([*words, "--model.load_in_4bit", "false"]) == BAD_INPUT
    shown = capsys.readouterr().out
    assert "does not fit: a single row would take" in shown
    assert "--model.load_in_4bit true" in shown


def test_a_given_rate_goes_before_any_estimate(
    script: ModuleType, mistral: str, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    words = ["malaysian-mistral-v3", "--gpu", "t4", "--model.name", mistral, "--rate", "512"]
    script.main([*words, "--data.max_length=1024", "--train.max_steps=100", "--json", str(file)])
    assert json.loads(file.read_text(encoding="utf-8"))["seconds"] == 1600


def test_an_encoder_recipe(script: ModuleType, tmp_path: Path) -> None:
    folder = write_config(tmp_path / "deberta", "deberta-v2", **DEBERTA)
    file = tmp_path / "plan.json"
    words = ["malaysian-deberta", "--gpu", "t4", "--model.name", str(folder)]
    assert script.main([*words, "--json", str(file)]) == 0
    plan = json.loads(file.read_text(encoding="utf-8"))
    assert plan["choice"]["engine"] == "portable"
    assert plan["memory"][0]["bytes"] == 4 * plan["shape"]["parameters"]


def test_a_recipe_of_pairs(script: ModuleType, tmp_path: Path) -> None:
    folder = write_config(tmp_path / "llama", "llama", **LLAMA)
    words = ["llama-orpo", "--gpu", "t4", "--model.name", str(folder)]
    assert script.main(words) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["smoke", "--gpu", "t5"], "not a GPU that is known here"),
        (["smoke", "--rate", "0"], "not a number of tokens a second"),
        (["smoke", "--rate", "nan"], "not a number of tokens a second"),
        (["smokes"], "no such recipe"),
        (["smoke", "--model.name", "pemilik/tiada"], "the hub is out of reach"),
        (["smoke", "--gpu", "none", "--train.engine", "unsloth"], "it does not run here"),
    ],
)
def test_bad_input_is_told_in_a_line(script: ModuleType, words: list[str], said: str) -> None:
    with pytest.raises(PengadilError, match=said):
        script.main(words)
