"""Plans: rows, rates, disk and files, each by itself and all together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers_memory import LLAMA, write_config
from helpers_planning import CPU, a_choice, a_recipe

from pengadil.errors import PengadilError
from pengadil.hardware import Hardware, choose
from pengadil.planning import files, rates
from pengadil.planning.disk import disk, free, fullest
from pengadil.planning.estimate import Estimate, estimate
from pengadil.planning.files import ModelFiles, model_files
from pengadil.planning.gpus import GPUS, find_gpu
from pengadil.planning.lengths import Lengths, bounded, counted
from pengadil.planning.memory import Part
from pengadil.planning.rates import Rate, expected, last_run, operations
from pengadil.planning.shape import Shape, read_shape
from pengadil.recipe import Recipe
from pengadil.runs import Run

GIB = 2**30
HERE = ModelFiles("uji", Path(), 0, "on this machine already")
ROWS = Lengths(800, 160_000, 300, True, "counted")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Shape:
    return read_shape(write_config(tmp_path_factory.mktemp("llama"), "llama", **LLAMA))


@pytest.fixture(scope="module")
def mistral(tmp_path_factory: pytest.TempPathFactory) -> Shape:
    return read_shape(write_config(tmp_path_factory.mktemp("mistral"), "mistral"))


def qlora(**settings: Any) -> Recipe:
    return a_recipe(**{"rank": 64, "load_in_4bit": True, **settings})


# Rows


def test_rows_at_hand_are_counted() -> None:
    from pengadil.training.pair_rows import PairRow
    from pengadil.training.rows import TrainingRow

    rows = [TrainingRow(str(n), str(n), [1] * n, [1] * n, [1.0] * n) for n in (5, 9)]
    assert counted(rows) == Lengths(2, 14, 9, True, "counted")
    assert counted(rows).mean == 7
    pair = PairRow("p", "p", [1] * 10, [1] * 3, [1] * 5)
    assert counted([pair]).longest == 15
    assert counted([pair]).tokens == 28


def test_rows_that_are_not_at_hand_are_bounded_and_said_so() -> None:
    found = bounded(a_recipe(max_length=256, max_steps=10), "no tokenizer")
    assert (found.rows, found.tokens, found.longest, found.exact) == (80, 80 * 256, 256, False)
    assert "no tokenizer" in found.reason
    unknown = bounded(a_recipe(), "offline")
    assert (unknown.rows, unknown.tokens) == (None, None)
    assert unknown.mean == 512


# Rates


def test_an_estimated_rate_says_what_it_assumes(mistral: Shape) -> None:
    gpu = find_gpu("a100-40")
    choice = choose(gpu.hardware, installed=True)
    rate = expected(mistral, qlora(), gpu.hardware, choice, 1000, gpu, False, Path("none"))
    # Three passes over 7.11 B weights, and attention over a thousand tokens.
    needed = 3 * (2 * (6_979_321_856 + 32_000 * 4096) + 4 * 32 * 4096 * 1000)
    assert operations(mistral, qlora(), True, 1000) == needed
    assert rate.tokens == pytest.approx(312e12 * 0.3 / needed)
    for word in ("estimate, not measured", "assumed", "312 TFLOP/s", "data sheet"):
        assert word in rate.reason


def test_passes_by_what_is_trained(small: Shape) -> None:
    once = operations(small, a_recipe(), False, 0) / 2
    assert operations(small, a_recipe(), True, 0) == 3 * once
    assert operations(small, a_recipe(rank=0), False, 0) == 3 * once
    assert operations(small, a_recipe(), False, 100) > 2 * once


def test_an_unknown_gpu_has_no_rate(small: Shape) -> None:
    h200 = Hardware("cuda", "NVIDIA H200", (9, 0), 139 * GIB, 1, 1, True)
    rate = expected(small, a_recipe(), h200, a_choice(), 100, None, True, Path("none"))
    assert rate.tokens is None
    assert "--rate" in rate.reason


def test_a_processors_rate_is_measured(small: Shape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "SECONDS", 0.001)
    rate = expected(small, a_recipe(), CPU, a_choice(), 100, None, True, Path("none"))
    assert rate.tokens is not None
    assert rate.tokens > 0
    assert "estimate" in rate.reason


def a_run(folder: Path, name: str, **changed: Any) -> None:
    run = Run(folder / name)
    run.folder.mkdir(parents=True)
    facts = {
        "base": {"name": "uji"},
        "engine": {"engine": "portable", "dtype": "float32"},
        "hardware": {"device_name": CPU.label},
    }
    run.write_facts({**facts, **changed})
    run.log.write_text(json.dumps({"tokens": 5000, "seconds": 10.0}) + "\n", encoding="utf-8")


def test_the_rate_of_the_last_run_of_its_kind_goes_before_an_estimate(
    small: Shape, tmp_path: Path
) -> None:
    recipe = a_recipe()
    a_run(tmp_path, "other-model", base={"name": "lain"})
    a_run(tmp_path, "other-device", hardware={"device_name": "Tesla T4 (sm_75)"})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{", encoding="utf-8")
    assert last_run(recipe, CPU, a_choice(), tmp_path) is None
    a_run(tmp_path, "mine")
    found = expected(small, recipe, CPU, a_choice(), 100, None, True, tmp_path)
    assert found == Rate(500.0, "as the run mine went here")


# Disk


def test_disk_by_part(small: Shape) -> None:
    trained = small.adapter_parameters(8, "all-linear")
    validated = replace(a_recipe(), data=replace(a_recipe().data, validation=("contoh",)))
    parts = {part.name: part.bytes for part in disk(small, validated, HERE)}
    assert parts["checkpoints"] == 3 * 12 * trained
    assert parts["best"] == 2 * 4 * trained
    assert parts["model"] == 0
    assert "best" not in {part.name for part in disk(small, a_recipe(), HERE)}


def test_a_download_of_unknown_size_is_assumed_and_said(small: Shape) -> None:
    hidden = ModelFiles("uji", Path(), None, "not known")
    [download, *_] = disk(small, a_recipe(), hidden)
    assert download.bytes == 2 * small.parameters
    assert "assumed" in download.reason


def test_an_export_comes_when_the_checkpoints_have_gone() -> None:
    parts = [Part("model", 5, ""), Part("checkpoints", 7, ""), Part("best", 2, "")]
    assert fullest(parts) == 14
    assert fullest([*parts, Part("export", 8, "")]) == 14
    assert fullest([*parts, Part("export", 20, "")]) == 25


def test_free_space_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert free(tmp_path / "not" / "yet") == pytest.approx(free(tmp_path), rel=0.1)


# Files of a model


def test_a_folder_needs_no_more_than_its_config(tmp_path: Path) -> None:
    folder = write_config(tmp_path, "llama", **LLAMA)
    assert model_files(str(folder)) == ModelFiles(str(folder), folder, 0, "on this machine already")


def test_out_of_the_hubs_reach_it_says_what_is_missing() -> None:
    with pytest.raises(PengadilError, match=r"the hub is out of reach .* give a local folder"):
        model_files("pemilik/model-yang-tiada")


def test_what_is_left_to_fetch_is_added_up() -> None:
    class File:
        def __init__(self, rfilename: str, size: int | None) -> None:
            self.rfilename, self.size = rfilename, size

    weights = [File("a.safetensors", 10), File("b.safetensors", 20), File("pytorch.bin", 99)]
    assert files._to_fetch("m", Path(), weights).download == 30
    assert files._to_fetch("m", Path(), [File("README.md", 5)]).download == 0
    assert files._to_fetch("m", Path(), [File("a.safetensors", None)]).download is None


# The whole


def a_plan(shape: Shape, recipe: Recipe, **settings: Any) -> Estimate:
    gpu = settings.pop("gpu", None)
    settings = {"here": gpu is None, "rate": 100.0, "runs": Path("none"), **settings}
    hardware = gpu.hardware if gpu else CPU
    return estimate(recipe, HERE, shape, hardware, ROWS, gpu=gpu, **settings)


def test_steps_and_time_follow_from_rows_and_rate(small: Shape) -> None:
    plan = a_plan(small, a_recipe())
    assert plan.steps == 100
    assert plan.seconds == 1600
    assert plan.rate.reason == "as given with --rate"
    assert not plan.warnings


def test_what_has_to_be_known_before_training_is_said(mistral: Shape) -> None:
    exported = Part("export", 29_000_000_000, "")
    plan = a_plan(mistral, qlora(), gpu=GPUS["p100"], export=exported)
    text = " ".join(plan.warnings)
    for word in ("cu126", "16-bit original", "Kaggle session 20 GB"):
        assert word in text
    full = a_plan(mistral, qlora(), disk_free=1000)
    assert "free some" in " ".join(full.warnings)
    quantised = a_plan(replace(mistral, quantised=True, context=200), qlora())
    assert "16-bit original, which this is not" in " ".join(quantised.warnings)
    assert "longer than the 200" in " ".join(quantised.warnings)


def test_a_plan_as_json_adds_up(mistral: Shape) -> None:
    found = json.loads(json.dumps(a_plan(mistral, qlora(), gpu=GPUS["t4"]).to_json()))
    assert found["memory_bytes"] == sum(part["bytes"] for part in found["memory"])
    assert found["shape"]["parameters"] == 7_241_732_096
    assert found["device"]["capability"] == [7, 5]
    assert found["micro_batch_size"] * found["accumulation"] == 8
    assert found["fits"] is True
