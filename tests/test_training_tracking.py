"""A training logged to W&B: with the real library, offline and against a server of our own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from helpers_tracking import KEY, Service, contents, private_home, records, running_service

from pengadil import tracking_content as content
from pengadil.errors import PengadilError
from pengadil.runs import Run
from pengadil.training.watch import Step, Validation, Watch
from pengadil.training_tracking import TrainingTracker, check_tracking

RECIPE = """
name = "smoke"
[data]
train = ["contoh:16", "{home}/rahsia.jsonl"]
[train]
learning_rate = 0.001
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    yield from private_home(tmp_path, monkeypatch)


@pytest.fixture
def service(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Service]]:
    yield from running_service(monkeypatch)


@pytest.fixture
def run(tmp_path: Path, home: Path) -> Run:
    run = Run(tmp_path / "runs" / "smoke-1")
    run.folder.mkdir(parents=True)
    run.recipe_file.write_text(RECIPE.format(home=home.as_posix()), encoding="utf-8")
    source = f"validation: contoh:8,{home / 'rahsia.jsonl'}"
    run.write_facts(
        {
            "status": "training",
            "recipe": "smoke",
            "base": {"name": str(home / "models" / "tiny")},
            "data": [{"source": source, "rows": 8, "sha256": "abc"}],
            "engine": {"engine": "portable"},
            "steps": 40,
        }
    )
    return run


def step(number: int) -> Step:
    return Step(number, 40, 1 / number, 0.5, 1e-3, 100 * number, {"margin": 0.1 * number})


def validation(number: int, value: float, best: bool) -> Validation:
    return Validation(number, "accuracy", value, value - 0.1, value + 0.1, 48, 0.5, best)


def train(run: Run, watch: Watch, first: int, last: int) -> None:
    """As a training does it: each step is in the run's log before the watch is told."""
    for number in range(first, last + 1):
        append(run.log, {**asdict(step(number)), "seconds": float(number)})
        watch.on_step(step(number))
        if number % 10 == 0:
            found = validation(number, 0.5 + number / 100, number < 40)
            append(run.folder / "validation.jsonl", asdict(found))
            watch.on_validation(found)


def append(path: Path, row: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def teardown() -> None:
    """As when the process ends: only then is all of a .wandb file surely written."""
    import wandb

    wandb.teardown()


def history(path: Path) -> list[dict[str, Any]]:
    """The rows that a .wandb file holds."""
    return [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}
        for record in records(path)
        if (items := record.history.item)
    ]


def check_history(rows: list[dict[str, Any]]) -> None:
    """All 40 steps, each once, and the validations beside theirs."""
    assert [row["_step"] for row in rows] == list(range(1, 41))
    assert rows[3]["train/loss"] == 0.25
    assert rows[3]["train/margin"] == pytest.approx(0.4)
    assert rows[3]["train/tokens"] == 400
    assert [row["_step"] for row in rows if "validation/accuracy" in row] == [10, 20, 30, 40]
    assert rows[9]["train/loss"] == 0.1
    assert rows[9]["validation/accuracy"] == 0.6
    assert (rows[9]["validation/accuracy_n"], rows[9]["validation/accuracy_majority"]) == (48, 0.5)


