"""A GGUF file as a judge, on llama.cpp: what runs on a laptop."""

from __future__ import annotations

import ctypes
import math
import os
import time
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError, did_you_mean
from pengadil.judges.base import GENERATE, MODES, SCORE, answer_tokens, check_lengths
from pengadil.models import file_sha256
from pengadil.prompts import Prompt
from pengadil.records import Example, Judgement
from pengadil.tokens import REASONING_CLOSING, VERDICT_OPENING, Encoder

PACKAGE = "llama-cpp-python==0.3.36"
BATCH_ROWS = 8
# What stands right before the verdict once a reasoning has been closed.
VERDICT_POSITION = VERDICT_OPENING.removeprefix("{")

ERROR_LEVEL = 4  # ggml_log_level; 5 continues the line before it
_complaints: deque[str] = deque(maxlen=16)
_listeners: list[object] = []  # llama.cpp keeps a bare pointer, so the callback must stay alive


def load_llama_cpp() -> Any:
    """The llama_cpp module, with llama.cpp's own log kept off the terminal.

    Raises PengadilError when llama-cpp-python is not installed or cannot be loaded.
    """
    try:
        import llama_cpp
    except (ImportError, OSError, RuntimeError) as error:
        raise PengadilError(
            "llama-cpp-python",
            f"it cannot be used here ({error})",
            f"Run: python -m pip install {PACKAGE} (it is built on your machine: "
            "gcc and cmake are needed).",
        ) from None
    if not _listeners:
        _listeners.append(llama_cpp.llama_log_callback(_listen))
        llama_cpp.llama_log_set(_listeners[0], ctypes.c_void_p(0))
    return llama_cpp


def _listen(level: int, text: bytes, _: object) -> None:
    if level == ERROR_LEVEL:
        _complaints.append(text.decode("utf-8", errors="replace").strip())


def first_complaint() -> str:
    """The cause as llama.cpp logged it: of its errors the first, the others follow from it."""
    return _complaints[0] if _complaints else "it gives no reason"


def check_gguf(path: Path) -> None:
    """PengadilError unless the path is a file that begins as a GGUF does."""
    if not path.is_file():
        raise PengadilError(
            str(path), "no such file", "Export one: python scripts/export_gguf.py RUN"
        )
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise PengadilError(str(path), "not a GGUF file", "Give a .gguf file.")


