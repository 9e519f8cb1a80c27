"""A Kaggle on this machine: the calls that its library makes, answered from memory.

The library has one address for each of its environments, and none can be set: it is told to call
http://localhost and to reach that through a proxy, which is this server.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

USER, KEY, TOKEN = "aminah", "kunci-rahsia-123", "KGAT_rahsia456"
SMOKE = f"{USER}/pengadil-smoke"
PUSH = ["--recipe", "smoke", "--no-plan", "--yes"]


@dataclass
class Kernel:
    """One kernel: what was saved, a version each, and what its newest version has come to."""

    saved: list[dict[str, Any]] = field(default_factory=list)
    states: list[str] = field(default_factory=lambda: ["COMPLETE"])
    message: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    log: str = ""

    def state(self) -> str:
        """The next state; the last one stays."""
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


class Kaggle:
    """The server. `faults` gives a call's next answers: (HTTP status, words), or a whole answer."""

    def __init__(self) -> None:
        self.kernels: dict[str, Kernel] = {}
        self.known_sources: set[str] = set()
        self.faults: dict[str, list[tuple[int, str] | dict[str, Any]]] = {}
        self.calls: list[str] = []
        self.ranges: list[str] = []
        self.cut_after: int | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Kaggle:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def environment(self, config: str) -> dict[str, str]:
        """What a process needs in its environment to take this for Kaggle."""
        proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy"), self.url)
        open_ways = dict.fromkeys(("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"), "")
        return {
            **proxies,
            **open_ways,
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "KAGGLE_CONFIG_DIR": config,
            "KAGGLE_USERNAME": USER,
            "KAGGLE_KEY": KEY,
        }

    def answer(self, call: str, asked: dict[str, Any]) -> dict[str, Any] | tuple[int, str]:
        """The reply to a call of the library."""
        self.calls.append(call)
        if self.faults.get(call):
            return self.faults[call].pop(0)
        if call == "SaveKernel":
            return self._save(asked)
        if call == "GetAcceleratorQuotaStatistics":
            return {"gpuQuota": {"timeUsed": "9000s", "totalTimeAllowed": "108000s"}}
        if call == "IntrospectToken":
            right = asked["token"] == TOKEN
            return {"active": right, "username": USER if right else ""}
        kernel = self.kernels.get(f"{asked.get('userName')}/{asked.get('kernelSlug')}")
        if kernel is None:
            return 404, "Not found"
        if call == "GetKernelSessionStatus":
            return {"status": kernel.state(), "failureMessage": kernel.message}
        if call == "ListKernelSessionOutput":
            return self._output(asked, kernel)
        return 501, f"{call} is not spoken here"

    def _save(self, asked: dict[str, Any]) -> dict[str, Any]:
        reference = asked["slug"]
        kernel = self.kernels.setdefault(reference, Kernel())
        unknown = {
            f"invalid{kind}Sources": [
                name
                for name in asked.get(f"{kind[0].lower()}{kind[1:]}DataSources", [])
                if name not in self.known_sources | self.kernels.keys()
            ]
            for kind in ("Dataset", "Kernel", "Model")
        }
        kernel.saved.append(asked)
        return {
            "ref": f"/code/{reference}",
            "url": f"https://www.kaggle.com/code/{reference}",
            "versionNumber": len(kernel.saved),
            **unknown,
        }

    def _output(self, asked: dict[str, Any], kernel: Kernel) -> dict[str, Any]:
        names = sorted(kernel.files)
        # A small page, so that every output of a test takes several.
        start = int(asked.get("pageToken") or 0)
        page = names[start : start + 3]
        place = f"{self.url}/files/{asked['userName']}/{asked['kernelSlug']}"
        answer: dict[str, Any] = {
            "files": [{"url": f"{place}?name={name}", "fileName": name} for name in page],
            "log": kernel.log,
        }
        if start + 3 < len(names):
            answer["nextPageToken"] = str(start + 3)
        return answer


