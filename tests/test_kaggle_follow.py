"""Following, status and resume through Kaggle's library, against a server with its calls."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from helpers_kaggle import (
    PUSH,
    SMOKE,
    USER,
    Kaggle,
    Kernel,
    constants,
    here,
    kaggle,
    output,
    push,
    script,
)

from pengadil.errors import PengadilError
from pengadil.remote import following
from pengadil.remote.pushed import last_pushed
from pengadil.remote.source import Settings

__all__ = ["kaggle", "push"]


def test_following_ends_with_the_end_of_the_log_when_it_fails(
    kaggle: Kaggle,
    push: ModuleType,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(following.follow, "__defaults__", (print, pauses.append))
    log = [{"stream_name": "stdout", "time": n, "data": f"line {n}\n"} for n in range(100)]
    states = ["QUEUED", "QUEUED", "RUNNING", "RUNNING", "RUNNING", "ERROR"]
    # The first look is the push's own, for a version that still runs.
    kaggle.kernels[SMOKE] = Kernel(states=["COMPLETE", *states], message="Out of memory")
    kaggle.kernels[SMOKE].log = json.dumps(log)
    with pytest.raises(PengadilError, match=r"ended as error \(Out of memory"):
        push.main([*PUSH, "--follow"])
    shown = capsys.readouterr().out
    assert "line 99" in shown
    assert "line 5\n" not in shown
    assert shown.count("queued") == shown.count("running") == 1
    assert len(pauses) == len(states) - 1
    assert pauses[:2] == [following.FIRST, following.FIRST * following.GROWTH]


def test_following_survives_faults_that_pass(
    kaggle: Kaggle, push: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following.follow, "__defaults__", (print, lambda _: None))
    kaggle.kernels[SMOKE] = Kernel()
    kaggle.faults["GetKernelSessionStatus"] = [{"status": "COMPLETE"}, *[(503, "busy")] * 7]
    assert push.main([*PUSH, "--follow"]) == 0
    kaggle.faults["GetKernelSessionStatus"] = [(503, "busy")] * 8
    with pytest.raises(PengadilError, match="503"):
        script("status").main(["--follow"])
    kaggle.faults["GetKernelSessionStatus"] = [(401, "no")]
    with pytest.raises(PengadilError, match="401"):
        script("status").main(["--follow"])


def test_status_needs_no_arguments(
    kaggle: Kaggle, push: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    push.main([*PUSH, "--train.epochs", "2"])
    push.main([*PUSH, "--name", "pengadil-other", "--accelerator", "none"])
    capsys.readouterr()
    status = script("status")
    kernel = kaggle.kernels[f"{USER}/pengadil-other"]
    kernel.states, kernel.log = ["RUNNING", "ERROR"], "all of it\nthe end\n"
    assert status.main([]) == 0
    assert capsys.readouterr().out.startswith(f"{USER}/pengadil-other: running\n")
    assert status.main([]) == 1
    assert "the end" in capsys.readouterr().out
    assert status.main(["pengadil-smoke"]) == 0
    assert "GPU hours used this week: 2.5 of 30" in capsys.readouterr().out
    assert status.main(["--all"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert "smoke --train.epochs 2 on NvidiaTeslaT4" in listed[0]
    assert "on none" in listed[1]
    with pytest.raises(PengadilError, match="404"):
        status.main([f"{USER}/never-was"])


def test_resume_is_a_new_version_that_takes_the_last_ones_output(
    kaggle: Kaggle, push: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    push.main([*PUSH, "--train.epochs", "3"])
    kernel = kaggle.kernels[SMOKE]
    resume = here("resume", monkeypatch)
    kernel.states = ["RUNNING"]
    with pytest.raises(PengadilError, match="is running"):
        resume.main(["--yes"])
    kernel.states = ["COMPLETE"]
    with pytest.raises(PengadilError, match=r"holds no pengadil-output\.json"):
        resume.main(["--yes"])
    kernel.files = output("smoke-1", {}, state="failed", run=None, reason="no wheels")
    with pytest.raises(PengadilError, match=r"before training began \(no wheels"):
        resume.main(["--yes"])
    kernel.files = output("smoke-1", {})
    with pytest.raises(PengadilError, match="has done all of it"):
        resume.main(["--yes"])
    kernel.files = output("smoke-1", {"run.json": b"{}"}, state="stopped", training_done=False)
    assert resume.main(["--dry-run"]) == 0
    assert len(kernel.saved) == 1
    assert resume.main(["--yes", "--max-hours", "3"]) == 0
    first, second = kernel.saved
    assert second["slug"] == first["slug"]
    assert second["kernelDataSources"] == [SMOKE]
    before, after = (
        Settings.of_json(json.loads(constants(saved["text"])["SETTINGS"]))
        for saved in (first, second)
    )
    assert (before.resume_from, after.resume_from) == (None, SMOKE)
    assert after.arguments == before.arguments == ("--train.epochs", "3")
    assert after.max_hours == 3.0
    assert last_pushed(Path("runs")).version == 2
    refused = {"versionNumber": 3, "invalidKernelSources": [SMOKE]}
    kaggle.faults["SaveKernel"] = [refused]
    with pytest.raises(PengadilError, match=r"resume\.py --name"):
        resume.main(["--yes"])
    assert resume.main(["--yes", "--name", "pengadil-part-2"]) == 0
    (other,) = kaggle.kernels[f"{USER}/pengadil-part-2"].saved
    assert other["kernelDataSources"] == [SMOKE]
