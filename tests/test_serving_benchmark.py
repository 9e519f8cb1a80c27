"""The benchmark of the service: both contenders get the same rows, and what is told is measured."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from pengadil import hardware
from pengadil.errors import PengadilError

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "benchmarks"
# scripts/serve.py with a judge that takes longer for each batch than for a row more.
FAKE = """
import runpy, sys, time
sys.path[:0] = [{tests!r}, {root!r}]
from helpers_serving import HeldJudge
from pengadil.judges import opening
class Slow(HeldJudge):
    def judge(self, examples, prompt, mode):
        time.sleep(0.02)
        return super().judge(examples, prompt, mode)
opening.open_judge = lambda model, **settings: Slow()
runpy.run_path({script!r}, run_name="__main__")
"""


@pytest.fixture(autouse=True)
def _beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a script finds the files beside it."""
    monkeypatch.syspath_prepend(str(FOLDER))


def module(name: str) -> Any:
    return importlib.import_module(name)


def test_both_services_answer_the_same_rows_and_batches_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "fake.py"
    script.write_text(
        FAKE.format(
            tests=str(ROOT / "tests"), root=str(ROOT), script=str(ROOT / "scripts" / "serve.py")
        ),
        encoding="utf-8",
    )
    monkeypatch.setattr(module("serve_contenders"), "SCRIPT", script)
    monkeypatch.setattr(hardware, "provenance", dict)
    written = tmp_path / "serve.json"
    words = ["smollm2-135m", "--clients", "1", "4", "--requests", "12", "--turns", "2"]
    module("serve_speed").main([*words, "--json", str(written)])
    shown = capsys.readouterr().out
    assert "the same verdict from both: 48 of 48" in shown
    facts = json.loads(written.read_text(encoding="utf-8"))
    assert {"machine", "versions", "model", "rows", "services"} <= facts.keys()
    for clients in ("1 client", "4 clients"):
        for what in ("requests a second", "95th percentile"):
            pair = facts[f"batched against one by one, {what}, {clients}"]
            assert 0 < pair["low"] <= pair["ratio"] <= pair["high"]
    by_service = {(each["service"], each["clients"]): each for each in facts["services"]}
    assert all(each["requests"] == 24 for each in by_service.values())
    assert by_service["one by one", 4]["rows_per_call"] == 1
    assert by_service["batched", 4]["rows_per_call"] > 1


def test_a_turn_stops_at_its_time() -> None:
    contenders = module("serve_contenders")

    class Nobody:
        name, port = "nobody", 9

        def batches(self) -> tuple[float, float]:
            return 0.0, 0.0

    done = contenders.turn(Nobody(), [object()] * 5, clients=2, seconds=-1)
    assert (done["requests"], done["latencies"]) == (0, [])


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([1.0], 0.95, 1.0), (list(range(1, 101)), 0.95, 95), (list(range(1, 21)), 0.5, 10)],
)
def test_a_percentile_is_the_nearest_rank(
    values: list[float], share: float, expected: float
) -> None:
    assert module("serve_contenders").percentile(values, share) == expected


def test_turns_are_compared_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    def turn(requests: int, seconds: float, slowest: float) -> dict[str, Any]:
        return {"requests": requests, "seconds": seconds, "latencies": [0.1, slowest]}

    found = module("serve_speed").compared(
        {
            8: {
                "batched": [turn(10, 1, 1), turn(10, 2, 1), turn(10, 1, 1)],
                "one by one": [turn(10, 2, 2), turn(5, 2, 4), turn(10, 3, 1)],
            }
        }
    )
    faster = found["batched against one by one, requests a second, 8 clients"]
    assert (faster["ratio"], faster["low"], faster["high"]) == (2, 2, 3)
    sooner = found["batched against one by one, 95th percentile, 8 clients"]
    assert (sooner["ratio"], sooner["low"], sooner["high"]) == (0.5, 0.25, 1)


@pytest.mark.parametrize(
    ("words", "fault"),
    [(["--clients", "0"], "one is below 1"), (["--slice", "contho"], "contoh")],
)
def test_what_cannot_be_measured_is_refused(words: list[str], fault: str) -> None:
    with pytest.raises(PengadilError, match=fault):
        module("serve_speed").main(["smollm2-135m", *words])


def test_a_service_that_does_not_start_is_told_with_its_words() -> None:
    with pytest.raises(PengadilError, match="it did not start: error: 'nomodel': no such model"):
        module("serve_contenders").Service("batched", ["nomodel"])
