"""The encoder that is made here: the same one every time, and nothing known in advance."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pengadil.judges.encoder import is_classifier
from pengadil.loading import load_tokenizer
from pengadil.models import file_sha256, resolve_model
from pengadil.tiny_encoder import ENCODER, SAMPLE, make_encoder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    make_encoder(folder)
    return folder


def test_it_is_made_the_same_every_time_and_leaves_the_random_numbers_alone(
    made: Path, tmp_path: Path
) -> None:
    import torch

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    make_encoder(tmp_path)
    assert torch.rand(1) == expected
    files = sorted(path.name for path in made.iterdir())
    assert files == sorted(path.name for path in tmp_path.iterdir())
    assert all(file_sha256(made / name) == file_sha256(tmp_path / name) for name in files)


def test_its_vocabulary_knows_no_name_of_the_rows_it_is_measured_on(made: Path) -> None:
    words = tomllib.loads((SAMPLE / "words.toml").read_text(encoding="utf-8"))
    vocabulary = load_tokenizer(made).get_vocab()
    assert {"kampung", "tuan"} <= vocabulary.keys()
    held = {
        word.lower()
        for pool in words.values()
        for split in ("validation", "test")
        for name in pool.get(split, ())
        for word in name.split()
    }
    used = {
        word.lower()
        for pool in words.values()
        for name in (pool.get("all") or pool["train"])
        for word in name.replace("|", " ").split()
    }
    # Short ones ("Awan") may be a piece of other words ("wartawan").
    names = {word for word in held - used if len(word) > 4}
    assert len(names) > 40
    assert not names & vocabulary.keys()


def test_it_has_no_classes_yet(made: Path) -> None:
    assert not is_classifier(made)


def test_it_is_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENGADIL_HOME", str(tmp_path))
    model = resolve_model(ENCODER)
    assert model.folder.parent == tmp_path
    assert model.revision.startswith("random weights ")
    monkeypatch.setattr("pengadil.models.make_encoder", lambda _: pytest.fail("made again"))
    assert resolve_model(ENCODER) == model
    assert [path.name for path in tmp_path.iterdir()] == [model.folder.name]
