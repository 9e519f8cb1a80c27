"""Answers of an endpoint that are shown while they are written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from pengadil.endpoint.connection import Connection, Endpoint, load_openai
from pengadil.endpoint.errors import Explainer
from pengadil.endpoint.faults import (
    CONNECTION,
    LONGEST_MESSAGE,
    RefusedError,
    TransientError,
    fault_of,
)
from pengadil.endpoint.message import as_dict, as_text
from pengadil.endpoint.stream import batches
from pengadil.errors import PengadilError

Item = TypeVar("Item")
EVENTS = "text/event-stream"


class StreamingConnection(Connection):
    """Tells `found` of each piece of an answer; the reply is that of a `Connection`.

    An endpoint that does not stream gives one piece. `sampling` replaces what a request says of
    temperature and seed, as far as the endpoint takes them.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        client: Any,
        explainer: Explainer,
        progress: Callable[[], str],
        found: Callable[[str], None],
        sampling: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(endpoint, client, explainer, progress)
        self._found, self._sampling = found, dict(sampling or {})
        self._streams, self._begun = True, False

    async def _send(
        self, messages: Sequence[Mapping[str, str]], sent: Mapping[str, Any]
    ) -> dict[str, Any]:
        asked = {**sent, **{name: self._sampling.get(name, sent[name]) for name in sent}}
        try:
            if self._streams:
                return await self._stream(messages, asked)
        except RefusedError as refusal:
            if "stream" not in refusal.parameter + refusal.said:
                raise
            self._streams = False
        except TransientError as fault:
            if not self._begun:
                raise
            # What was shown cannot be taken back, and another attempt would write it again.
            raise PengadilError(
                self.endpoint.address.shown,
                f"it broke off while it wrote ({fault.detail or fault.kind})",
                "Ask again.",
            ) from None
        body = await super()._send(messages, asked)
        self._tell(Collected().of_body(body))
        return body

    async def _stream(
        self, messages: Sequence[Mapping[str, str]], sent: Mapping[str, Any]
    ) -> dict[str, Any]:
        endpoint, collected = self.endpoint, Collected()
        streamed = {"stream": True, "stream_options": {"include_usage": True}}
        loop = asyncio.get_running_loop()
        try:
            # For the time between two pieces: a whole answer may take long.
            async with asyncio.timeout(endpoint.timeout) as limit:
                async with self._client.chat.completions.with_streaming_response.create(
                    model=endpoint.model,
                    messages=messages,
                    stream=True,
                    extra_body={**sent, **streamed, **endpoint.extra_body},
                ) as reply:
                    if EVENTS not in reply.headers.get("content-type", ""):
                        await reply.read()
                        body = self._parsed(reply.http_response)
                        self._tell(collected.of_body(body))
                        return body
                    async for chunk in await reply.parse():
                        limit.reschedule(loop.time() + endpoint.timeout)
                        self._tell(collected.add(chunk.model_dump()))
        except Exception as error:
            raise self._fault(error) from None
        if not collected.finish:
            raise TransientError(CONNECTION, "the answer has no end")
        hidden: dict[str, Any] = json.loads(endpoint.hide(json.dumps(collected.body())))
        return hidden

    def _fault(self, error: Exception) -> Exception:
        """What an exception stands for; a stream that breaks off has some of its own."""
        import httpx
        import openai

        endpoint = self.endpoint
        if fault := fault_of(error, endpoint.clock.date(), endpoint.hide):
            return fault
        if isinstance(error, openai.APIError | httpx.HTTPError | ValueError):
            words = " ".join(endpoint.hide(str(error)).split())[:LONGEST_MESSAGE]
            return TransientError(CONNECTION, words or type(error).__name__)
        return error

    def _tell(self, piece: str) -> None:
        if piece:
            self._begun = True
            self._found(self.endpoint.hide(piece))


class Collected:
    """The chunks of a streamed chat completion, put together as one that came whole."""

    def __init__(self) -> None:
        self.finish = ""
        self._content, self._refusal = "", ""
        self._logprobs: list[Any] = []
        self._usage: Any = None

    def add(self, chunk: Mapping[str, Any]) -> str:
        """Take a chunk; the text of the answer that it brings."""
        self._usage = chunk.get("usage") or self._usage
        choices = chunk.get("choices")
        first = as_dict(choices[0]) if isinstance(choices, list) and choices else {}
        delta = as_dict(first.get("delta"))
        self.finish = as_text(first.get("finish_reason")) or self.finish
        listed = as_dict(first.get("logprobs")).get("content")
        self._logprobs += listed if isinstance(listed, list) else []
        piece, refusal = as_text(delta.get("content")), as_text(delta.get("refusal"))
        self._content += piece
        self._refusal += refusal
        return piece or refusal

    def of_body(self, body: Mapping[str, Any]) -> str:
        """The text of a completion that came whole."""
        choices = body.get("choices")
        first = as_dict(choices[0]) if isinstance(choices, list) and choices else {}
        message = as_dict(first.get("message"))
        return as_text(message.get("content")) or as_text(message.get("refusal"))

    def body(self) -> dict[str, Any]:
        """A chat completion's JSON."""
        message = {"role": "assistant", "content": self._content}
        if self._refusal:
            message["refusal"] = self._refusal
        choice = {
            "message": message,
            "finish_reason": self.finish,
            "logprobs": {"content": self._logprobs} if self._logprobs else None,
        }
        return {"choices": [choice], "usage": self._usage}


@asynccontextmanager
async def connect_streaming(
    endpoint: Endpoint, found: Callable[[str], None], sampling: Mapping[str, float] | None = None
) -> AsyncIterator[StreamingConnection]:
    """A connection that tells `found` of pieces; see StreamingConnection."""

    def progress() -> str:
        return "Ask again."

    async with load_openai().AsyncOpenAI(**endpoint.client_settings()) as client:
        explainer = Explainer(
            client, endpoint.model, endpoint.address, endpoint.timeout, endpoint.hide
        )
        yield StreamingConnection(endpoint, client, explainer, progress, found, sampling)


def one_by_one(
    work: Callable[[Callable[[Item], None]], Coroutine[Any, Any, None]],
) -> Iterator[Item]:
    """What `work` finds, one item at a time; closing the iterator cancels the work."""
    found = cast(Generator[list[Item], None, None], batches(work))
    try:
        for batch in found:
            yield from batch
    finally:
        found.close()
