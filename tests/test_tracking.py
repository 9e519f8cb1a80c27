"""Logging to W&B and Weave: with the real libraries, offline and against a server of our own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers_tracking import KEY, Service, contents, private_home, records, running_service

from pengadil import tracking_content as content
from pengadil.errors import PengadilError
from pengadil.records import Example, Judgement, write_jsonl
from pengadil.summary import scored
from pengadil.tracking import log_to_wandb, log_to_weave, send_weave

EXAMPLES = [Example(f"row-{n}", f"dokumen rahsia {n}", f"soalan {n}", n % 2) for n in range(6)]
JUDGEMENTS = [
    Judgement("row-0", 0, None, "unreadable", None, "jawapan rahsia"),
    *(Judgement(f"row-{n}", n % 2, int(n > 2), "score", 0.1 * n) for n in range(1, 6)),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    yield from private_home(tmp_path, monkeypatch)


@pytest.fixture
def service(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Service]]:
    yield from running_service(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_jsonl(tmp_path / "results" / "results.jsonl", JUDGEMENTS)
    return tmp_path / "results"


def make_summary(model: str = "tiny") -> dict[str, Any]:
    summary = {
        "format": 1,
        "model": {"name": model, "revision": "abc"},
        "prompt": {"name": "verdict", "sha256": "def"},
        "slice": {"name": "contoh", "rows": 6, "of": 200, "subset": True},
        "mode": "score",
        "hardware": {"device": "cpu"},
        **scored(JUDGEMENTS, [], ""),
    }
    same: dict[str, Any] = json.loads(json.dumps(summary))
    return same


def test_offline_a_run_of_wandb_lies_in_the_results_folder(
    folder: Path, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    where = log_to_wandb(folder, make_summary(), offline=True)
    assert capfd.readouterr() == ("", "")
    import wandb

    wandb.teardown()  # as when the process ends: only then is all of the file surely written
    [run] = (folder / "wandb").glob("offline-run-*")
    assert where == f'{run} (nothing was sent; to send it: wandb sync "{run}")'

    [written] = run.glob("*.wandb")
    config, summary = {}, {}
    for record in records(written):
        if record.HasField("run"):
            assert record.run.display_name == "tiny · contoh · score"
            assert (record.run.project, record.run.host) == ("pengadil", "")
            config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
        for item in record.summary.update:
            summary[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
    assert config["slice"] == {"name": "contoh", "rows": 6, "of": 200, "subset": True}
    assert {"model", "prompt", "mode", "hardware"} <= set(config)
    assert not {"scores", "by", "baselines"} & set(config)
    scores = make_summary()["scores"]
    assert (summary["n"], summary["unreadable"]) == (6, 1)
    assert summary["accuracy"] == scores["accuracy"]
    assert [summary["accuracy_low"], summary["accuracy_high"]] == scores["accuracy_interval"]
    assert summary["majority/accuracy"] == 0.5

    [table] = run.glob("files/media/table/*.json")
    rows = json.loads(table.read_text(encoding="utf-8"))
    assert rows["columns"] == ["id", "gold", "verdict", "rule", "probability"]
    assert rows["data"][0] == ["row-0", 0, None, "unreadable", None]
    assert rows["data"][3] == ["row-3", 1, 1, "score", pytest.approx(0.3)]
    pictures = {path.name.split("_")[0] for path in run.glob("files/media/images/*.png")}
    assert pictures == {"confusion", "reliability"}
    assert b"rahsia" not in contents(folder / "wandb")


def test_online_wandb_is_told_the_run_and_never_the_key_or_the_texts(
    folder: Path, home: Path, service: type[Service], capfd: pytest.CaptureFixture[str]
) -> None:
    url = log_to_wandb(folder, make_summary(str(home / "tiny")), "pasukan/hakim", examples=EXAMPLES)
    assert "/pasukan/hakim/runs/" in url
    assert capfd.readouterr() == ("", "")
    bodies = [body for _, body in service.asked]
    started = next(json.loads(body) for body in bodies if b"mutation UpsertBucket" in body)
    about = started["variables"]
    assert (about["project"], about["entity"]) == ("hakim", "pasukan")
    assert (about["host"], about["program"], about["repo"]) == (None, None, None)
    assert json.loads(about["config"])["model"]["value"]["name"] == "tiny"
    [table] = [body for path, body in service.asked if path.startswith("/upload/media/table/")]
    assert json.loads(table)["data"][0] == ["row-0", 0, None, "unreadable", None]
    assert b'"accuracy":' in b"".join(bodies)
    sent, kept = b"".join(bodies), contents(folder)
    assert KEY.encode() not in sent + kept
    assert b"dokumen rahsia" not in sent + kept
    assert b"jawapan rahsia" not in sent + contents(folder / "wandb")
    assert str(home).encode() not in sent


def test_files_that_wandb_does_not_take_are_told_of(
    folder: Path, service: type[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pengadil.tracking.FINISH_TIMEOUT", 2)
    service.failing = "/upload/media/table"
    with pytest.raises(PengadilError, match="Weights & Biases: the evaluation could not be logged"):
        log_to_wandb(folder, make_summary())


def test_offline_weave_is_a_file_that_can_be_sent_later(
    folder: Path, service: type[Service], capfd: pytest.CaptureFixture[str]
) -> None:
    where = log_to_weave(folder, make_summary(), "pasukan/hakim", offline=True)
    path = folder / "weave-offline.jsonl"
    assert where.startswith(str(path))
    assert service.asked == []
    about, *rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert (about["title"], about["project"]) == ("tiny · contoh · score", "pasukan/hakim")
    assert about["figures"]["unreadable"] == 1
    assert about["settings"]["slice"]["subset"] is True
    assert rows[0] == content.rows(JUDGEMENTS[:1], [], False)[0]
    assert len(rows) == 6
    assert b"rahsia" not in path.read_bytes()

    assert "/pasukan/hakim/" in send_weave(folder)
    assert capfd.readouterr() == ("", "")
    assert not path.exists()
    check_what_weave_was_told(service)


def check_what_weave_was_told(service: type[Service]) -> None:
    calls = [
        call
        for place, body in service.asked
        if place.endswith("/calls/complete")
        for call in json.loads(body)["batch"]
    ]
    rows = [call for call in calls if "predict_and_score" in call["op_name"]]
    by_id = {call["inputs"]["example"]["id"]: call["output"] for call in rows}
    assert set(by_id) == {row.id for row in JUDGEMENTS}
    assert by_id["row-0"]["output"] == {"verdict": None, "rule": "unreadable", "probability": None}
    assert by_id["row-0"]["scores"] == {"right": False, "unreadable": True}
    assert by_id["row-3"]["scores"] == {"right": True, "unreadable": False}
    [ended] = [json.loads(body) for place, body in service.asked if place.endswith("/call/end")]
    accuracy = make_summary()["scores"]["accuracy"]
    assert f'"accuracy": {accuracy}' in json.dumps(ended["end"]["output"])
    sent = b"".join(body for _, body in service.asked)
    assert KEY.encode() not in sent
    assert b"rahsia" not in sent


def test_online_weave_is_told_the_same(folder: Path, service: type[Service]) -> None:
    assert "/pasukan/hakim/" in log_to_weave(folder, make_summary(), "pasukan/hakim")
    assert not (folder / "weave-offline.jsonl").exists()
    check_what_weave_was_told(service)


@pytest.mark.parametrize("failing", ["server_info", "calls/complete"])
def test_what_weave_does_not_take_stays_in_its_file(
    failing: str,
    folder: Path,
    service: type[Service],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEAVE_RETRY_MAX_ATTEMPTS", "1")
    log_to_weave(folder, make_summary(), "pasukan/hakim", offline=True)
    service.failing = failing
    with pytest.raises(PengadilError, match="Weave: the evaluation could not be logged"):
        send_weave(folder)
    assert (folder / "weave-offline.jsonl").is_file()


def test_a_weave_file_that_is_not_whole_is_refused(folder: Path) -> None:
    with pytest.raises(PengadilError, match="no such file"):
        send_weave(folder)
    log_to_weave(folder, make_summary(), offline=True)
    path = folder / "weave-offline.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for kept in (lines[:-1], lines[1:], []):
        path.write_text("".join(kept), encoding="utf-8")
        with pytest.raises(PengadilError, match="not whole"):
            send_weave(folder)


@pytest.mark.parametrize("log", [log_to_wandb, log_to_weave])
def test_without_a_key_nothing_is_asked_and_nothing_sent(
    log: Any, folder: Path, service: type[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in (None, "", " "):
        if key is None:
            monkeypatch.delenv("WANDB_API_KEY")
        else:
            monkeypatch.setenv("WANDB_API_KEY", key)
        with pytest.raises(PengadilError, match="Set WANDB_API_KEY in the environment, or log off"):
            log(folder, make_summary())
    assert service.asked == []


@pytest.mark.parametrize("log", [log_to_wandb, log_to_weave])
def test_the_environment_can_forbid_sending(
    log: Any, folder: Path, service: type[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    with pytest.raises(PengadilError, match="WANDB_MODE=disabled"):
        log(folder, make_summary())
    assert service.asked == []


def test_wandbs_own_offline_mode_counts(
    folder: Path, service: type[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert "weave-offline.jsonl" in log_to_weave(folder, make_summary())
    with pytest.raises(PengadilError, match="WANDB_MODE=offline"):
        send_weave(folder)
    assert service.asked == []


@pytest.mark.parametrize(
    ("log", "library", "offline"),
    [(log_to_wandb, "wandb", True), (log_to_wandb, "wandb", False), (log_to_weave, "weave", False)],
)
def test_a_library_that_is_not_there_is_named_with_its_command(
    log: Any, library: str, offline: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PengadilError, match=f"python -m pip install {library}"):
        log(folder, make_summary(), offline=offline)


def test_an_error_never_quotes_the_key(
    folder: Path, service: type[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    def fail(**_: Any) -> None:
        raise wandb.errors.CommError(f"the key {KEY} is wrong\nmore")

    monkeypatch.setattr(wandb, "init", fail)
    with pytest.raises(PengadilError, match=r"CommError: the key \(key\) is wrong\)") as caught:
        log_to_wandb(folder, make_summary())
    assert KEY not in str(caught.value)


def test_texts_are_told_only_when_asked_for() -> None:
    [without, *_] = content.rows(JUDGEMENTS, EXAMPLES, include_text=False)
    assert list(without) == ["id", "gold", "verdict", "rule", "probability"]
    [first, *rest] = content.rows(JUDGEMENTS, EXAMPLES[:5], include_text=True)
    assert (first["passage"], first["question"]) == ("dokumen rahsia 0", "soalan 0")
    assert first["raw"] == "jawapan rahsia"
    assert rest[-1]["passage"] is None
    assert {tuple(row) for row in rest} == {tuple(first)}


def test_paths_are_cut_to_their_last_part(tmp_path: Path) -> None:
    summary = make_summary(str(tmp_path / "model"))
    summary["slice"]["name"] = str(tmp_path / "rows.jsonl")
    summary["model"]["files"] = [str(tmp_path / "a.safetensors"), "owner/model"]
    assert content.title(summary) == "model · rows.jsonl · score"
    settings = content.settings(summary)
    assert settings["model"]["files"] == ["a.safetensors", "owner/model"]
    assert str(tmp_path) not in json.dumps(settings)
    assert summary["model"]["name"] == str(tmp_path / "model"), "the summary itself stays"


def test_figures_have_flat_names_and_no_gaps() -> None:
    figures = content.figures(
        {
            "scores": {
                "accuracy": 0.5,
                "accuracy_interval": [0.4, 0.6],
                "f1": None,
                "confusion": {"0": {"1": 3}},
                "calibration": {"ece": 0.1, "bins": [{"n": 1}]},
            },
            "baselines": {"majority": {"accuracy": 0.6}, "overlap": None},
            "usage": {"rows": 8, "cost": None},
        }
    )
    assert figures == {
        "accuracy": 0.5,
        "accuracy_low": 0.4,
        "accuracy_high": 0.6,
        "confusion/0/1": 3,
        "calibration/ece": 0.1,
        "majority/accuracy": 0.6,
        "usage/rows": 8,
    }
