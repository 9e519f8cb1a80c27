"""As much of W&B's and Weave's servers as it takes to be logged to, and a reader of W&B's files."""

from __future__ import annotations

import gzip
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

KEY = "0123456789abcdef" * 2 + "01234567"


class Service(BaseHTTPRequestHandler):
    """It keeps what it is asked, and of each run of W&B the history that it is sent."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, bytes]]
    failing: str  # what stands in the paths that it refuses
    history: dict[str, dict[int, str]]  # of each run's id: the lines by their number

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.asked.append((self.path, body))
        said = json.dumps(self.data(body)).encode()
        self.send_response(500 if self.failing and self.failing in self.path else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PUT = answer  # noqa: N815 - as the standard library calls them

    def data(self, body: bytes) -> dict[str, Any]:
        if "server_info" in self.path:
            return {"min_required_weave_python_version": "0.0.1", "trace_server_version": "99.0.0"}
        if "/create" in self.path:
            return {"digest": f"digest{len(self.asked)}", "row_digests": []}
        if self.path.endswith("/file_stream"):
            return self.keep_history(json.loads(body))
        if not self.path.endswith("/graphql"):
            return {}
        asked = json.loads(body)
        told = asked.get("variables") or {}
        entity = {"id": "e", "name": "pasukan"}
        project = {"id": "p", "name": "hakim", "entity": entity, "artifact": None}
        run = {"id": "r", "name": told.get("name"), "displayName": "", "description": ""}
        run |= {"config": "{}", "sweepName": None, "historyLineCount": 0, "project": project}
        sequence = {"id": "s", "latestArtifact": {"id": "a", "versionIndex": 0}}
        artifact = {"id": "a", "state": "COMMITTED", "artifactSequence": sequence}
        viewer = {"id": "u", "username": "ali", "entity": "pasukan", "flags": "{}"}
        here = "http://{}:{}/upload".format(*self.server.server_address)
        files = [{"name": name, "uploadUrl": f"{here}/{name}"} for name in told.get("files", [])]
        if "query RunResumeStatus" in asked["query"]:
            return {"data": {"model": {**project, "bucket": self.kept(str(told["name"]), run)}}}
        answers = {
            "upsertBucket": {"bucket": run, "inserted": True},
            "createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files},
            "createArtifact": {"artifact": artifact},
            "viewer": {**viewer, "teams": {"edges": []}, "defaultEntity": entity},
            "project": project,
        }
        wanted = next((name for name in answers if f"{name}(" in asked["query"]), "viewer")
        return {"data": {wanted: answers[wanted]}}

    def keep_history(self, sent: dict[str, Any]) -> dict[str, Any]:
        part = sent.get("files", {}).get("wandb-history.jsonl")
        if part and not (self.failing and self.failing in self.path):
            lines = self.history.setdefault(self.path.split("/")[-2], {})
            lines |= dict(enumerate(part["content"], start=part["offset"]))
        return {}

    def kept(self, run_id: str, run: dict[str, Any]) -> dict[str, Any] | None:
        """What a run that goes on is told of itself."""
        if run_id not in self.history:
            return None
        lines = self.history[run_id]
        tail = json.dumps([lines[max(lines)]])
        about = {"historyLineCount": len(lines), "eventsLineCount": 0, "logLineCount": 0}
        texts = {"historyTail": tail, "eventsTail": "[]", "summaryMetrics": "{}"}
        lists = {"tags": [], "notes": "", "wandbConfig": "{}"}
        return {**run, **about, **texts, **lists}

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, *about: Any) -> None:
        # The libraries hang up without a word.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*about)


def private_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """For a fixture: an empty home and working directory, and no service that could be reached."""
    import matplotlib.font_manager  # noqa: F401 - its cache belongs to the real home
    import wandb

    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    for name in ("WANDB_API_KEY", "WANDB_ENTITY", "WANDB_PROJECT", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WF_TRACE_SERVER_URL", "http://127.0.0.1:9")
    wandb.teardown()  # it reads these but once in a process
    yield home
    wandb.teardown()
    assert list(home.iterdir()) == [], "something was left outside of the results folder"


def running_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Service]]:
    """For a fixture, in a private home: both libraries are pointed at it, and a key is set."""
    handler = type("OneTest", (Service,), {"asked": [], "failing": "", "history": {}})
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    here = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_BASE_URL", here)
    monkeypatch.setenv("WF_TRACE_SERVER_URL", f"{here}/traces")
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    yield handler
    server.shutdown()
    server.server_close()


def records(path: Path) -> list[Any]:
    """The records of a .wandb file: protocol buffers in the pieces of a LevelDB log."""
    from wandb.proto.wandb_internal_pb2 import Record

    found, data, at, whole = [], path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a whole record, or the last piece of one
            found.append(Record.FromString(whole))
            whole = b""
    return found


def contents(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
