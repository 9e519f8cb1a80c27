"""scripts/serve.py as it is called: how it starts, what it refuses, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers_serving import statement

from pengadil.serving.keys import KEY

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "scripts" / "serve.py"
SECRET = "rahsia-yang-panjang-sekali"
# The script with a judge that takes as long as the statement says, in tenths of a second.
WITH_FAKE = """
import runpy, sys, time
sys.path.insert(0, {tests!r})
from helpers_serving import HeldJudge
from pengadil.judges import opening
class Slow(HeldJudge):
    def judge(self, examples, prompt, mode):
        time.sleep(max(int(row.question.split()[-1]) for row in examples) / 10)
        return super().judge(examples, prompt, mode)
opening.open_judge = lambda model, **settings: Slow()
sys.argv = [{script!r}, "smollm2-135m", *sys.argv[1:]]
runpy.run_path({script!r}, run_name="__main__")
"""


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != KEY}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def called(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        capture_output=True,
        encoding="utf-8",
        env=environment(**more),
        timeout=120,
    )


@contextmanager
def running(*words: str, **more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The script with the fake judge, and the address that it tells."""
    code = WITH_FAKE.format(tests=str(ROOT / "tests"), script=str(SCRIPT))
    process = subprocess.Popen(
        [sys.executable, "-c", code, "--port", "0", *words],
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=environment(**more),
    )
    try:
        told = ""
        while "until Ctrl-C" not in told:
            line = process.stderr.readline()
            assert line, told
            told += line
        yield process, re.search(r"http://\S+", told)[0]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def post(address: str, path: str, body: Any, key: str = "") -> Any:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    request = urllib.request.Request(address + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_help_shows_commands_and_loads_nothing_heavy() -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = [{str(SCRIPT)!r}, '--help']\n"
        "try:\n"
        f"    runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    heavy = {'torch', 'transformers', 'fastapi', 'uvicorn', 'prometheus_client'}\n"
        "    sys.exit(end.code or sorted(heavy & set(sys.modules)) or 0)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        env=environment(),
        timeout=120,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "python scripts/serve.py runs/latest" in answer.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--host", "0.0.0.0"), f"other machines could ask, and {KEY} is not set"),
        (("--batch", "0"), "--batch 0: too little. Give 1 or more."),
        (("--wait-ms", "nan"), "--wait-ms nan: too little"),
        (("--most-mb", "0"), "--most-mb 0.0: too little"),
        (("--cut",), "--cut: not for the service"),
        (("--prompt", "verdik"), "no such prompt"),
        (("--port", "99999"), "the service cannot listen there"),
        ((), "'nomodel': no such model"),
        (("--threshold", "2"), "threshold 2"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words: tuple[str, ...], told: str) -> None:
    answer = called("nomodel", "--port", "0", *words)
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: ")
    assert told in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_told_before_a_model_is_looked_for() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = called("nomodel", "--port", str(taken.getsockname()[1]))
    assert answer.returncode == 2
    assert "the service cannot listen there" in answer.stderr


def test_a_key_that_is_too_short_is_not_shown() -> None:
    answer = called("nomodel", **{KEY: "pendek"})
    assert answer.returncode == 2
    assert KEY in answer.stderr
    assert "pendek" not in answer.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_in_work_is_answered_before_the_service_ends(number: int) -> None:
    with running() as (process, address):
        answers: list[Any] = []
        body = statement("Ali lahir di Ipoh.", "Ali 8")
        thread = threading.Thread(target=lambda: answers.append(post(address, "/v1/judge", body)))
        thread.start()
        while "running 1.0" not in urllib.request.urlopen(f"{address}/metrics").read().decode():
            time.sleep(0.02)
        process.send_signal(number)
        thread.join(20)
        assert process.wait(20) == 0
        written = process.stderr.read()
    assert answers[0]["verdict"] == 0
    assert written == "stopped\n"


def test_a_service_with_a_key_logs_neither_key_nor_text() -> None:
    with running("--host", "localhost", "--batch", "1", **{KEY: SECRET}) as (process, address):
        body = {"answer": "Ali lahir di Ipoh 0", "documents": "Ali lahir di Ipoh 0"}
        assert post(address, "/v1/check", body, SECRET)["decision"] == "pass"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            post(address, "/v1/check", body, "lain")
        with pytest.raises(urllib.error.HTTPError, match="500"):
            post(address, "/v1/judge", statement("Ali", "Ali rahsia"), SECRET)
        assert post(address, "/v1/judge", statement("Ali 0", "Ali 0"), SECRET)["verdict"] == 1
        process.terminate()
        process.wait(20)
        written = process.stderr.read()
    assert "the judge failed on a row: ValueError at" in written
    assert "rahsia" not in written
    assert SECRET not in written
