"""The routes, as FastAPI has them."""

# Annotations are read as they stand: FastAPI cannot look up names that a function imports, as
# `from __future__ import annotations` would ask of it.

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any

from pengadil.errors import PengadilError
from pengadil.serving.answers import ErrorAnswer, JudgeAnswers
from pengadil.serving.asked import CheckRequest, JudgeRequest, misshapen, routed
from pengadil.serving.gate import Gate
from pengadil.serving.keys import Keys
from pengadil.serving.limits import Limits
from pengadil.serving.paths import CHECK, HEALTH, JUDGE, METRICS, OPENAPI
from pengadil.serving.refusals import (
    CLIENT_GONE,
    as_error,
    failed,
    headers_of,
    status_of,
    stopping,
)
from pengadil.serving.service import Service
from pengadil.serving.tickets import ClientGoneError

NO_KEYS, DEFAULT_LIMITS = Keys(), Limits()
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": "The request was refused"}
    for status in ("4XX", "5XX")
}


def make_app(service: Service, limits: Limits = DEFAULT_LIMITS, keys: Keys = NO_KEYS) -> Gate:
    """The ASGI application; its lifespan starts the service's worker and stops it."""
    from fastapi import FastAPI, HTTPException, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse, Response

    # A thread for each request that waits for the judge.
    threads = ThreadPoolExecutor(limits.at_once, thread_name_prefix="request")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.stop()
        threads.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(
        title="pengadil",
        summary="Judges whether statements agree with documents, and guards answers",
        version=service.version,
        docs_url=None,  # both pages would load scripts from elsewhere
        redoc_url=None,
        openapi_url=OPENAPI,
        lifespan=lifespan,
        # It would hand errors, and what was sent, to any exporter that it finds.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
        responses=ERRORS,
    )

    async def in_thread(work: Callable[[], Any]) -> JSONResponse:
        if not service.ready:
            raise stopping()
        # The thread gets the request's ticket with its context.
        running = asyncio.get_running_loop().run_in_executor(threads, copy_context().run, work)
        return JSONResponse(await running)

    @app.post(CHECK)
    async def check(asked: CheckRequest) -> Any:
        """Judge each sentence of an answer against the documents, and decide on the whole.

        The answer is the report that docs/guard.md describes.
        """
        return await in_thread(lambda: service.check(asked))

    @app.post(JUDGE, responses={200: {"model": JudgeAnswers}})
    async def judge(asked: JudgeRequest | list[JudgeRequest]) -> Any:
        """Judge statements against documents of any length.

        In a list, a statement that cannot be judged gets an error in its place.
        """
        if isinstance(asked, list):
            return await in_thread(lambda: service.judge_all(asked))
        return await in_thread(lambda: service.judge(asked))

    @app.get(HEALTH)
    async def health() -> Any:
        """Whether rows are judged, and by what."""
        facts = service.health()
        return JSONResponse(facts, 200 if facts["ready"] else 503)

    @app.get(METRICS)
    async def metrics() -> Any:
        """Counts and times for Prometheus."""
        text, kind = service.metrics.text()
        return Response(text, headers={"Content-Type": kind})

    def refused(error: PengadilError) -> JSONResponse:
        return JSONResponse(as_error(error), status_of(error), headers_of(error))

    @app.exception_handler(PengadilError)
    async def _(_: Request, error: PengadilError) -> Response:
        return refused(error)

    @app.exception_handler(ClientGoneError)
    async def _(_: Request, __: ClientGoneError) -> Response:
        return Response(status_code=CLIENT_GONE)

    @app.exception_handler(400)
    @app.exception_handler(404)
    @app.exception_handler(405)
    async def _(request: Request, error: HTTPException) -> Response:
        return refused(routed(error.status_code, request.method, request.url.path))

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, error: RequestValidationError) -> Response:
        return refused(misshapen(error.errors(), error.body, request.url.path))

    @app.exception_handler(Exception)
    async def _(_: Request, error: Exception) -> Response:
        return refused(failed(error))

    return Gate(app, limits, keys, service.metrics)
