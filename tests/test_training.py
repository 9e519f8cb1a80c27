"""A training leaves a complete run, the same one however often it was stopped on the way."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from helpers_runs import make_tiny_base
from helpers_training import (
    STEPS,
    cpu_only,
    difference,
    killed,
    log,
    stopped,
    trained,
    weights,
    write_recipe,
)

from pengadil.data.bundled import load_bundled
from pengadil.data.slices import Slice, load_slice
from pengadil.errors import PengadilError, run_script
from pengadil.folders import find
from pengadil.prompts import load_prompt
from pengadil.recipe import Recipe, load_recipe
from pengadil.records import write_jsonl
from pengadil.runs import Run, open_run
from pengadil.training import plan as planning
from pengadil.training import run as training
from pengadil.training.plan import make_plan
from pengadil.training.run import find_or_start, train
from pengadil.training.watch import Watch

Recipes = Callable[..., Recipe]


@pytest.fixture(autouse=True)
def on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu_only(monkeypatch)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("model") / "base")


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


def test_a_run_folder_is_complete(undisturbed: Run, recipe: Recipes, base: Path) -> None:
    assert sorted(path.name for path in undisturbed.folder.iterdir()) == [
        "adapter", "log.jsonl", "recipe.toml", "run.json",
    ]  # fmt: skip
    assert load_recipe(undisturbed.recipe_file) == recipe()
    facts = undisturbed.facts()
    assert facts["status"] == "finished"
    assert facts["recipe_sha256"] == recipe().sha256
    assert facts["base"]["name"] == str(base)
    assert facts["prompt"] == {"name": "verdict", "sha256": load_prompt("verdict").sha256}
    [source] = facts["data"]
    assert (source["source"], source["rows"], len(source["sha256"])) == ("contoh:48", 48, 64)
    assert facts["engine"]["engine"] == "portable"
    assert facts["versions"].keys() >= {"torch", "transformers", "peft"}
    assert facts["steps"] == STEPS
    assert facts["seconds"] > 0
    assert "device" in facts["hardware"]
    assert open_run(undisturbed.folder.parent / "latest").folder.samefile(undisturbed.folder)


def test_the_adapter_holds_safetensors_and_the_tokenizer_and_no_pickle(undisturbed: Run) -> None:
    from transformers import AutoTokenizer

    names = {path.name for path in undisturbed.adapter.iterdir()}
    assert names >= {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json"}
    assert {Path(name).suffix for name in names} <= {".safetensors", ".json", ".jinja"}
    assert AutoTokenizer.from_pretrained(undisturbed.adapter).get_chat_template()
    assert all(tensor.dtype.is_floating_point for tensor in weights(undisturbed).values())
    assert any(
        tensor.abs().max() > 0 for name, tensor in weights(undisturbed).items() if "_B" in name
    )


def test_the_log_has_a_line_a_step(undisturbed: Run, recipe: Recipes) -> None:
    lines = log(undisturbed)
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert {line["steps"] for line in lines} == {STEPS}
    assert lines[-1]["tokens"] == make_plan(recipe()).tokens
    assert all(0 <= line["accuracy"] <= 1 and line["loss"] > 0 for line in lines)
    assert all(one["seconds"] <= other["seconds"] for one, other in pairwise(lines))
    assert lines[0]["learning_rate"] == pytest.approx(1e-3)
    assert all(one["learning_rate"] > other["learning_rate"] for one, other in pairwise(lines))


def test_the_same_seed_gives_the_same_adapter_and_another_another(
    undisturbed: Run, recipe: Recipes, tmp_path: Path
) -> None:
    file = "adapter_model.safetensors"
    again = trained(recipe(), tmp_path / "again")
    assert (again.adapter / file).read_bytes() == (undisturbed.adapter / file).read_bytes()
    assert difference(trained(recipe("--train.seed", "2"), tmp_path / "other"), undisturbed) > 0.01


def test_the_loss_falls(recipe: Recipes, tmp_path: Path) -> None:
    few = ("--data.train", "contoh:8", "--train.epochs", "25", "--train.learning_rate", "0.02")
    losses = [line["loss"] for line in log(trained(recipe(*few), tmp_path))]
    assert len(losses) == 25
    assert sum(losses[-5:]) < 0.3 * sum(losses[:5])


@pytest.mark.parametrize(
    ("place", "checkpoint"),
    [("fifth step", 4), ("second checkpoint", 2), ("half-written adapter", STEPS)],
)
def test_killed_it_goes_on_from_the_last_whole_checkpoint(
    recipe_file: Path, undisturbed: Run, tmp_path: Path, place: str, checkpoint: int
) -> None:
    left = killed(recipe_file, tmp_path, place)
    assert left.facts()["status"] == "training"
    assert not left.adapter.exists()
    with pytest.raises(PengadilError, match="has not finished"):
        open_run(left.folder)
    steps: list[int] = []
    finished = trained(load_recipe(recipe_file), tmp_path, lambda step: steps.append(step.step))
    assert finished == left
    assert steps == list(range(checkpoint + 1, STEPS + 1))
    assert [line["step"] for line in log(finished)] == [1, 2, 3, 4, 5, 6]
    assert difference(finished, undisturbed) < 1e-6
    assert sorted(path.name for path in finished.folder.iterdir()) == [
        "adapter", "log.jsonl", "recipe.toml", "run.json",
    ]  # fmt: skip


def test_dropout_and_small_micro_batches_go_on_as_if_never_stopped(
    recipe: Recipes, tmp_path: Path
) -> None:
    dropping = recipe("--lora.dropout", "0.3", "--train.micro_batch_size", "4")
    whole = trained(dropping, tmp_path / "whole")
    stopped(dropping, tmp_path / "stopped", 3)
    assert difference(trained(dropping, tmp_path / "stopped"), whole) < 1e-6


def cut(checkpoint: Path) -> None:
    file = checkpoint / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])


def lose_the_mark(checkpoint: Path) -> None:
    (checkpoint / "complete").unlink()


@pytest.mark.parametrize("harm", [cut, lose_the_mark])
def test_a_checkpoint_that_is_not_whole_is_passed_over(
    recipe: Recipes, undisturbed: Run, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    left = stopped(recipe(), tmp_path, 5)
    assert {path.name for path in left.checkpoints.iterdir()} == {"checkpoint-2", "checkpoint-4"}
    harm(left.checkpoints / "checkpoint-4")
    steps: list[int] = []
    assert trained(recipe(), tmp_path, lambda step: steps.append(step.step)) == left
    assert steps == [3, 4, 5, 6]
    assert difference(left, undisturbed) < 1e-6


def test_stopped_before_any_checkpoint_it_starts_anew_in_the_same_run(
    recipe: Recipes, undisturbed: Run, tmp_path: Path
) -> None:
    left = stopped(recipe(), tmp_path, 1)
    with left.log.open("a", encoding="utf-8") as file:
        file.write('{"step": 2, "lo')  # as a kill cuts it
    assert trained(recipe(), tmp_path) == left
    assert [line["step"] for line in log(left)] == [1, 2, 3, 4, 5, 6]
    assert difference(left, undisturbed) < 1e-6


def test_a_finished_run_is_not_trained_again(
    recipe: Recipes, undisturbed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what a kill right after the end left undone is done."""
    copy = Run(shutil.copytree(undisturbed.folder, tmp_path / undisturbed.folder.name))
    (copy.checkpoints / "checkpoint-6").mkdir(parents=True)
    monkeypatch.setattr(training, "trainer_of", None)
    before = copy.facts()
    train(make_plan(recipe()), copy, Watch())
    assert copy.facts() == before
    assert not copy.checkpoints.exists()
    assert open_run(tmp_path / "latest").folder.samefile(copy.folder)


