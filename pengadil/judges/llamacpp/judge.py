"""A GGUF file as a judge, on llama.cpp: what runs on a laptop."""

from __future__ import annotations

import os
import time
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from pengadil.forms import Form
from pengadil.judges.base import (
    DEFAULT_SAMPLING,
    GENERATE,
    Answer,
    ChatJudge,
    Fit,
    Question,
    Sampling,
    check_lengths,
    check_mode,
    room_after,
)
from pengadil.judges.llamacpp.batching import make_batches
from pengadil.judges.llamacpp.lane import GIGABYTE, Lane, cells
from pengadil.judges.llamacpp.model import GgufModel
from pengadil.judges.llamacpp.speaking import answer_pieces, written_pieces
from pengadil.judges.llamacpp.writing import Writer
from pengadil.judges.pieces import text_tokens
from pengadil.prompts import Prompt
from pengadil.records import Example

# Rows are computed side by side so long as their keys and values take no more than this together.
MOST_LANES, LANES_BYTES = 4, GIGABYTE
# A conversation grows: a lane with room for more of it keeps what has been computed.
CHAT_STEP = 1024

Batch = list[tuple[int, Answer]]


class LlamaCppJudge(ChatJudge):
    """A judge on llama.cpp; close it, or use it as a context manager, to free its memory.

    Rows are judged in batches, those that begin alike side by side, and what a row shares with
    the one before it is not computed again. Its figures depend neither on the other rows nor on
    `threads`, which defaults to all. `context` is the most tokens a row may have, by default what
    the model was made for; memory is taken for no more than the longest row at hand.

    Raises PengadilError for a missing file, one that is not a whole GGUF, one without a chat
    template, and when llama-cpp-python is missing.
    """

    def __init__(self, path: Path, context: int | None = None, threads: int | None = None) -> None:
        self.path, self.name = path, path.name
        self.model = GgufModel(path)
        self.context = min(context or self.model.context, self.model.context)
        self.threads = threads or os.cpu_count() or 1
        self._lanes: list[Lane] = []
        # Freed before the interpreter takes itself apart, when it is too late.
        self._closing = weakref.finalize(self, _free, self.model, self._lanes)
        self.encoder = self.model.encoder

    def __enter__(self) -> LlamaCppJudge:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model. The judge cannot be used afterwards."""
        self._closing()

    @property
    def quantisation(self) -> str:
        """The file's quantisation by llama.cpp's name, such as q8_0; "" if it does not say."""
        return self.model.quantisation

    @property
    def bos_id(self) -> int:
        """The id of the token that opens a text; -1 where the model has none."""
        return self.model.bos_id

    def describe(self) -> dict[str, Any]:
        """The file, its SHA-256 and quantisation, the longest row in tokens, threads, version."""
        return {
            "kind": "llama.cpp",
            "model": self.name,
            "sha256": self.model.sha256,
            "quantisation": self.quantisation,
            "context": self.context,
            "threads": self.threads,
            "llama_cpp_python": self.model.library.__version__,
        }

    def check(self, form: Form, mode: str) -> None:
        """Every mode is answered; PengadilError for a tokenizer that splits a choice."""
        check_mode(mode)
        if mode != GENERATE:
            self.encoder.choices(form)

    def answer(
        self, questions: Sequence[Question], form: Form, mode: str, opening: str = ""
    ) -> Iterator[Batch]:
        """Answer the questions, a few at a time, in an order of the judge's own."""
        self._check_open()
        self.check(form, mode)
        writer = Writer(self.model, form, mode)
        prompts = [self.encoder.chat(question.messages) for question in questions]
        check_lengths(prompts, [row.id for row in questions], writer.room, self.context)
        beginning = self.encoder.beginning(opening) if opening else []
        batches = make_batches(prompts, len(beginning))
        longest = max(map(len, prompts), default=0) + writer.room
        return self._batches(batches, prompts, beginning, writer, longest)

    def answer_live(
        self, question: Question, form: Form, mode: str, opening: str = ""
    ) -> Iterator[str | Answer]:
        self._check_open()
        self.check(form, mode)
        writer = Writer(self.model, form, mode)
        prompt = self.encoder.chat(question.messages)
        check_lengths([prompt], [question.id], writer.room, self.context)
        beginning = self.encoder.beginning(opening) if opening else []

        def pieces() -> Iterator[str | Answer]:
            self._check_open()
            [lane] = self._open_lanes(min(len(prompt) + writer.room, self.context), 1)
            yield from answer_pieces(writer, lane, beginning, prompt)

        return pieces()

    def write(
        self, messages: Sequence[dict[str, str]], sampling: Sampling = DEFAULT_SAMPLING
    ) -> Iterator[str]:
        self._check_open()
        prompt = self.encoder.chat(messages)
        most = room_after(prompt, sampling, self.context)

        def pieces() -> Iterator[str]:
            self._check_open()
            longest = -(-(len(prompt) + most) // CHAT_STEP) * CHAT_STEP
            [lane] = self._open_lanes(min(longest, self.context), 1)
            yield from written_pieces(self.model, lane, prompt, most, sampling)

        return pieces()

    def count(self, text: str) -> int | None:
        return text_tokens(self.encoder, text)

    def fit(self, example: Example, prompt: Prompt, mode: str) -> Fit | None:
        room = Writer(self.model, prompt.form, mode).room
        return Fit(len(self.encoder.prompt(prompt, example)) + room, self.context)

    def _batches(
        self,
        batches: Sequence[Sequence[int]],
        prompts: Sequence[list[int]],
        beginning: list[int],
        writer: Writer,
        longest: int,
    ) -> Iterator[Batch]:
        """The batches in their order; as many are computed at a time as there are lanes."""
        self._check_open()
        lanes = self._open_lanes(min(longest, self.context), len(batches))
        stopped, free = Event(), deque(lanes)

        def work(batch: Sequence[int]) -> Batch:
            lane = free.popleft()
            try:
                with lane.busy:
                    lane.begin(beginning)
                    return [
                        (row, _timed(writer, lane, prompts[row], len(lanes)))
                        for row in batch
                        if not stopped.is_set()
                    ]
            finally:
                free.append(lane)

        if len(lanes) == 1:
            yield from map(work, batches)
            return
        pool = ThreadPoolExecutor(len(lanes))
        waiting: deque[Future[Batch]] = deque()
        try:
            for batch in batches:
                waiting.append(pool.submit(work, batch))
                if len(waiting) > len(lanes):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)

    def _check_open(self) -> None:
        if not self._closing.alive:
            raise RuntimeError("the judge has been closed")

    def _open_lanes(self, longest: int, batches: int) -> list[Lane]:
        """Lanes for rows of up to so many tokens, no more of them than there are batches.

        Those that are too small are freed first, so that memory for both is never needed.
        """
        size = cells(longest)
        fitting = max(1, LANES_BYTES // max(1, size * self.model.cache_bytes))
        count = max(1, min(self.threads, MOST_LANES, fitting, batches))
        if any(lane.size < size for lane in self._lanes):
            _free_lanes(self._lanes)
        while len(self._lanes) < count:
            self._lanes.append(Lane(self.model, size, self.threads // count))
        for lane in self._lanes[:count]:
            lane.use_threads(self.threads // count)
        return self._lanes[:count]


def _timed(writer: Writer, lane: Lane, ids: Sequence[int], lanes: int) -> Answer:
    """The answer with the seconds it took; lanes share a second that passes for all of them."""
    started = time.perf_counter()
    answer = writer.answer(lane, ids)
    return replace(answer, seconds=(time.perf_counter() - started) / lanes)


def _free_lanes(lanes: list[Lane]) -> None:
    while lanes:
        lanes.pop().free()


def _free(model: GgufModel, lanes: list[Lane]) -> None:
    _free_lanes(lanes)
    model.free()
