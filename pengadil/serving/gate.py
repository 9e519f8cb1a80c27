"""What every request passes before it is answered: the key, the limits, the clock, the counts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from pengadil.errors import PengadilError
from pengadil.serving.keys import Keys
from pengadil.serving.limits import Limits, PerMinute
from pengadil.serving.metrics import Metrics
from pengadil.serving.paths import HEALTH, LIMITED, PATHS
from pengadil.serving.refusals import (
    CLIENT_GONE,
    RefusedError,
    as_error,
    failed,
    headers_of,
    late,
    status_of,
    stopping,
)
from pengadil.serving.tickets import CURRENT, ClientGoneError, Ticket
from pengadil.serving.worker import places

LOG = logging.getLogger("pengadil.serving")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Gate:
    """An ASGI application around another one."""

    def __init__(self, app: App, limits: Limits, keys: Keys, metrics: Metrics) -> None:
        self._app, self._limits, self._keys, self._metrics = app, limits, keys, metrics
        self._per_minute = PerMinute(limits.per_minute)
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._counted(scope, receive, send)
        else:
            await send({"type": "websocket.close"})

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, statuses = time.perf_counter(), list[int]()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        try:
            await self._admit(scope, receive, noted)
        except ClientGoneError:
            statuses.append(CLIENT_GONE)
        except asyncio.CancelledError:
            # The server ends, and does not wait any longer.
            await _refuse(stopping(), noted, statuses)
        except PengadilError as error:
            await _refuse(error, noted, statuses)
        except Exception as error:
            # Nothing may reach the server, whose log would hold the error with its text.
            LOG.error("a request failed: %s", places(error))
            await _refuse(failed(error), noted, statuses)
        finally:
            route = scope["path"] if scope["path"] in PATHS else "other"
            self._metrics.requests.labels(
                route, str(statuses[0] if statuses else CLIENT_GONE)
            ).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != HEALTH:
            headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
            words = {name: value.decode("latin-1") for name, value in headers.items()}
            caller = self._keys.caller(words, (scope.get("client") or ("unknown",))[0])
        if scope["path"] not in LIMITED:
            await self._app(scope, receive, send)
            return
        self._per_minute.enter(caller)
        if self._running >= self._limits.at_once:
            raise RefusedError(
                503,
                f"{self._running} requests",
                "as many as are answered at once",
                "Wait as long as Retry-After says, or start the service with a higher --at-once.",
                1,
            )
        self._running += 1
        self._metrics.running.set(self._running)
        try:
            await self._in_time(scope, receive, send)
        finally:
            self._running -= 1
            self._metrics.running.set(self._running)

    async def _in_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer within the limits of one request; its ticket ends with it."""
        ticket = Ticket(self._limits.seconds, self._limits.rows)
        CURRENT.set(ticket)
        gone: asyncio.Task[None] | None = None
        clock = asyncio.timeout(self._limits.seconds)
        try:
            async with clock:
                body = await _read(receive, self._limits.body)
                gone = asyncio.create_task(_watch(receive, ticket))
                await self._app(scope, _again(body), send)
        except TimeoutError:
            if not clock.expired():
                raise
            raise late(self._limits.seconds) from None
        finally:
            ticket.cancel()
            if gone:
                gone.cancel()


async def _read(receive: Receive, most: int) -> bytes:
    """A request's body; RefusedError when it is longer than `most` bytes."""
    parts: list[bytes] = []
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        length, more = length + len(parts[-1]), message.get("more_body", False)
        if length > most:
            raise RefusedError(
                413,
                "the request's body",
                f"longer than {most:,} bytes",
                "Send less text at once, or start the service with a higher --most-mb.",
            )
    return b"".join(parts)


def _again(body: bytes) -> Receive:
    """The body, for whom it has been read; after it nothing comes."""
    message = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        for whole in message:
            return whole
        await asyncio.Event().wait()
        raise AssertionError

    return receive


async def _watch(receive: Receive, ticket: Ticket) -> None:
    """Cancel the ticket when the client leaves."""
    while (await receive())["type"] != "http.disconnect":
        pass
    ticket.cancel()


async def _refuse(error: PengadilError, send: Send, statuses: list[int]) -> None:
    if statuses:  # an answer has begun: it cannot be taken back
        return
    body = json.dumps(as_error(error), ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [(n.lower().encode(), v.encode()) for n, v in (headers | headers_of(error)).items()]
    with contextlib.suppress(OSError):  # the client has left
        await send({"type": "http.response.start", "status": status_of(error), "headers": lines})
        await send({"type": "http.response.body", "body": body})
