"""What every judge does: examples in, judgements out; chat models also answer in other forms."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pengadil.errors import PengadilError, did_you_mean
from pengadil.forms import Form
from pengadil.prompts import Prompt
from pengadil.records import Example, Judgement

SCORE, CONSTRAINED, GENERATE = "score", "constrained", "generate"
MODES = (SCORE, CONSTRAINED, GENERATE)
# Room for an answer: a choice alone, or a reasoning of a few sentences before it.
CHOICE_TOKENS, REASONING_TOKENS = 24, 256


@dataclass(frozen=True, slots=True)
class Question:
    """Chat messages to answer; the id names them in errors.

    `shared` is text that the user's message begins with and that those of other questions may
    begin with too, such as the instruction and a document.
    """

    id: str
    messages: list[dict[str, str]]
    shared: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a judge answered.

    `choice` is one of the form's, None when the answer could not be read; `probabilities` are of
    the form's choices in their order and add up to 1, None where the mode gives none. `raw` is
    the text that was written. Token counts are None where the judge does not know them.
    """

    choice: int | None
    rule: str
    probabilities: tuple[float, ...] | None
    raw: str
    seconds: float
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Sampling:
    """How free text is written: at most so many tokens, greedily at temperature 0.

    Above 0 each token is drawn from the softmax of the logits divided by `temperature`; the same
    `seed` draws the same again. Raises PengadilError for what nothing could be written with.
    """

    most_tokens: int = 512
    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        faults = (
            ("most_tokens", self.most_tokens, self.most_tokens < 1, "Give 1 or more."),
            (
                "temperature",
                self.temperature,
                not 0 <= self.temperature < math.inf,
                "Give 0 (greedy) or a number above it, such as 0.7.",
            ),
            ("seed", self.seed, self.seed < 0, "Give 0 or more."),
        )
        for name, value, wrong, next_step in faults:
            if wrong:
                raise PengadilError(f"{name} = {value}", "it is out of range", next_step)


DEFAULT_SAMPLING = Sampling()


@dataclass(frozen=True, slots=True)
class Fit:
    """The tokens that a row takes together with its answer, and the most that a judge takes."""

    tokens: int
    context: int


