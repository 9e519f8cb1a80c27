"""The unsloth engine's trainer with plain TRL on a CPU: the same training as the portable one.

Unsloth patches TRL's classes and the model's forward pass; all else of the engine runs here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers_runs import make_tiny_base
from helpers_training import cpu_only, log, stop_at, weights, write_recipe

from pengadil.errors import PengadilError
from pengadil.recipe import Recipe, load_recipe
from pengadil.records import Rewrite, read_jsonl, write_jsonl
from pengadil.runs import Run
from pengadil.training import run as runs
from pengadil.training.fitting import most_at_once
from pengadil.training.plan import Plan, make_plan
from pengadil.training.portable import load_adapted, train_portable
from pengadil.training.watch import Validation, Watch

VALIDATED = ("--data.validation_share", "0.25", "--train.validate_every", "2")
LOSSES = {
    "verdict": ("--train.loss", "verdict", *VALIDATED),
    "completion": ("--train.loss", "completion"),
    "weighted": ("--train.loss", "weighted", "--train.verdict_weight", "5"),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("model") / "base")


@pytest.fixture(autouse=True)
def on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu_only(monkeypatch)


@pytest.fixture
def recipe(base: Path, tmp_path: Path) -> Callable[..., Recipe]:
    path = write_recipe(tmp_path, base)
    return lambda *words: load_recipe(path, words)


def train_with_trl(plan: Plan, run: Run, watch: Watch, history: list[Validation]) -> bool:
    """What `train_unsloth` does, with TRL's own classes and transformers' own model."""
    from transformers import set_seed
    from trl import SFTConfig, SFTTrainer

    from pengadil.training.sft import train_sft

    set_seed(plan.recipe.train.seed)
    most = most_at_once(plan)
    return train_sft((SFTConfig, SFTTrainer), plan, run, watch, history, load_adapted(plan), most)


def trained(
    recipe: Recipe,
    folder: Path,
    trainer: Callable[..., bool],
    monkeypatch: pytest.MonkeyPatch,
    **watched: Any,
) -> Run:
    monkeypatch.setattr(runs, "trainer_of", lambda plan: trainer)
    plan = make_plan(recipe)
    found, _ = runs.find_or_start(plan, folder)
    runs.train(plan, found, Watch(**watched))
    return found


def column(run: Run, name: str) -> list[Any]:
    return [line[name] for line in log(run)]


def assert_alike(run: Run, portable: Run) -> None:
    """The same steps, the same losses, the same adapter, the same figures of validation."""
    for name in ("step", "steps", "learning_rate", "tokens"):
        assert column(run, name) == column(portable, name)
    assert column(run, "loss") == pytest.approx(column(portable, "loss"), abs=1e-5)
    first, second = weights(run), weights(portable)
    assert first.keys() == second.keys()
    assert max(float((first[name] - second[name]).abs().max()) for name in first) < 1e-5
    measured, expected = validations(run), validations(portable)
    assert [line["step"] for line in measured] == [line["step"] for line in expected]
    for name in ("value", "low", "high", "n"):
        values = [line[name] for line in expected]
        assert [line[name] for line in measured] == pytest.approx(values, abs=1e-5)


def validations(run: Run) -> list[dict[str, Any]]:
    return [line for _, line in read_jsonl(run.validations)] if run.validations.exists() else []


@pytest.mark.parametrize("loss", LOSSES)
def test_both_engines_train_alike(
    recipe: Callable[..., Recipe], loss: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = recipe(*LOSSES[loss], "--train.max_steps", "4")
    portable = trained(made, tmp_path / "portable", train_portable, monkeypatch)
    other = trained(made, tmp_path / "trl", train_with_trl, monkeypatch)
    assert_alike(other, portable)
    if loss == "completion":  # Unsloth's fused loss does not tell which tokens were met
        assert column(other, "accuracy") == [None] * 4
    else:
        assert column(other, "accuracy") == pytest.approx(column(portable, "accuracy"))


def test_both_engines_rewrite_alike(
    recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tmp_path / "gaya.jsonl"
    rewrites = [Rewrite(str(n), f"Harga {n} naik.", f"Naiklah harga {n} itu.") for n in range(12)]
    write_jsonl(rows, rewrites)
    words = ("--train.method", "rewrite", "--train.loss", "completion", "--data.prompt", "rewrite")
    made = recipe(*words, "--data.train", str(rows), "--train.batch_size", "4", *VALIDATED)
    portable = trained(made, tmp_path / "portable", train_portable, monkeypatch)
    other = trained(made, tmp_path / "trl", train_with_trl, monkeypatch)
    assert_alike(other, portable)
    first, *_, last = validations(other)
    assert first["metric"] == "loss"
    assert last["value"] < first["value"]


def test_out_of_memory_it_takes_fewer_rows_at_once_and_learns_the_same(
    recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def with_little_memory(*arguments: Any) -> bool:
        def forward(module: Any, _: Any, inputs: dict[str, Any]) -> None:
            if inputs["input_ids"].shape[0] > 2:
                raise torch.OutOfMemoryError("CUDA out of memory.")

        from transformers import LlamaModel

        hook = LlamaModel.__init__

        def init(module: Any, *words: Any, **names: Any) -> None:
            hook(module, *words, **names)
            module.register_forward_pre_hook(forward, with_kwargs=True)

        with monkeypatch.context() as patch:
            patch.setattr(LlamaModel, "__init__", init)
            return train_with_trl(*arguments)

    said: list[str] = []
    made = recipe("--train.max_steps", "2")
    enough = trained(made, tmp_path / "enough", train_with_trl, monkeypatch)
    little = trained(made, tmp_path / "little", with_little_memory, monkeypatch, say=said.append)
    assert_alike(little, enough)
    assert [text.split(";")[0] for text in said] == [
        "out of memory: 4 rows at once instead of 8",
        "out of memory: 2 rows at once instead of 4",
    ]


def test_a_stopped_training_goes_on_as_if_nothing_had_been(
    recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = recipe("--train.max_steps", "4")
    whole = trained(made, tmp_path / "whole", train_with_trl, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        trained(made, tmp_path / "cut", train_with_trl, monkeypatch, on_step=stop_at(3))
    cut = trained(made, tmp_path / "cut", train_with_trl, monkeypatch)
    assert column(cut, "loss") == column(whole, "loss")
    first, second = weights(cut), weights(whole)
    assert max(float((first[name] - second[name]).abs().max()) for name in first) < 1e-6
    checkpoint = [path.name for path in (cut.folder / "checkpoints").glob("*")]
    assert checkpoint == []  # removed with the end of training


def test_a_setting_that_a_library_changes_is_refused() -> None:
    from types import SimpleNamespace

    from pengadil.training.sft import check_unchanged

    made = SimpleNamespace(seed=1, fp16=True, report_to=[])
    check_unchanged({"seed": 1, "report_to": "none"}, made)
    with pytest.raises(PengadilError, match="fp16 is True instead of False"):
        check_unchanged({"seed": 1, "fp16": False}, made)
