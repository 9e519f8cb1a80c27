"""A model behind an OpenAI-compatible endpoint as a judge: OpenAI, vLLM, Ollama, llama-server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pengadil.endpoint.address import api_key
from pengadil.endpoint.connection import Endpoint, load_openai
from pengadil.endpoint.pace import Clock
from pengadil.endpoint.request import RequestShape
from pengadil.endpoint.stream import batches
from pengadil.forms import Form
from pengadil.judges.base import (
    DEFAULT_SAMPLING,
    Answer,
    ChatJudge,
    Question,
    Sampling,
    check_mode,
)
from pengadil.judges.endpoint.calls import Caller, write_freely
from pengadil.judges.endpoint.streaming import connect_streaming, one_by_one


class EndpointJudge(ChatJudge):
    """A judge behind an endpoint; nothing is sent before the first answer is asked for.

    `prices` are USD for a million tokens of prompts and of completions. `thinking_tokens` is room
    for a model that thinks before it answers. The other settings are those of `Endpoint`.

    generate     free text
    constrained  under a JSON schema; where the endpoint does not hold to it, a text that is not
                 the JSON asked for is unreadable, and never asked for again
    score        constrained, and the log-probabilities listed where the choice stands, of which a
                 choice that is not listed gets 0. A row without any there is read as text
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        *,
        concurrency: int = 8,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        timeout: float = 60.0,
        attempts: int = 6,
        prices: tuple[float, float] | None = None,
        thinking_tokens: int = 0,
        extra_body: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name = model
        self._endpoint = Endpoint(
            model,
            base_url,
            concurrency=concurrency,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            timeout=timeout,
            attempts=attempts,
            shape=RequestShape(thinking_tokens),
            extra_body=extra_body,
            clock=clock,
        )
        self.destination = self._endpoint.address.destination
        self._prices = prices

    def describe(self) -> dict[str, Any]:
        """What the answers depend on. Not how fast they are asked for, nor any secret."""
        endpoint = self._endpoint
        about: dict[str, Any] = {
            "kind": "endpoint",
            "model": self.name,
            "base_url": endpoint.address.shown,
            "temperature": 0,
            "seed": 0,
        }
        if endpoint.shape.thinking_tokens:
            about["thinking_tokens"] = endpoint.shape.thinking_tokens
        if endpoint.extra_body:
            about["extra_body"] = json.loads(endpoint.hide(json.dumps(endpoint.extra_body)))
        if self._prices:
            about["prices"] = dict(zip(("prompt", "completion"), self._prices, strict=True))
        return about

    def notes(self) -> list[str]:
        """What was learned in asking: parameters left out or renamed, and requests sent again."""
        return self._endpoint.notes()

    def check(self, form: Form, mode: str) -> None:
        """Every form and mode is taken; what the endpoint cannot do shows with the first row."""
        check_mode(mode)

    def answer(
        self, questions: Sequence[Question], form: Form, mode: str, opening: str = ""
    ) -> Iterator[list[tuple[int, Answer]]]:
        """Answers as they come in, so that little is lost when the caller is stopped.

        The first question goes alone: what the endpoint refuses is learned once.
        """
        self.check(form, mode)
        api_key(self._endpoint.address)
        load_openai()

        async def work(found: Callable[[tuple[int, Answer]], None]) -> None:
            await self._ask_all(questions, form, mode, found)

        return batches(work)

    def answer_live(
        self, question: Question, form: Form, mode: str, opening: str = ""
    ) -> Iterator[str | Answer]:
        """In one piece from an endpoint that does not stream."""
        self.check(form, mode)
        api_key(self._endpoint.address)
        load_openai()

        async def work(found: Callable[[str | Answer], None]) -> None:
            async with connect_streaming(self._endpoint, found) as connection:
                found(await Caller(connection, form, mode).ask(question))

        return one_by_one(work)

    def write(
        self, messages: Sequence[dict[str, str]], sampling: Sampling = DEFAULT_SAMPLING
    ) -> Iterator[str]:
        """In one piece from an endpoint that does not stream; too long a conversation shows then.

        Temperature and seed are left out where the endpoint refuses them (`notes` says so).
        """
        api_key(self._endpoint.address)
        load_openai()
        drawn = {"temperature": sampling.temperature, "seed": sampling.seed}

        async def work(found: Callable[[str], None]) -> None:
            async with connect_streaming(self._endpoint, found, drawn) as connection:
                await write_freely(connection, messages, sampling.most_tokens)

        return one_by_one(work)

    async def _ask_all(
        self,
        questions: Sequence[Question],
        form: Form,
        mode: str,
        found: Callable[[tuple[int, Answer]], None],
    ) -> None:
        waiting = iter(enumerate(questions))
        done = 0

        def progress() -> str:
            return f"{done} of {len(questions)} were answered; the same command goes on from there."

        async with self._endpoint.connect(progress) as connection:
            caller = Caller(connection, form, mode)

            async def ask(rows: Iterator[tuple[int, Question]]) -> None:
                nonlocal done
                for index, question in rows:
                    found((index, await caller.ask(question)))
                    done += 1

            await ask(islice(waiting, 1))
            try:
                async with asyncio.TaskGroup() as workers:
                    for _ in range(min(self._endpoint.concurrency, len(questions) - 1)):
                        workers.create_task(ask(waiting))
            except BaseExceptionGroup as group:
                raise group.exceptions[0] from None
