"""Run folders, and `latest`, whether the file system knows links or not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pengadil.errors import PengadilError
from pengadil.runs import FINISHED, FORMAT, TRAINING, Run, follow, is_run, open_run, point_latest


@pytest.fixture(params=["link", "text file"])
def latest_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to point: Windows refuses links to most users."""
    if request.param == "text file":

        def refuse(*_: Any, **__: Any) -> None:
            raise OSError("a required privilege is not held")

        monkeypatch.setattr(Path, "symlink_to", refuse)
    elif os.name == "nt":
        pytest.skip("links need a privilege there")
    return str(request.param)


def make(folder: Path, status: str = FINISHED) -> Run:
    folder.mkdir(parents=True)
    run = Run(folder)
    run.write_facts({"status": status})
    return run


def test_a_run_knows_its_places(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.recipe_file == tmp_path / "recipe.toml"
    assert run.adapter == tmp_path / "adapter"
    assert run.checkpoints == tmp_path / "checkpoints"
    assert run.log == tmp_path / "log.jsonl"
    assert run.evaluation("contoh", "score") == tmp_path / "evaluation" / "contoh-score"
    before = run.evaluation("contoh", "generate", before=True)
    assert before == tmp_path / "evaluation" / "before-contoh-generate"


def test_facts_come_back_with_their_format(tmp_path: Path) -> None:
    run = make(tmp_path / "a", TRAINING)
    assert run.facts() == {"format": FORMAT, "status": TRAINING}
    assert not run.finished
    run.write_facts({**run.facts(), "status": FINISHED, "prompt": {"name": "é"}})
    assert run.finished
    assert run.facts()["prompt"] == {"name": "é"}
    assert [path.name for path in run.folder.iterdir()] == ["run.json"]


def test_latest_points_to_the_newest_run(tmp_path: Path, latest_kind: str) -> None:
    latest = tmp_path / "runs" / "latest"
    for name in ("satu", "dua", "dua"):
        folder = tmp_path / "runs" / name
        run = Run(folder) if folder.exists() else make(folder)
        point_latest(run)
        assert latest.is_symlink() == (latest_kind == "link")
        assert open_run(latest).folder.samefile(folder)
        assert is_run(latest)
        assert follow(latest).name == name  # results name the run, not "latest"
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["dua", "latest", "satu"]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_latest_changes_from_a_link_to_a_text_file_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make(tmp_path / "satu"), make(tmp_path / "dua")
    point_latest(first)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "symlink_to", lambda *_, **__: os.mkdir(tmp_path))  # noqa: PTH102
        point_latest(second)
    assert (tmp_path / "latest").read_text(encoding="utf-8") == "dua\n"
    assert open_run(tmp_path / "latest").folder.samefile(second.folder)
    assert first.facts() == {"format": FORMAT, "status": FINISHED}
    point_latest(first)
    assert open_run(tmp_path / "latest").folder.samefile(first.folder)


def test_latest_survives_a_move_of_the_whole_folder(tmp_path: Path, latest_kind: str) -> None:
    point_latest(make(tmp_path / "runs" / "satu"))
    (tmp_path / "runs").rename(tmp_path / "moved")
    assert open_run(tmp_path / "moved" / "latest").folder.name == "satu"


def test_latest_of_a_run_that_was_deleted_is_no_run(tmp_path: Path, latest_kind: str) -> None:
    run = make(tmp_path / "satu")
    point_latest(run)
    (run.folder / "run.json").unlink()
    run.folder.rmdir()
    assert not is_run(tmp_path / "latest")
    with pytest.raises(PengadilError, match=r"no such run folder.*scripts/train\.py"):
        open_run(tmp_path / "latest")


def test_no_folder_is_refused_with_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(PengadilError, match=r"latest: no such run folder.*scripts/train\.py"):
        open_run(tmp_path / "latest")
    assert not is_run(tmp_path / "latest")


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    for status in (TRAINING, "other"):
        run = make(tmp_path / status, status)
        with pytest.raises(PengadilError, match=r"has not finished.*goes on from"):
            open_run(run.folder)
    run.write_facts({})
    with pytest.raises(PengadilError, match="has not finished"):
        open_run(run.folder)


@pytest.mark.parametrize("content", [None, "", '{"status":', "5", "null", '"text"', "\x80"])
def test_a_folder_without_a_readable_run_json_is_refused(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "run.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(PengadilError, match=r"no readable run\.json"):
        open_run(tmp_path)
    assert is_run(tmp_path) == (content is not None)


@pytest.mark.parametrize("facts", [{"format": FORMAT + 1}, {"status": FINISHED}, []])
def test_a_run_of_another_format_is_refused(tmp_path: Path, facts: Any) -> None:
    (tmp_path / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(PengadilError, match=f"is not {FORMAT}"):
        open_run(tmp_path)