class LlamaCppJudge:
    """A judge on llama.cpp; close it, or use it as a context manager, to free its memory.

    Rows are judged one after the other, those that begin alike side by side, and what a row
    shares with the one before it is not computed again. `context` is in tokens and never more
    than the model was made for; `threads` defaults to all. Raises PengadilError for a missing
    file, one that is not a whole GGUF, and when llama-cpp-python is missing.
    """

    def __init__(self, path: Path, context: int = 2048, threads: int | None = None) -> None:
        self.path, self.name = path, path.name
        self._library = load_llama_cpp()
        check_gguf(path)
        threads = threads or os.cpu_count() or 1
        _complaints.clear()
        try:
            self._llama: Any = self._library.Llama(
                str(path), n_ctx=context, n_threads=threads, n_threads_batch=threads, verbose=False
            )
        except ValueError:
            raise PengadilError(
                str(path),
                f"llama.cpp cannot load it ({first_complaint()})",
                "Export it again; a copy may have been cut short.",
            ) from None
        # Freed before the interpreter takes itself apart: llama_cpp's own __del__ comes too late.
        self._closing = weakref.finalize(self, self._llama.close)
        self.context = min(context, self._llama._model.n_ctx_train())
        self.threads = threads
        self.encoder = self._read_encoder()
        self._held: list[int] = []

    def __enter__(self) -> LlamaCppJudge:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model. The judge cannot be used afterwards."""
        self._closing()

    def describe(self) -> dict[str, Any]:
        """The file, its SHA-256 and quantisation, context in tokens, threads and version."""
        return {
            "kind": "llama.cpp",
            "model": self.name,
            "sha256": self._sha256,
            "quantisation": self.quantisation,
            "context": self.context,
            "threads": self.threads,
            "llama_cpp_python": self._library.__version__,
        }

    def judge(
        self, examples: Sequence[Example], prompt: Prompt, mode: str
    ) -> Iterator[list[Judgement]]:
        """Judge the examples, a few at a time, in an order of the judge's own.

        Raises PengadilError at once for an unknown mode and for rows longer than the context.
        """
        if mode not in MODES:
            raise PengadilError(mode, "no such mode", did_you_mean(mode, MODES))
        prompts = [self.encoder.prompt(prompt, example) for example in examples]
        check_lengths(prompts, examples, self._room(prompt, mode), self.context)
        # Sorted by their ids, rows with the same beginning stand side by side.
        order = sorted(range(len(examples)), key=prompts.__getitem__)
        return self._batches(examples, prompts, order, prompt, mode)

    def _batches(
        self,
        examples: Sequence[Example],
        prompts: Sequence[list[int]],
        order: Sequence[int],
        prompt: Prompt,
        mode: str,
    ) -> Iterator[list[Judgement]]:
        for start in range(0, len(order), BATCH_ROWS):
            # Kept keys and values change the last digits of a probability: each batch begins
            # without any, so that work taken up again gives the same figures.
            self._held = []
            yield [
                self._judge_row(examples[row], prompts[row], prompt, mode)
                for row in order[start : start + BATCH_ROWS]
            ]

    @cached_property
    def quantisation(self) -> str:
        """The file's quantisation by llama.cpp's name, such as q8_0; "" if it does not say."""
        number = self._llama.metadata.get("general.file_type")
        names = {
            str(value): name.removeprefix("LLAMA_FTYPE_").split("_", 1)[1].lower()
            for name, value in vars(self._library).items()
            if name.startswith(("LLAMA_FTYPE_MOSTLY_", "LLAMA_FTYPE_ALL_"))
        }
        return str(names.get(str(number), ""))

    @property
    def bos_id(self) -> int:
        """The id of the token that opens a text; -1 where the model has none."""
        return int(self._llama.token_bos())

    @cached_property
    def _sha256(self) -> str:
        return file_sha256(self.path)

    def _read_encoder(self) -> Encoder:
        """The GGUF's own tokenizer and chat template."""
        llama = self._llama
        template = llama.metadata.get("tokenizer.chat_template", "")
        if not template or llama.token_eos() < 0:
            raise PengadilError(
                str(self.path),
                "it holds no chat template or no end-of-text token",
                "Use the GGUF of an instruction-tuned model.",
            )
        return Encoder(
            encode=lambda text: llama.tokenize(text.encode(), add_bos=False, special=True),
            decode=self._text,
            template=template,
            bos=self._token_text(llama.token_bos()),
            eos=self._token_text(llama.token_eos()),
            eos_id=llama.token_eos(),
        )

    def _token_text(self, token: int) -> str:
        if token < 0:
            return ""
        text: str | bytes = self._llama._model.token_get_text(token)
        return text.decode() if isinstance(text, bytes) else text

    def _room(self, prompt: Prompt, mode: str) -> int:
        """Tokens that follow the prompt at most."""
        if mode == GENERATE:
            return answer_tokens(prompt)
        if prompt.answer == "reasoning":
            return answer_tokens(prompt) + len(self.encoder.encode(REASONING_CLOSING))
        return len(self.encoder.verdict.opening)

    def _judge_row(
        self, example: Example, ids: Sequence[int], prompt: Prompt, mode: str
    ) -> Judgement:
        started = time.perf_counter()
        verdict: int | None
        probability: float | None = None
        if mode == SCORE:
            raw, rule, before = self._verdict_position(ids, prompt)
            probability = self._probability(before)
            verdict = int(probability > 0.5)
        else:
            from pengadil.verdict import read_verdict

            raw = self._text(self._generate(ids, answer_tokens(prompt)))
            reading = read_verdict(raw)
            verdict, rule = reading.value, reading.rule
        return Judgement(
            id=example.id,
            gold=example.answer,
            verdict=verdict,
            rule=rule,
            probability=None if probability is None else round(probability, 6),
            raw=raw,
            seconds=round(time.perf_counter() - started, 6),
            language=example.language,
            source=example.source,
            group=example.group,
        )

    def _verdict_position(self, ids: Sequence[int], prompt: Prompt) -> tuple[str, str, list[int]]:
        """What was generated, the rule's name, and all ids up to where the verdict stands."""
        if prompt.answer != "reasoning":
            return "", "score", [*ids, *self.encoder.verdict.opening]
        written = self._generate(ids, answer_tokens(prompt), until=VERDICT_POSITION)
        raw = self._text(written)
        if raw.endswith(VERDICT_POSITION):
            return raw, "score", [*ids, *written]
        return raw, "score_forced", [*ids, *written, *self.encoder.encode(REASONING_CLOSING)]

    def _probability(self, ids: Sequence[int]) -> float:
        """Of verdict 1, after these ids: the softmax of the two verdicts' logits."""
        logits = self._last_logits(ids)
        verdict = self.encoder.verdict
        difference = float(logits[verdict.one]) - float(logits[verdict.zero])
        return 0.5 + 0.5 * math.tanh(difference / 2)

    def _generate(self, ids: Sequence[int], limit: int, until: str | None = None) -> list[int]:
        """At most `limit` tokens, each the likeliest; the end-of-text token is left out."""
        written: list[int] = []
        while len(written) < limit:
            token = int(self._last_logits([*ids, *written]).argmax())
            if self._library.llama_vocab_is_eog(self._llama._model.vocab, token):
                break
            written.append(token)
            # A token is a byte at least, so these are enough to hold the text looked for.
            if until and self._text(written[-len(until) :]).endswith(until):
                break
        return written

    def _last_logits(self, ids: Sequence[int]) -> Any:
        """The logits after the last of these ids, shape (vocabulary,); overwritten by the next.

        Keys and values of the longest beginning shared with the ids before are kept; the last
        token is always computed, for its logits.
        """
        import numpy as np

        if not self._closing.alive:
            raise RuntimeError("the judge has been closed")
        pairs = zip(self._held, ids[:-1], strict=False)
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        self._held = []
        context = self._llama._ctx
        if not context.kv_cache_seq_rm(0, shared, -1):
            context.kv_cache_clear()  # a recurrent model cannot go back part of the way
            shared = 0
        self._llama.n_tokens = shared
        self._llama.eval(ids[shared:])
        self._held = list(ids)
        pointer = context.get_logits_ith(-1)
        return np.ctypeslib.as_array(pointer, shape=(self._llama.n_vocab(),))

    def _text(self, ids: Sequence[int]) -> str:
        """The ids as text, without special tokens."""
        return b"".join(self._piece(token) for token in ids).decode("utf-8", errors="replace")

    def _piece(self, token: int) -> bytes:
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = self._library.llama_token_to_piece(
                self._llama._model.vocab, token, buffer, size, 0, False
            )
            if length >= 0:
                return bytes(buffer.raw[:length])
            size = -length
