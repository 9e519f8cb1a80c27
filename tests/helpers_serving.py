"""A judge without a model for the service's tests, and clients that ask the service."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pengadil.errors import PengadilError
from pengadil.forms import Form
from pengadil.judges.base import Fit, Judge, check_mode
from pengadil.prompts import Prompt, load_prompt
from pengadil.records import Example, Judgement
from pengadil.serving.app import NO_KEYS, make_app
from pengadil.serving.gate import Gate
from pengadil.serving.keys import Keys
from pengadil.serving.limits import Limits
from pengadil.serving.service import Service

LONG, BROKEN = "panjang", "rosak"
LOCAL_URL = "http://127.0.0.1"
UNLIMITED = Limits(per_minute=0)


@dataclass
class HeldJudge(Judge):
    """Agrees where the statement stands in the document; `calls` holds the rows of each batch.

    The probability is that of the texts alone, so that a mixed-up answer is seen. Refuses a batch
    with a document that holds LONG, as a judge does with rows that are too long, and fails on one
    that holds BROKEN. While `free` is not set, nothing is answered.
    """

    name: str = "palsu"
    calls: list[list[Example]] = field(default_factory=list)
    free: threading.Event = field(default_factory=threading.Event)
    busy: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.free.set()

    def describe(self) -> dict[str, Any]:
        return {"kind": "fake"}

    def check(self, form: Form, mode: str) -> None:
        check_mode(mode)

    def count(self, text: str) -> int:
        return len(text.split())

    def fit(self, example: Example, prompt: Prompt, mode: str) -> Fit:
        return Fit(self.count(f"{example.passage} {example.question}"), 1000)

    def judge(
        self, examples: Sequence[Example], prompt: Prompt, mode: str
    ) -> Iterator[list[Judgement]]:
        self.calls.append(list(examples))
        self.busy.set()
        assert self.free.wait(20)
        long = [row.id for row in examples if LONG in row.passage]
        if long:
            raise PengadilError(", ".join(long), "too long for the model's context", "Shorten it.")
        yield [said(row, mode) for row in examples if BROKEN not in row.passage]
        if any(BROKEN in row.passage for row in examples):
            raise RuntimeError(f"out of memory at {examples[0].passage}")


def said(row: Example, mode: str = "score") -> Judgement:
    """What HeldJudge says of a row."""
    agrees = row.question in row.passage
    share = sum(map(ord, f"{row.passage}|{row.question}")) % 997 / 2000
    return Judgement(
        id=row.id,
        gold=row.answer,
        verdict=int(agrees),
        rule=mode,
        probability=round(1 - share if agrees else share, 6),
    )


def make_service(judge: Judge, **settings: Any) -> Service:
    """A service with the shortest prompt."""
    return Service(judge, load_prompt("verdict"), **settings)


def gate_of(
    judge: Judge, limits: Limits = UNLIMITED, keys: Keys = NO_KEYS, **settings: Any
) -> Gate:
    """The service's ASGI application."""
    return make_app(make_service(judge, **settings), limits, keys)


@contextmanager
def client_of(judge: Judge, **settings: Any) -> Iterator[Any]:
    """FastAPI's test client of the service, which runs meanwhile."""
    from fastapi.testclient import TestClient

    gate = gate_of(judge, **settings)
    with TestClient(gate, base_url=LOCAL_URL, raise_server_exceptions=False) as client:
        yield client


def statement(document: str, text: str) -> dict[str, str]:
    """The body of a question to /v1/judge."""
    return {"document": document, "statement": text}


def together(work: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each piece of work returns, all done at once in threads of their own."""
    found: list[Any] = [None] * len(work)

    def run(place: int) -> None:
        found[place] = work[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


def asked_by_hand(
    gate: Gate, path: str, body: Any, leave: Callable[[], bool] | None = None
) -> list[dict[str, Any]]:
    """The messages that the gate sends for one POST; the client leaves when `leave` says so."""
    sent: list[dict[str, Any]] = []
    asyncio.run(asyncio.wait_for(post_by_hand(gate, path, body, sent, leave), 20))
    return sent


async def post_by_hand(
    gate: Gate,
    path: str,
    body: Any,
    sent: list[dict[str, Any]],
    leave: Callable[[], bool] | None = None,
) -> None:
    """The same in a loop that runs; the messages are put into `sent`."""
    parts = iter([{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}])

    async def receive() -> dict[str, Any]:
        for part in parts:
            return part
        while leave is None or not leave():
            await asyncio.sleep(0.005)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
    }
    await gate(scope, receive, send)