def test_offline_all_of_a_training_lies_in_the_run_folder(
    run: Run, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[Any] = []
    with TrainingTracker(run, "pasukan/hakim", offline=True) as tracker:
        watch = tracker.watching(Watch(told.append, told.append, told.append, deadline=7.0))
        train(run, watch, 1, 40)
        where = tracker.finish({"contoh-score": {"scores": {"accuracy": 0.9, "n": 200}}})
    assert capfd.readouterr() == ("", "")
    assert len(told) == 44
    assert watch.deadline == 7.0
    teardown()
    [place] = (run.folder / "wandb").glob("offline-run-*")
    assert where == f'{place} (nothing was sent; to send it: wandb sync "{place}")'
    [written] = place.glob("*.wandb")
    check_history(history(written))
    config, summary = {}, {}
    for record in records(written):
        if record.HasField("run"):
            assert (record.run.display_name, record.run.project) == ("smoke-1", "hakim")
            assert (record.run.entity, record.run.host) == ("pasukan", "")
            config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
        for item in record.summary.update:
            summary[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
    assert config["train.learning_rate"] == 0.001
    assert config["data.train"] == ["contoh:16", "rahsia.jsonl"]
    assert config["base.name"] == "tiny"
    source = "validation: contoh:8,rahsia.jsonl"
    assert config["data.rows"] == [{"source": source, "rows": 8, "sha256": "abc"}]
    assert (summary["best/step"], summary["best/accuracy"]) == (30, pytest.approx(0.8))
    assert summary["evaluation/contoh-score/accuracy"] == 0.9
    assert str(home).encode() not in contents(place)


def test_offline_a_training_that_goes_on_is_one_run(run: Run) -> None:
    with TrainingTracker(run, offline=True) as tracker:
        train(run, tracker.watching(Watch()), 1, 25)
    teardown()
    [first] = (run.folder / "wandb").glob("offline-run-*")
    cut_log(run, 20)  # the checkpoint that it goes on from
    with TrainingTracker(run, offline=True) as tracker:
        train(run, tracker.watching(Watch()), 21, 40)
    teardown()
    [second] = (run.folder / "wandb").glob("offline-run-*")
    assert second.name.split("-")[3] == first.name.split("-")[3]
    assert second != first
    [written] = second.glob("*.wandb")
    check_history(history(written))


def cut_log(run: Run, last: int) -> None:
    for path in (run.log, run.folder / "validation.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if json.loads(line)["step"] <= last]
        path.write_text("".join(kept), encoding="utf-8")


def sent(service: type[Service]) -> list[dict[str, Any]]:
    [lines] = service.history.values()
    return [json.loads(lines[number]) for number in sorted(lines)]


def test_online_a_training_that_goes_on_is_one_run_without_gaps(
    run: Run, home: Path, service: type[Service], capfd: pytest.CaptureFixture[str]
) -> None:
    with TrainingTracker(run, "pasukan/hakim") as tracker:
        train(run, tracker.watching(Watch()), 1, 25)
    cut_log(run, 20)
    with TrainingTracker(run, "pasukan/hakim") as tracker:
        train(run, tracker.watching(Watch()), 21, 40)
        assert "/pasukan/hakim/runs/" in tracker.finish()
    assert capfd.readouterr() == ("", "")
    check_history(sent(service))
    everything = b"".join(body for _, body in service.asked)
    for secret in (KEY, str(home), "code/", "requirements.txt"):
        assert secret.encode() not in everything, secret
    assert KEY.encode() not in contents(run.folder)


def test_what_a_lost_network_swallowed_is_sent_when_the_training_goes_on(
    run: Run, service: type[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pengadil.training_tracking.FINISH_TIMEOUT", 2)
    with TrainingTracker(run) as tracker:
        watch = tracker.watching(Watch())
        service.failing = "/file_stream"
        train(run, watch, 1, 20)
        where = tracker.finish()
    assert "not all of it was sent" in where
    assert 'to send it: wandb sync "' in where
    teardown()
    service.failing = ""
    with TrainingTracker(run) as tracker:
        train(run, tracker.watching(Watch()), 21, 40)
    check_history(sent(service))


def test_a_wandb_that_breaks_is_told_of_once_and_the_training_goes_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with TrainingTracker(run, offline=True) as tracker:

        def fail(*_: Any, **__: Any) -> None:
            raise ConnectionError("gone\nmore")

        monkeypatch.setattr(tracker._wandb, "log", fail)
        watch = tracker.watching(Watch(say=said.append))
        watch.on_step(step(1))
        tracker._worker.join(30)
        train(run, watch, 2, 40)
        where = tracker.finish()
    assert said == ["Weights & Biases: no longer logged (ConnectionError: gone)"]
    assert "not all of it was written: ConnectionError: gone" in where


def test_a_wandb_that_hangs_does_not_slow_the_training(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    released = threading.Event()
    monkeypatch.setattr("pengadil.training_tracking.FINISH_TIMEOUT", -9.5)
    with TrainingTracker(run, offline=True) as tracker:
        monkeypatch.setattr(tracker._wandb, "log", lambda *_, **__: released.wait(60))
        train(run, tracker.watching(Watch()), 1, 40)
        assert "no answer in" in tracker.finish()
        released.set()
        tracker._worker.join(60)


def test_a_training_that_fails_leaves_a_whole_run(run: Run) -> None:
    def stop(found: Validation) -> None:
        raise KeyboardInterrupt

    tracker = TrainingTracker(run, offline=True)
    with pytest.raises(KeyboardInterrupt), tracker:
        train(run, tracker.watching(Watch(on_validation=stop)), 1, 40)
    teardown()
    [written] = (run.folder / "wandb").glob("offline-run-*/*.wandb")
    assert len(history(written)) == 10
    assert [record.exit.exit_code for record in records(written) if record.HasField("exit")] == [1]


def test_another_project_gets_a_run_of_its_own(run: Run) -> None:
    ids = []
    for project in (None, None, "hakim", "pasukan/hakim"):
        with TrainingTracker(run, project, offline=True):
            pass
        ids.append(json.loads((run.folder / "wandb" / "id.json").read_text("utf-8"))["id"])
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    (run.folder / "wandb" / "id.json").write_text("[", encoding="utf-8")
    with TrainingTracker(run, offline=True):
        pass


def test_what_cannot_be_logged_is_told_before_anything_is_done(
    service: type[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    check_tracking()
    monkeypatch.delenv("WANDB_API_KEY")
    check_tracking(offline=True)
    with pytest.raises(PengadilError, match="Set WANDB_API_KEY in the environment"):
        check_tracking()
    monkeypatch.setenv("WANDB_MODE", "offline")
    check_tracking()
    monkeypatch.setenv("WANDB_MODE", "disabled")
    with pytest.raises(PengadilError, match="WANDB_MODE=disabled"):
        check_tracking()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PengadilError, match="python -m pip install wandb"):
        check_tracking(offline=True)
    assert service.asked == []


def test_a_wandb_that_does_not_answer_is_one_line(
    run: Run, service: type[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    def fail(**_: Any) -> None:
        raise wandb.errors.CommError(f"the key {KEY} is wrong\nmore")

    monkeypatch.setattr(wandb, "init", fail)
    with pytest.raises(PengadilError, match=r"cannot be logged \(CommError: the key \(key\) is"):
        TrainingTracker(run).__enter__()


def test_figures_of_what_was_not_measured_are_left_out() -> None:
    assert content.step_figures(Step(1, 2, 0.5, None, 1e-3, 10)) == {
        "train/loss": 0.5,
        "train/learning_rate": 1e-3,
        "train/tokens": 10,
    }
    found = content.validation_figures(Validation(1, "loss", 1.0, 0.9, 1.1, 8))
    assert "validation/loss_majority" not in found
    assert found["validation/loss_low"] == 0.9