def _handler(kaggle: Kaggle) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            if self._may():
                answer = kaggle.answer(urlsplit(self.path).path.rpartition("/")[2], asked)
            else:
                answer = (401, "Unauthorized")
            if isinstance(answer, tuple):
                self._send(answer[0], {"code": answer[0], "message": answer[1]})
            else:
                self._send(200, answer)

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            kernel = kaggle.kernels[parts.path.removeprefix("/files/")]
            content = kernel.files[unquote(parts.query.removeprefix("name="))]
            start = 0
            if asked := self.headers.get("Range"):
                kaggle.ranges.append(asked)
                start = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", hashlib.sha256(content).hexdigest())
            self.end_headers()
            end = len(content)
            if kaggle.cut_after is not None and end - start > kaggle.cut_after:
                end, self.close_connection = start + kaggle.cut_after, True
            self.wfile.write(content[start:end])

        def _may(self) -> bool:
            basic = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
            return self.headers.get("Authorization") in (f"Basic {basic}", f"Bearer {TOKEN}")

        def _send(self, status: int, answer: dict[str, Any]) -> None:
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is for its failures."""

    return Handler


def output(name: str, files: dict[str, bytes], **facts: Any) -> dict[str, bytes]:
    """A kernel's output with its manifest; names are those below the run's folder."""
    run = f"runs/{name}"
    whole = {f"{run}/{file}": content for file, content in files.items()}
    manifest = {
        "format": 1,
        "name": "pengadil-smoke",
        "recipe": "smoke",
        "state": "done",
        "stage": "export",
        "reason": "",
        "training_done": True,
        "run": run,
        "gguf": [file for file in whole if file.endswith(".gguf")],
        "evaluation": f"{run}/evaluation",
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in whole.items()
        },
        **facts,
    }
    return {**whole, "pengadil-output.json": json.dumps(manifest).encode()}


SCRIPTS = Path(__file__).parent.parent / "kaggle"
TEMPLATE = 'SETTINGS = "{}"\nTREE = ""\nTREE_SHA256 = ""\n'


@contextmanager
def kaggle_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kaggle]:
    """The server, and the library of this process taking it for Kaggle; `folder` for its files.

    Skips the test where the library is not installed.
    """
    with Kaggle() as server:
        # Before its first import, which reads some of it for good.
        for name, value in server.environment(str(folder)).items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("KAGGLE_API_TOKEN", raising=False)
        library = pytest.importorskip("kaggle.api.kaggle_api_extended")
        monkeypatch.setattr(library.KaggleApi, "args", ["--local"])
        monkeypatch.setattr(library.KaggleApi, "config", str(folder / "kaggle.json"))
        # It waits for minutes between its tries to go on with a file.
        monkeypatch.setattr(library.time, "sleep", lambda _: None)
        server.calls.clear()
        yield server


def script(name: str) -> ModuleType:
    """A script of kaggle/, loaded from its file: its folder bears the library's name."""
    spec = importlib.util.spec_from_file_location(f"kaggle_{name}", SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def here(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A script of kaggle/ that takes the working folder for its checkout."""
    module = script(name)
    monkeypatch.setattr(module, "ROOT", Path.cwd())
    return module


def constants(text: str) -> dict[str, Any]:
    """The values of the lines `NAME = JSON` of a pushed script."""
    lines = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
    return {name: json.loads(value) for name, value in lines.items()}


def small_checkout(root: Path) -> Path:
    """A checkout with only what a push looks at; packing the whole one takes seconds."""
    for name, text in {
        "scripts/train.py": "",
        "pengadil/__init__.py": "",
        "kaggle/kernel.py": TEMPLATE,
        "recipes/smoke.toml": (SCRIPTS.parent / "recipes" / "smoke.toml").read_text("utf-8"),
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kaggle]:
    with kaggle_here(tmp_path / "config", monkeypatch) as server:
        yield server


@pytest.fixture
def push(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.chdir(small_checkout(tmp_path / "checkout"))
    return here("push", monkeypatch)