def test_an_unfinished_run_is_found_only_by_the_same_plan(
    recipe: Recipes, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "load_tokenizer", cache(planning.load_tokenizer))  # planned often
    data = tmp_path / "rows.jsonl"
    write_jsonl(data, load_bundled("contoh", "train", 16))
    own = ("--data.train", str(data))
    first, old = find_or_start(make_plan(recipe(*own)), tmp_path / "runs")
    assert not old
    assert first.facts()["status"] == "training"
    assert find_or_start(make_plan(recipe(*own)), tmp_path / "runs") == (first, True)

    def is_new(fresh: bool = False, *overrides: str) -> bool:
        plan = make_plan(recipe(*own, *overrides))
        found, old = find_or_start(plan, tmp_path / "runs", fresh)
        shutil.rmtree(found.folder if not old else tmp_path / "nothing", ignore_errors=True)
        return found != first and not old

    assert is_new(fresh=True)
    assert is_new(False, "--train.learning_rate", "2e-3")
    assert not is_new(False, "--description", "same")
    assert is_new(False, "--name", "rawak-2")  # of the same content, and its name begins alike
    (first.folder.parent / "rawak-9").mkdir()
    (first.folder.parent / "rawak-9" / "run.json").write_text('{"format": 0}', encoding="utf-8")
    assert not is_new()

    config = base / "config.json"
    text = config.read_text(encoding="utf-8")
    config.write_text(text + "\n", encoding="utf-8")
    assert is_new()
    config.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    Path("prompts").mkdir()
    prompt = find("prompts", "verdict").read_text(encoding="utf-8")
    Path("prompts/verdict.toml").write_text(
        prompt.replace("$passage", "$passage."), encoding="utf-8"
    )
    assert is_new()
    Path("prompts/verdict.toml").unlink()
    write_jsonl(data, load_bundled("contoh", "train", 17))
    assert is_new()
    write_jsonl(data, load_bundled("contoh", "train", 16))
    assert not is_new()
    first.write_facts({**first.facts(), "evaluated": True})
    assert is_new()


