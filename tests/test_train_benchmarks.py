"""The training benchmarks: what they time is the same training, and what they print is measured."""

from __future__ import annotations

import argparse
import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from helpers_runs import make_tiny_base
from helpers_training import cpu_only

from pengadil.errors import PengadilError

FOLDER = Path(__file__).parent.parent / "benchmarks"
ECHO = """\
import json, sys
sys.path.insert(0, {folder!r})
from workers import Turns
turns = Turns(2)
turns.facts["name"] = sys.argv[1]
for number in range(1000):
    if number == 5:
        sys.exit("no more " + json.loads(sys.argv[2])["what"])
    turns.step_made(float(number))
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a script finds the files beside it; one thread, for so small a model."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def module(name: str) -> Any:
    return importlib.import_module(name)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_base(tmp_path_factory.mktemp("base"))


class Heard:
    """Stands for `Turns`, and never waits."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def step_made(self, loss: float) -> None:
        self.losses.append(loss)


def options(base: Path, **changed: Any) -> argparse.Namespace:
    return argparse.Namespace(**{"model": str(base), "batch": 2, "data": None, **changed})


@pytest.mark.parametrize("mix", ["together", "apart"])
def test_every_contender_trains_the_same(
    mix: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu_only(monkeypatch)
    contenders, speed = module("train_contenders"), module("train_speed")
    from pengadil.recipe import load_recipe
    from pengadil.training.plan import make_plan

    plan = make_plan(load_recipe(speed.write_recipe(tmp_path, mix, options(base), 3, "float32")))
    groups = len({row.group for row in plan.rows})
    assert groups == 6 if mix == "apart" else groups < 4
    curves = {}
    for name, train in contenders.CONTENDERS.items():
        heard = Heard()
        train(plan, heard)
        curves[name] = heard.losses
    assert len(curves["portable"]) == 3
    assert curves["portable"][0] != pytest.approx(curves["portable"][2], abs=1e-2)
    for losses in curves.values():
        assert losses == pytest.approx(curves["portable"], abs=1e-4)


def test_rows_of_a_file_are_taken_as_they_are(base: Path, tmp_path: Path) -> None:
    speed = module("train_speed")
    file = tmp_path / "own.jsonl"
    rows = [{"passage": f"Ali {n}.", "question": "Ali?", "answer": n % 2} for n in range(8)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    recipe = speed.write_recipe(tmp_path, "data", options(base, data=file), 2, "float32")
    assert len(speed.row_lengths(recipe)) == 4
    assert 'prompt = "verdict"' in recipe.read_text(encoding="utf-8")


def test_contenders_take_turns_and_say_why_they_stop(tmp_path: Path) -> None:
    workers = module("workers")
    script = tmp_path / "echo.py"
    script.write_text(ECHO.format(folder=str(FOLDER)), encoding="utf-8")
    worker = workers.Worker(script, "gema", {"what": "steps"})
    try:
        assert worker.ready["losses"] == [0.0, 1.0]
        answer = worker.ask(2)
        assert answer["losses"] == [2.0, 3.0]
        assert answer["name"] == "gema"
        assert min(answer["seconds"], answer["processor"]) >= 0
        assert answer["memory"]["main"] > 0
        with pytest.raises(PengadilError, match="no more steps"):
            worker.ask(2)
    finally:
        worker.stop()


def test_the_warm_up_is_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    speed = module("train_speed")

    def turns(*seconds: float) -> list[dict[str, Any]]:
        return [
            {"seconds": each, "processor": each / 2, "memory": {"main": 2**30}}
            for each in (100.0, *seconds)
        ]

    done = {"portable": turns(1, 1, 1), "trl": turns(2, 4, 3)}
    pair = speed.compared(done)["portable against trl"]
    assert (pair["ratio"], pair["low"], pair["high"]) == (3, 2, 4)
    speed.show(done, [1000, 10, 20, 30], argparse.Namespace(steps=1, turns=3, batch=1))
    printed = capsys.readouterr().out
    assert re.search(r"portable +20 +1\.00 +0\.50 s +1024 MiB", printed)
    assert re.search(r"trl +7 +3\.00", printed)


def test_differences_of_losses_are_the_largest_at_a_step() -> None:
    speed = module("train_speed")
    found = speed.differences({"float32": {"portable": [3.0, 2.0, 1.0], "trl": [3.0, 2.5, 1.0]}})
    assert found["float32"]["portable and trl"] == {"first": 0.0, "most": 0.5}


@pytest.mark.parametrize(
    ("script", "words", "fault"),
    [
        ("train_speed", ["--only", "portabel"], "no such contender"),
        ("train_speed", ["--mix", "data"], "no --data"),
        ("train_speed", ["--steps", "0"], "below 1"),
        ("gpu_train", ["--only", "unslot"], "no such contender"),
        ("gpu_train", ["--batch", "0"], "below 1"),
        ("gpu_train", [], "no NVIDIA GPU"),
        ("gpu_train", ["--lengths", "none.txt", "--device", "cpu"], "none.txt"),
    ],
)
def test_bad_options_are_told(
    script: str, words: list[str], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu_only(monkeypatch)
    with pytest.raises(PengadilError, match=fault):
        module(script).main(words)


def test_drawn_lengths_are_those_of_real_rows_and_the_same_each_time() -> None:
    shapes = module("gpu_shapes")
    lengths = shapes.drawn_lengths(3000)
    assert lengths == shapes.drawn_lengths(3000)
    assert shapes.SHORTEST <= min(lengths) < max(lengths) <= shapes.LONGEST
    assert sorted(lengths)[1500] == pytest.approx(shapes.MEDIAN, rel=0.05)


def test_lengths_go_by_way_of_a_file(tmp_path: Path) -> None:
    shapes, gpu = module("gpu_shapes"), module("gpu_train")
    data, file = tmp_path / "rows.jsonl", tmp_path / "lengths.txt"
    row = {"passage": "Ali lahir di Ipoh. " * 2000, "question": "Ali?", "answer": 1}
    data.write_text(json.dumps(row) + "\n", encoding="utf-8")
    gpu.main(["--device", "cpu", "--data", str(data), "--lengths-to", str(file)])
    assert shapes.read_lengths(file) == [shapes.LONGEST]


def test_random_rows_have_labels_on_their_answer_alone() -> None:
    shapes = module("gpu_shapes")
    row, other = shapes.make_random_rows([100, 64], 512)
    assert row.labels[:80] == [-100] * 80
    assert row.labels[80:] == row.ids[80:]
    assert sum(row.weights) == 20
    assert row.group != other.group
    assert 4 <= min(row.ids) <= max(row.ids) < 512


def test_the_whole_gpu_benchmark_runs_on_a_tiny_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    cpu_only(monkeypatch)
    file, folder = tmp_path / "gpu.json", tmp_path / "tiny"
    module("gpu_shapes").make_model("tiny", folder, "cpu")
    words = ["--shape", "tiny", "--device", "cpu", "--steps", "1", "--batch", "2"]
    module("gpu_train").main([*words, "--folder", str(folder), "--json", str(file)])
    printed = capsys.readouterr().out
    assert "NVIDIA GPU" in re.search(r"unsloth +left out: (.*)", printed)[1]
    assert re.search(r"fit: .*14\.6 GiB", printed)
    found = json.loads(file.read_text(encoding="utf-8"))
    pair = found["portable against trl"]
    assert pair["low"] <= pair["ratio"] <= pair["high"]
    assert found["machine"]["device"] == "cpu"
    assert found["versions"]["torch"]
    assert "2 rows a step" in found["rows"]
    for name in ("trl", "portable"):
        facts = found["speed"][name]
        assert len(facts["seconds"]) == 1
        assert len(facts["losses"]) == 3
        assert facts["memory"]["main"] > 0
        assert not facts["out of memory"]
        assert "GPU" in found["fit"][name]["left out"]
    # NF4 weights and a random base: the same to the rounding of bfloat16.
    assert found["losses"]["trl"] == pytest.approx(found["losses"]["portable"], abs=2e-2)


def test_a_model_is_made_once_and_over_nothing_else(tmp_path: Path) -> None:
    shapes = module("gpu_shapes")
    (tmp_path / "mine").write_text("keep", encoding="utf-8")
    with pytest.raises(PengadilError, match="something else"):
        shapes.make_model("tiny", tmp_path, "cpu")
    folder = tmp_path / "tiny"
    assert not shapes.is_made(folder, "tiny")
    shapes.make_model("tiny", folder, "cpu")
    assert shapes.is_made(folder, "tiny")
    assert not shapes.is_made(folder, "mistral-7b")
    shapes.make_model("tiny", folder, "cpu")


def test_memory_that_does_not_suffice_is_an_answer_not_a_crash(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu = module("gpu_train")
    done = {
        "seconds": [],
        "tokens": [],
        "memory": {"main": 2**30, "cuda": 2**33, "reserved": 2**34},
        "notices": ["4 rows at once instead of 8"],
        "out of memory": "CUDA out of memory.",
    }
    shown = gpu.line("trl", done)
    assert "16.00 GiB" in shown
    assert "4 rows at once instead of 8; CUDA out of memory." in shown
    assert gpu.compared({"trl": done, "unsloth": {**done, "seconds": [1.0]}}) == {}


def test_every_benchmark_is_described() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    for script in FOLDER.glob("*.py"):
        if "make_parser" in script.read_text(encoding="utf-8"):
            assert f"benchmarks/{script.name}" in page, script.name
