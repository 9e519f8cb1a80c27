"""A tiny run and its GGUF files, made once for all tests that look at them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from helpers_runs import make_tiny_run, write_evaluation

import pengadil.export.gguf as steps
from pengadil.data.bundled import EASY, load_bundled
from pengadil.export import Exported, export_gguf
from pengadil.runs import Run

ROWS = 24
QUANTS = ("q8_0", "f16")
# What lies beside the files.
BESIDE = ["Modelfile", "README.md", "export.json", "reference.json"]


class Made(NamedTuple):
    """A run, the files that were exported from it, and the steps that it took."""

    run: Run
    files: list[Exported]
    steps: list[str]


@cache
def tiny_export() -> Made:
    """The tiny run, evaluated and exported; look, but change nothing."""
    folder = Path(tempfile.mkdtemp(prefix="pengadil-export-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    run = make_tiny_run(folder)
    write_evaluation(run, EASY, load_bundled(EASY, "test"))
    heard: list[str] = []
    files = export_gguf(
        run.folder, ("Q8_0", "f16"), verify_rows=ROWS, progress=named(heard), threads=1
    )
    return Made(run, files, heard)


def copy_of_run(target: Path) -> Run:
    """The tiny run in a folder of its own, without exports."""
    shutil.copytree(tiny_export().run.folder, target, ignore=shutil.ignore_patterns("gguf"))
    return Run(target)


def convert_by_copying(monkeypatch: pytest.MonkeyPatch) -> None:
    """The converter's results are at hand: the files of the same run."""
    sixteen = tiny_export().run.folder / "gguf" / "tiny-F16.gguf"
    eight = sixteen.with_name("tiny-Q8_0.gguf")
    monkeypatch.setattr(
        steps,
        "convert",
        lambda job, target, _: shutil.copy(eight if job.type == "q8_0" else sixteen, target),
    )


def names_in(folder: Path) -> list[str]:
    """The names of what lies in a folder, sorted; none for a folder that is not there."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def named(heard: list[str]) -> Callable[[str, int, int], None]:
    """A `progress` that notes each step's name once."""
    return lambda step, *_: heard.append(step) if step not in heard else None


@pytest.fixture
def made() -> Made:
    return tiny_export()


@pytest.fixture
def fresh(tmp_path: Path) -> Run:
    return copy_of_run(tmp_path / "tiny")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    convert_by_copying(monkeypatch)
