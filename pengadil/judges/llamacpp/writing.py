"""One row on a llama.cpp lane: its choice scored, written under a grammar, or freely."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pengadil.forms import Form, read_answer
from pengadil.judges.base import GENERATE, SCORE, Answer, answer_tokens
from pengadil.judges.llamacpp.grammar import Grammar
from pengadil.judges.llamacpp.lane import Lane
from pengadil.judges.llamacpp.model import GgufModel, softmax_over
from pengadil.tokens import ChoiceTokens

SCORE_FORCED, CONSTRAINED_FORCED = "score_forced", "constrained_forced"


@dataclass(frozen=True)
class Writer:
    """Answers of one model in one form and mode, on whatever lane is free."""

    model: GgufModel
    form: Form
    mode: str

    @cached_property
    def room(self) -> int:
        """The most tokens that follow a prompt."""
        if self.mode == GENERATE:
            return self.limit
        if self.mode == SCORE and not self.form.reasoning:
            return len(self.choices.opening)
        return self.limit + len(self.closing) + 1

    @cached_property
    def limit(self) -> int:
        """The most tokens that the model writes of itself."""
        return answer_tokens(self.form)

    @cached_property
    def choices(self) -> ChoiceTokens:
        """The ids before a lone choice and of each choice."""
        return self.model.encoder.choices(self.form)

    @cached_property
    def closing(self) -> list[int]:
        """The ids between a reasoning and the choice."""
        written = self.model.encoder.encode(f"{self.form.reasoning_closing}{self.form.choices[0]}")
        # Where the space before a digit is a part of its token, it must not be written twice.
        return written[:-1] if written[-1] == self.choices.ids[0] else written

    def answer(self, lane: Lane, ids: Sequence[int]) -> Answer:
        """The answer to a prompt; its `seconds` are for the caller to fill in."""
        steps = self.steps(lane, ids)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                answer: Answer = end.value
                return answer

    def steps(self, lane: Lane, ids: Sequence[int]) -> Generator[int, None, Answer]:
        """The tokens of the answer as the model writes them; it returns what `answer` does."""
        if self.mode == SCORE:
            return (yield from self._score(lane, ids))
        if self.mode == GENERATE:
            return self._read(ids, (yield from self._generate(lane, ids)))
        return (yield from self._constrained(lane, ids))

    def _score(self, lane: Lane, ids: Sequence[int]) -> Generator[int, None, Answer]:
        """The choices compared where the model writes one, after its reasoning if it gives one."""
        raw, rule, written = "", SCORE, []
        before = self.choices.opening
        if self.form.reasoning:
            # `"consistency": `, in the tokens that stand there.
            position = self.model.text(self.closing).removeprefix('", ')
            written = before = yield from self._generate(lane, ids, until=position)
            raw = self.model.text(written)
            if not raw.endswith(position):
                rule, before = SCORE_FORCED, [*written, *self.closing]
        probabilities = softmax_over(lane.logits([*ids, *before]), self.choices.ids)
        likeliest = self.form.choices[probabilities.index(max(probabilities))]
        return Answer(likeliest, rule, probabilities, raw, 0.0, len(ids), len(written))

    def _generate(
        self, lane: Lane, ids: Sequence[int], until: str | None = None
    ) -> Generator[int, None, list[int]]:
        """At most `limit` tokens, each the likeliest; the end-of-text token is left out."""
        written: list[int] = []
        while len(written) < self.limit:
            token = int(logits_of(self.model, lane, [*ids, *written]).argmax())
            if self.model.ends(token):
                break
            written.append(token)
            yield token
            # A token is a byte at least, so these are enough to hold the text looked for.
            if until and self.model.text(written[-len(until) :]).endswith(until):
                break
        return written

    def _constrained(self, lane: Lane, ids: Sequence[int]) -> Generator[int, None, Answer]:
        """The likeliest tokens of those that the grammar allows; closed where there is no end."""
        written: list[int] = []
        with Grammar(self.model, self.form.grammar()) as grammar:
            while len(written) < self.limit:
                token = grammar.choose(logits_of(self.model, lane, [*ids, *written]))
                grammar.accept(token)
                written.append(token)
                yield token
                if grammar.finished:
                    return self._read(ids, written)
        before = self._closed(written)
        probabilities = softmax_over(lane.logits([*ids, *before]), self.choices.ids)
        chosen = probabilities.index(max(probabilities))
        choice, text = self.form.choices[chosen], self.model.text
        raw = text([*before, self.choices.ids[chosen]]) + "}"
        return Answer(choice, CONSTRAINED_FORCED, None, raw, 0.0, len(ids), len(before) + 1)

    def _closed(self, written: Sequence[int]) -> list[int]:
        """What was written under the grammar, up to where the choice stands.

        Tokens after which a reasoning cannot be closed are taken back: half a character, half an
        escape, half of the closing itself.
        """
        if not self.form.reasoning:
            return self.choices.opening
        kept = list(written)
        while kept and not self._is_open(kept):
            kept.pop()
        start = kept or self.model.encoder.encode(self.form.reasoning_opening)
        return [*start, *self.closing]

    def _is_open(self, written: Sequence[int]) -> bool:
        """Whether a reasoning can be closed after these tokens."""
        try:
            text = b"".join(map(self.model.piece, written)).decode()
            return isinstance(json.loads(f'{text}"}}'), dict)
        except ValueError:
            return False

    def _read(self, ids: Sequence[int], written: Sequence[int]) -> Answer:
        raw = self.model.text(written)
        choice, rule = read_answer(self.form, raw)
        return Answer(choice, rule, None, raw, 0.0, len(ids), len(written))


def logits_of(model: GgufModel, lane: Lane, ids: Sequence[int]) -> Any:
    """After the last of these ids: an array of the shape (vocabulary,), gone with the next call."""
    import numpy as np

    return np.ctypeslib.as_array(lane.logits(ids), shape=(model.vocabulary,))
