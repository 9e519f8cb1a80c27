"""A judge without a model that reads words: what the guard is tested with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pengadil.forms import Form
from pengadil.judges.base import DEFAULT_SAMPLING, SCORE, ChatJudge, Fit, Sampling, check_mode
from pengadil.prompts import Prompt
from pengadil.records import Example, Judgement

CONTEXT = 100
# An answer of 24 tokens, and a prompt of 6.
AROUND = 30


@dataclass
class WordJudge(ChatJudge):
    """Says that a statement agrees where all its words stand in the passage; a word is a token.

    Its support is 0.9 then, else 0.2 of the share of words that do.

    Statements with a word in `unreadable` cannot be read. `written` are the texts that it writes,
    one after the other. `calls` keeps how many rows each call of `judge` had.
    """

    name: str = "word-judge"
    context: int | None = CONTEXT
    unreadable: Sequence[str] = ()
    written: Sequence[str] = ()
    calls: list[int] = field(default_factory=list)
    samplings: list[Sampling] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        return {"kind": "words"}

    def check(self, form: Form, mode: str) -> None:
        check_mode(mode)

    def count(self, text: str) -> int | None:
        return None if self.context is None else len(text.split())

    def fit(self, example: Example, prompt: Prompt, mode: str) -> Fit | None:
        if self.context is None:
            return None
        words = len(example.passage.split()) + len(example.question.split())
        return Fit(words + AROUND, self.context)

    def judge(
        self, examples: Sequence[Example], _prompt: Prompt, mode: str
    ) -> Iterator[list[Judgement]]:
        self.calls.append(len(examples))
        for example in examples:
            if self.context is not None:
                assert self.fit(example, _prompt, mode).tokens <= self.context
            yield [self._judgement(example, mode)]

    def _judgement(self, example: Example, mode: str) -> Judgement:
        asked = words(example.question)
        share = len(asked & words(example.passage)) / len(asked)
        lost = bool(asked & set(self.unreadable))
        return Judgement(
            id=example.id,
            gold=example.answer,
            verdict=None if lost else int(share == 1),
            rule=mode,
            probability=_support(share) if mode == SCORE and not lost else None,
            raw="tidak tentu" if lost else "",
            seconds=0.5,
        )

    def answer(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("the guard asks for judgements, never for answers")

    def write(
        self, messages: Sequence[dict[str, str]], sampling: Sampling = DEFAULT_SAMPLING
    ) -> Iterator[str]:
        text = self.written[len(self.samplings) % len(self.written)]
        self.samplings.append(sampling)
        yield from (text[:3], text[3:])


def _support(share: float) -> float:
    return 0.9 if share == 1 else round(0.2 * share, 6)


def words(text: str) -> set[str]:
    return {word.strip('.,?!"*').casefold() for word in text.split()} - {""}
