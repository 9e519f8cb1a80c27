"""What came of the rows of a batch, as answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pengadil.forms import Form, read_answer
from pengadil.judges.base import Answer
from pengadil.tokens import Encoder


@dataclass(frozen=True, slots=True)
class Written:
    """What came of one row: text and its tokens; a rule and probabilities where not read."""

    text: str
    tokens: int
    rule: str = ""
    probabilities: tuple[float, ...] | None = None

    def answer(self, form: Form, prompt_tokens: int, seconds: float) -> Answer:
        if self.probabilities is not None:
            choice: int | None = likeliest(form, self.probabilities)
            rule = self.rule
        else:
            choice, rule = read_answer(form, self.text)
            rule = self.rule or rule
        return Answer(
            choice, rule, self.probabilities, self.text, seconds, prompt_tokens, self.tokens
        )


def answers_of(
    batch: Sequence[int],
    written: Sequence[Written],
    form: Form,
    prompts: Sequence[Sequence[int]],
    seconds: float,
) -> list[tuple[int, Answer]]:
    """What was written for the rows of a batch, each at `seconds`, with the rows' indices."""
    return [
        (index, made.answer(form, len(prompts[index]), seconds))
        for index, made in zip(batch, written, strict=True)
    ]


def likeliest(form: Form, probabilities: Sequence[float]) -> int:
    """The choice of the highest probability, of equal ones the first."""
    return form.choices[max(range(len(probabilities)), key=probabilities.__getitem__)]


def before_choice(encoder: Encoder, ids: list[int], form: Form) -> int | None:
    """Where the last choice stands that directly follows its key, None for nowhere."""
    choices, before = encoder.choices(form).ids, form.opening[1:]
    for index in range(len(ids) - 1, -1, -1):
        if ids[index] in choices and encoder.decode(ids[:index]).endswith(before):
            return index
    return None
