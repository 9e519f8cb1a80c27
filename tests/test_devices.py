"""One GPU of several."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from pengadil.training.devices import VISIBLE, use_one_gpu, visible_gpus


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No launcher, nothing hidden, no NVIDIA driver."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    # Set and deleted, so that what the function writes is undone.
    monkeypatch.setenv(VISIBLE, "")
    monkeypatch.delenv(VISIBLE)
    monkeypatch.setenv("PATH", str(tmp_path))


def nvidia_smi(folder: Path, text: str, code: int = 0) -> None:
    """A stand-in for the driver's program."""
    program = folder / "nvidia-smi"
    program.write_text(f"#!{sys.executable}\nprint({text!r})\nraise SystemExit({code})\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


needs_scripts = pytest.mark.skipif(os.name == "nt", reason="a script is no program on Windows")
TWO = "GPU 0: Tesla T4 (UUID: GPU-a)\nGPU 1: Tesla T4 (UUID: GPU-b)"


@needs_scripts
def test_the_first_of_two_is_used_and_said_so(tmp_path: Path) -> None:
    nvidia_smi(tmp_path, TWO)
    sentence = use_one_gpu()
    assert os.environ[VISIBLE] == "0"
    assert sentence.startswith("one of the 2 GPUs is used (CUDA device 0)")
    assert "accelerate launch scripts/train.py" in sentence
    assert use_one_gpu() == ""  # only one is left to see


def test_of_those_the_user_left_visible_the_first_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "3, 1")
    assert "CUDA device 3" in use_one_gpu()
    assert os.environ[VISIBLE] == "3"


@pytest.mark.parametrize("hidden", ["", "2"])
def test_with_one_or_none_nothing_changes(hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, hidden)
    assert use_one_gpu() == ""
    assert os.environ[VISIBLE] == hidden


def test_launched_in_several_processes_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "0,1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert use_one_gpu() == ""
    assert os.environ[VISIBLE] == "0,1"


def test_without_a_driver_there_is_none() -> None:
    assert visible_gpus() == []
    assert use_one_gpu() == ""
    assert VISIBLE not in os.environ


@needs_scripts
def test_a_driver_that_fails_is_no_gpu(tmp_path: Path) -> None:
    nvidia_smi(tmp_path, "NVIDIA-SMI has failed", code=9)
    assert visible_gpus() == []
