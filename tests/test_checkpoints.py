"""A checkpoint counts only when it is whole: what a kill left half-written is passed over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pengadil.training.checkpoints import COMPLETE, mark_complete, newest_complete


def make(folder: Path, step: int, whole: bool = True) -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    (checkpoint / "inner").mkdir(parents=True)
    (checkpoint / "adapter.safetensors").write_bytes(bytes(100))
    (checkpoint / "inner" / "state.json").write_bytes(b"{}")
    if whole:
        mark_complete(checkpoint)
    return checkpoint


def test_no_folder_and_an_empty_one_hold_no_checkpoint(tmp_path: Path) -> None:
    assert newest_complete(tmp_path / "checkpoints") is None
    assert newest_complete(tmp_path) is None


def test_the_newest_whole_checkpoint_is_found_by_number(tmp_path: Path) -> None:
    made = [make(tmp_path, step) for step in (5, 10, 9)]
    assert newest_complete(tmp_path) == made[1]
    assert all(checkpoint.is_dir() for checkpoint in made)
    assert newest_complete(tmp_path) == made[1]


def lose_a_file(checkpoint: Path) -> None:
    (checkpoint / "inner" / "state.json").unlink()


def cut_a_file(checkpoint: Path) -> None:
    (checkpoint / "adapter.safetensors").write_bytes(bytes(99))


def add_a_file(checkpoint: Path) -> None:
    (checkpoint / "adapter.safetensors.tmp").write_bytes(b"")


def lose_the_list(checkpoint: Path) -> None:
    (checkpoint / COMPLETE).unlink()


def cut_the_list(checkpoint: Path) -> None:
    (checkpoint / COMPLETE).write_text('{"adapter', encoding="utf-8")


def empty_the_list(checkpoint: Path) -> None:
    (checkpoint / COMPLETE).write_text("{}", encoding="utf-8")


@pytest.mark.parametrize(
    "harm", [lose_a_file, cut_a_file, add_a_file, lose_the_list, cut_the_list, empty_the_list]
)
def test_a_cut_checkpoint_is_passed_over_and_removed(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    whole, cut = make(tmp_path, 10), make(tmp_path, 20)
    harm(cut)
    assert newest_complete(tmp_path) == whole
    assert list(tmp_path.iterdir()) == [whole]


def test_when_all_are_cut_training_starts_anew(tmp_path: Path) -> None:
    for step in (1, 2):
        make(tmp_path, step, whole=False)
    empty = tmp_path / "checkpoint-3"
    empty.mkdir()
    mark_complete(empty)
    assert newest_complete(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_other_files_and_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-best").mkdir()
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    whole = make(tmp_path, 1)
    assert newest_complete(tmp_path) == whole
    assert len(list(tmp_path.iterdir())) == 3