class Judge(ABC):
    """A model that judges examples, greedily and without retries until an answer parses.

    score        compares the probabilities of the choices: never unreadable. Where a reasoning
                 is asked for, it is generated first
    constrained  generates under a grammar: always JSON, unless the reasoning finds no end
    generate     free text, read by `read_verdict`
    """

    name: str
    # Where rows are sent to, by its name for people; empty for a model on this machine.
    destination: str = ""

    def notes(self) -> list[str]:
        """What the user should know of how the rows were judged; empty for most."""
        return []

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Model, revision, precision and the rest, for summary.json."""

    @abstractmethod
    def check(self, form: Form, mode: str) -> None:
        """Do nothing if this judge answers in that form and mode, else raise PengadilError."""

    @abstractmethod
    def judge(
        self, examples: Sequence[Example], prompt: Prompt, mode: str
    ) -> Iterator[list[Judgement]]:
        """Judgements in batches, in an order of the judge's own; the caller puts them in order.

        Raises PengadilError for a row longer than the context, before any is judged. Batches are
        cut one after the other from a stable sort of the examples, so that a judge given the
        rest of a stopped evaluation makes the same batches and the same figures.
        """

    def count(self, text: str) -> int | None:
        """The tokens of a text, None where the judge does not know them."""
        return None

    def fit(self, example: Example, prompt: Prompt, mode: str) -> Fit | None:
        """How long a row is for this judge, None where it does not know."""
        return None


class ChatJudge(Judge):
    """A judge that is a chat model: examples become questions in the prompt's words."""

    @abstractmethod
    def answer(
        self, questions: Sequence[Question], form: Form, mode: str, opening: str = ""
    ) -> Iterator[list[tuple[int, Answer]]]:
        """Batches of (index of the question, answer), in an order of the judge's own.

        `opening` is text that the user's message of every question begins with: work that need
        not be done for each. It never depends on which questions are asked, or the figures of a
        question would. Raises PengadilError, as `judge` and `check` do, at once and not at the
        first batch; nothing is asked before the first batch is taken.
        """

    def answer_live(
        self, question: Question, form: Form, mode: str, opening: str = ""
    ) -> Iterator[str | Answer]:
        """The text of the answer in pieces while it is written, last the Answer itself.

        The Answer is what `answer` gives to this question alone. Without pieces for a judge that
        cannot tell them. Closing the iterator stops the work; errors are those of `answer`.
        """
        batches = self.answer([question], form, mode, opening)
        return (answer for batch in batches for _, answer in batch)

    def write(
        self, messages: Sequence[dict[str, str]], sampling: Sampling = DEFAULT_SAMPLING
    ) -> Iterator[str]:
        """What the model writes after these messages, in pieces of whole characters.

        `messages` have a "role" (system, user, assistant) and a "content"; the last is the
        user's. Closing the iterator stops the work. An answer ends with the model's end token,
        after `sampling.most_tokens`, or at the end of the context. Raises PengadilError at once
        for a conversation that leaves no room in the context.
        """
        raise PengadilError(self.name, "it writes no free text", "Use another model.")

    def judge(
        self, examples: Sequence[Example], prompt: Prompt, mode: str
    ) -> Iterator[list[Judgement]]:
        questions = [
            Question(example.id, prompt.render(example), prompt.shared(example))
            for example in examples
        ]
        batches = self.answer(questions, prompt.form, mode, prompt.opening)
        return (
            [judgement(examples[index], answer) for index, answer in batch] for batch in batches
        )


def judgement(example: Example, answer: Answer) -> Judgement:
    """An answer in the form of a verdict, (0, 1), as the judgement of its example."""
    probability = None if answer.probabilities is None else answer.probabilities[1]
    return Judgement(
        id=example.id,
        gold=example.answer,
        verdict=answer.choice,
        rule=answer.rule,
        probability=None if probability is None else round(probability, 6),
        raw=answer.raw,
        seconds=round(answer.seconds, 6),
        language=example.language,
        source=example.source,
        group=example.group,
        characters=len(example.passage),
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
    )


def check_mode(mode: str) -> None:
    """PengadilError unless it is one of MODES."""
    if mode not in MODES:
        raise PengadilError(repr(mode), "no such mode", did_you_mean(mode, MODES))


def answer_tokens(form: Form) -> int:
    """The most tokens an answer in this form may take."""
    return REASONING_TOKENS if form.reasoning else CHOICE_TOKENS


def check_lengths(
    prompts: Sequence[Sequence[int]], ids: Sequence[str], room: int, context: int
) -> None:
    """Refuse rows that do not fit the context with `room` for the answer, naming their ids."""
    long = [
        f"{row} ({len(prompt) + room} tokens)"
        for prompt, row in zip(prompts, ids, strict=True)
        if len(prompt) + room > context
    ]
    if long:
        more = f" and {len(long) - 3} more" if len(long) > 3 else ""
        raise PengadilError(
            ", ".join(long[:3]) + more,
            f"too long for the model's context of {context} tokens",
            "Shorten the document, or use a model with a longer context.",
        )


def room_after(prompt: Sequence[int], sampling: Sampling, context: int) -> int:
    """The most tokens that may follow a conversation of these ids.

    PengadilError where the conversation alone fills the context.
    """
    if len(prompt) >= context:
        raise PengadilError(
            f"the conversation ({len(prompt)} tokens)",
            f"too long for the model's context of {context} tokens",
            "Begin a new one, send a shorter text, or use a model with a longer context.",
        )
    return min(sampling.most_tokens, context - len(prompt))