@pytest.mark.parametrize("loss", ["verdict", "weighted"])
def test_the_size_of_a_micro_batch_changes_nothing(
    recipe: Recipes, tmp_path: Path, loss: str
) -> None:
    """Not even in a last step that is not full."""
    some = ("--data.train", "contoh:27", "--train.loss", loss, "--train.verdict_weight", "5")
    large = trained(recipe(*some), tmp_path / "8")
    small = trained(recipe(*some, "--train.micro_batch_size", "2"), tmp_path / "2")
    assert [line["step"] for line in log(small)] == [1, 2, 3, 4]
    for one, other in zip(log(small), log(large), strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)
        assert one["accuracy"] == pytest.approx(other["accuracy"], abs=1e-6)
    assert difference(small, large) < 1e-5


def test_the_constant_schedule_warms_up(recipe: Recipes, tmp_path: Path) -> None:
    warm = ("--train.schedule", "constant", "--train.warmup_steps", "2")
    lines = log(trained(recipe(*warm, "--train.max_steps", "4"), tmp_path))
    assert [line["learning_rate"] for line in lines] == pytest.approx([0, 5e-4, 1e-3, 1e-3])


def test_a_base_in_four_bits_is_trained(recipe: Recipes, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    from pengadil.judges.opening import open_judge

    found = trained(recipe("--model.load_in_4bit", "true", "--train.max_steps", "3"), tmp_path)
    assert [line["step"] for line in log(found)] == [1, 2, 3]
    assert any(tensor.abs().max() > 0 for name, tensor in weights(found).items() if "_B" in name)
    examples = load_bundled("contoh", "validation", 4)
    judge = open_judge(str(found.folder))
    assert judge.describe()["load_in_4bit"] is True
    judged = judge.judge(examples, load_prompt("verdict"), "score")
    assert sorted(row.id for batch in judged for row in batch) == sorted(row.id for row in examples)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("--lora.targets", "tiada"), r"lora\.targets = \('tiada',\): .*all-linear"),
        (("--lora.targets", "q_proj,lm_head"), "output layer"),
        (("--train.learning_rate", "1e30"), r"step \d of 6: the loss is no longer a number"),
    ],
)
def test_a_training_that_cannot_work_says_why(
    recipe: Recipes, tmp_path: Path, overrides: tuple[str, ...], told: str
) -> None:
    with pytest.raises(PengadilError, match=told):
        trained(recipe(*overrides), tmp_path)
    [left] = tmp_path.iterdir()
    assert not Run(left).finished
    assert not Run(left).adapter.exists()


def test_rows_that_are_too_long_stop_the_plan_with_their_ids(recipe: Recipes) -> None:
    with pytest.raises(PengadilError, match=r"48 rows: contoh\S+ \(\d+ tokens\).* and 43 more"):
        make_plan(recipe("--data.max_length", "64"))


def test_training_rows_that_stand_in_a_test_slice_stop_the_plan(
    recipe: Recipes, tmp_path: Path
) -> None:
    test = load_slice("contoh", find("eval", "slices"))
    write_jsonl(tmp_path / "mine.jsonl", [*load_bundled("contoh", "train", 8), test.examples[3]])
    leaking = recipe("--data.train", str(tmp_path / "mine.jsonl"))
    with pytest.raises(
        PengadilError, match=rf"1 training rows \({test.examples[3].id}.*contoh too"
    ):
        make_plan(leaking, [test])
    make_plan(leaking, [Slice("other", load_bundled("contoh", "validation", 8), "", 8)])


def test_an_engine_that_is_not_here_stops_the_plan(recipe: Recipes) -> None:
    with pytest.raises(PengadilError, match="unsloth"):
        make_plan(recipe("--train.engine", "unsloth"))


@pytest.mark.parametrize("written", ["checkpoint-2", "adapter.part", "tokenizer"])
def test_a_full_disk_leaves_nothing_that_looks_finished(
    recipe: Recipes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    written: str,
) -> None:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase

    def full(place: Any) -> None:
        Path(place).mkdir(parents=True, exist_ok=True)
        (Path(place) / "adapter_model.safetensors").write_bytes(b"\0")
        raise OSError(errno.ENOSPC, "No space left on device", str(place))

    def save(model: PeftModel, place: Any, **settings: Any) -> None:
        if Path(place).name == written:
            full(place)
        saved(model, place, **settings)

    saved = PeftModel.save_pretrained
    with monkeypatch.context() as patch:
        patch.setattr(PeftModel, "save_pretrained", save)
        if written == "tokenizer":
            patch.setattr(
                PreTrainedTokenizerBase, "save_pretrained", lambda _, place, **settings: full(place)
            )
        with pytest.raises(SystemExit) as ended:
            run_script(lambda: void(trained(recipe(), tmp_path)))
    assert ended.value.code == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: no space left")
    assert errors.count("\n") == 1
    [left] = tmp_path.iterdir()
    assert not Run(left).finished
    assert not {"adapter", "adapter.part"} & {path.name for path in left.iterdir()}
    if written == "checkpoint-2":
        return
    assert trained(recipe(), tmp_path).folder == left
    assert len(json.loads((left / "adapter" / "adapter_config.json").read_text("utf-8"))) > 5


def void(_: object) -> None:
    """What a script's main returns."""
