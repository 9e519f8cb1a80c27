"""What every judge does: examples in, judgements out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from pengadil.errors import PengadilError
from pengadil.prompts import Prompt
from pengadil.records import Example, Judgement

SCORE, GENERATE = "score", "generate"
MODES = (SCORE, GENERATE)
# Room for an answer: a verdict alone, or a reasoning of a few sentences.
VERDICT_TOKENS, REASONING_TOKENS = 24, 256


class Judge(Protocol):
    """A model that judges examples.

    `judge` yields judgements in batches, in an order of its own (rows are batched by length);
    the caller puts them in order. Mode `score` compares the two verdicts' log-probabilities
    and is never unreadable; for a reasoning prompt it first generates the reasoning. Mode
    `generate` is free text read by `read_verdict`. Greedy, no retries.
    """

    name: str

    def describe(self) -> dict[str, Any]:
        """Model, revision, precision and the rest, for summary.json."""

    def judge(
        self, examples: Sequence[Example], prompt: Prompt, mode: str
    ) -> Iterator[list[Judgement]]:
        """Judge the examples. Raises PengadilError for a row longer than the context.

        Batches are cut one after the other from a stable sort of the examples, so that a judge
        given the rest of a stopped evaluation makes the same batches and the same figures.
        """


def answer_tokens(prompt: Prompt) -> int:
    """The most tokens an answer to this prompt may take."""
    return REASONING_TOKENS if prompt.answer == "reasoning" else VERDICT_TOKENS


def check_lengths(
    prompts: Sequence[Sequence[int]], examples: Sequence[Example], room: int, context: int
) -> None:
    """Refuse rows that do not fit the context with `room` for the answer, naming them."""
    long = [
        f"{example.id} ({len(ids) + room} tokens)"
        for ids, example in zip(prompts, examples, strict=True)
        if len(ids) + room > context
    ]
    if long:
        more = f" and {len(long) - 3} more" if len(long) > 3 else ""
        raise PengadilError(
            ", ".join(long[:3]) + more,
            f"too long for the model's context of {context} tokens",
            "Shorten the document, or use a model with a longer context.",
        )
