"""The contenders of serve_speed.py: services on 127.0.0.1, and the clients that ask them."""

from __future__ import annotations

import http.client
import json
import math
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.records import Example

SCRIPT = Path(__file__).parent.parent / "scripts" / "serve.py"
HOST = "127.0.0.1"
STARTED = re.compile(rf"http://{HOST}:(\d+) ")
START_SECONDS, ASK_SECONDS, END_SECONDS = 600, 600, 20


class Service:
    """scripts/serve.py in a process of its own; `stop` ends it."""

    def __init__(self, name: str, words: Sequence[str]) -> None:
        self.name = name
        self._log = tempfile.TemporaryFile(  # noqa: SIM115 (closed by `stop`)
            "w+", encoding="utf-8", errors="replace"
        )
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *words, "--host", HOST, "--port", "0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )
        try:
            self.port = self._started()
        except BaseException:
            self.stop()
            raise

    def _started(self) -> int:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            if match := STARTED.search(self._written()):
                return int(match[1])
            time.sleep(0.1)
        raise PengadilError(
            self.name,
            f"it did not start: {' | '.join(self._written().splitlines()[-4:])}",
            "Start scripts/serve.py by itself to see why.",
        )

    def _written(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def batches(self) -> tuple[float, float]:
        """Calls of the judge so far, and the rows in them, as /metrics counts them."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=ASK_SECONDS)
        connection.request("GET", "/metrics")
        page = connection.getresponse().read().decode()
        connection.close()
        [calls] = re.findall(r"^pengadil_batch_rows_count (\S+)", page, re.MULTILINE)
        [rows] = re.findall(r"^pengadil_batch_rows_sum (\S+)", page, re.MULTILINE)
        return float(calls), float(rows)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


def turn(service: Service, rows: Sequence[Example], clients: int, seconds: float) -> dict[str, Any]:
    """What `clients` were answered, each sending one row of `rows` after the other.

    No row is begun after `seconds`. `seconds` of the turn are those from its first request to its
    last answer, `latencies` those of each request; `verdicts` have the row's id.
    """
    before = service.batches()
    waiting, lock = iter(rows), threading.Lock()
    latencies: list[float] = []
    verdicts: dict[str, int | None] = {}
    faults: list[BaseException] = []
    started = time.perf_counter()

    def client() -> None:
        connection = http.client.HTTPConnection(HOST, service.port, timeout=ASK_SECONDS)
        try:
            while not faults:
                with lock:
                    row = next(waiting, None)
                if row is None or time.perf_counter() - started > seconds:
                    return
                begun = time.perf_counter()
                answer = asked(connection, row)
                latencies.append(time.perf_counter() - begun)
                verdicts[row.id] = answer["verdict"]
        except (OSError, http.client.HTTPException, PengadilError) as error:
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - started
    if faults:
        raise PengadilError(service.name, f"a request failed ({faults[0]})", "Run it again.")
    calls, judged = (after - was for after, was in zip(service.batches(), before, strict=True))
    return {
        "requests": len(latencies),
        "seconds": took,
        "latencies": latencies,
        "verdicts": verdicts,
        "calls": calls,
        "rows": judged,
    }


def asked(connection: http.client.HTTPConnection, row: Example) -> dict[str, Any]:
    """What the service says of one row."""
    body = json.dumps({"document": row.passage, "statement": row.question}).encode()
    connection.request("POST", "/v1/judge", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer: dict[str, Any] = json.loads(response.read())
    if response.status != 200:
        raise PengadilError(f"row {row.id}", f"status {response.status}: {answer}", "See why.")
    return answer


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of all does not exceed (nearest rank)."""
    return sorted(values)[math.ceil(share * len(values)) - 1]
