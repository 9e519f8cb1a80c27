"""Contenders in processes of their own that take turns: each waits while another works.

`Worker` is the end of the benchmark that asks; `Turns` is the contender's, around a training.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError

SHOWN_LINES = 8  # of what a contender wrote before it stopped


class Worker:
    """A contender's process; `ready` is what it said when it had loaded and warmed up.

    Started as `python SCRIPT NAME SETTINGS`. PengadilError, with the end of what it wrote, where it
    stops before it answers.
    """

    def __init__(self, script: Path, name: str, settings: dict[str, Any]) -> None:
        self.name = name
        self._log = tempfile.TemporaryFile(  # noqa: SIM115 (closed by `stop`)
            "w+", encoding="utf-8", errors="replace"
        )
        self._process = subprocess.Popen(
            [sys.executable, str(script), name, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
        )
        try:
            self.ready = self._heard()
        except BaseException:
            self.stop()
            raise

    def ask(self, question: Any) -> dict[str, Any]:
        """Its answer, when its turn is over."""
        with contextlib.suppress(OSError):  # it has stopped, which the silence tells better
            print(json.dumps(question), file=self._process.stdin, flush=True)
        return self._heard()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _heard(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        self._log.seek(0)
        written = [line.rstrip() for line in self._log if line.strip()]
        raise PengadilError(
            self.name,
            "it stopped: " + " | ".join(written[-SHOWN_LINES:]),
            f"Run it alone with --only {self.name!r}, or leave it out.",
        )


class Turns:
    """A training's end: `step_made` after each optimizer step, which waits between two turns.

    The first turn is the warm-up, of `steps` steps. Each answer holds the seconds that the steps of
    the turn took, the waiting left out, on the clock and of all threads on the processor; their
    losses; and the most memory held so far.
    """

    def __init__(self, steps: int) -> None:
        # Libraries print as they like; the answers have the real standard output to themselves.
        self._answers, sys.stdout = sys.stdout, sys.stderr
        self._left = steps
        self._losses: list[float] = []
        self.facts: dict[str, Any] = {}  # told with each answer
        self._start()

    def step_made(self, loss: float) -> None:
        """Count a step; when the turn's last is made, answer and wait for the next turn.

        SystemExit when there is none.
        """
        self._losses.append(loss)
        self._left -= 1
        if self._left:
            return
        self.answer(
            seconds=time.perf_counter() - self._started,
            processor=time.process_time() - self._computed,
            losses=self._losses,
        )
        line = sys.stdin.readline()
        if not line:
            raise SystemExit
        self._left = json.loads(line)
        self._losses = []
        self._start()

    def _start(self) -> None:
        self._started, self._computed = time.perf_counter(), time.process_time()

    def answer(self, **facts: Any) -> None:
        """Tell the benchmark, with the bytes held at most.

        Of a CUDA device: `cuda` is what tensors took, `reserved` what torch took for them.
        """
        import torch

        from pengadil.hardware import peak_memory

        facts = {**self.facts, **facts, "memory": peak_memory()}
        if torch.cuda.is_available():
            facts["memory"]["reserved"] = torch.cuda.max_memory_reserved()
        print(json.dumps(facts), file=self._answers, flush=True)


def spread(ratios: Sequence[float], unit: str) -> dict[str, Any]:
    """Median, lowest and highest of the turns' ratios, as a benchmark's JSON file holds them."""
    import statistics

    return {
        "ratio": statistics.median(ratios),
        "low": min(ratios),
        "high": max(ratios),
        "unit": unit,
    }


def write(file: Path, facts: dict[str, Any], tell: bool = True) -> None:
    """The JSON file of a benchmark: `facts`, the machine and the libraries' versions."""
    from pengadil.hardware import provenance, versions
    from pengadil.records import write_whole

    facts = {**facts, "machine": provenance(), "versions": versions()}
    write_whole(file, json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
    if tell:
        print(file)
