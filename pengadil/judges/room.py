"""How long a text is for a judge, and which passages fit its context."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pengadil.judges.base import Judge
from pengadil.prompts import Prompt
from pengadil.records import Example

# Where a passage meets the words around it, its tokens may be cut otherwise than those of it alone.
SEAMS = 4


@dataclass(frozen=True)
class Room:
    """What a judge can read of a document beside one question; called, it tells of a passage."""

    judge: Judge
    prompt: Prompt
    question: str
    mode: str

    def __call__(self, passage: str) -> bool:
        """Whether the judge takes the passage whole. True where it does not know its context."""
        fit = self.judge.fit(Example("", passage, self.question, 0), self.prompt, self.mode)
        return fit is None or fit.tokens <= fit.context

    @cached_property
    def tokens(self) -> int | None:
        """So many tokens a passage may have, counted alone; None where the judge does not know.

        Not above 0 where prompt, question and answer alone fill the context.
        """
        fit = self.judge.fit(Example("", "", self.question, 0), self.prompt, self.mode)
        return None if fit is None else fit.context - fit.tokens - SEAMS


def room_for(judge: Judge, prompt: Prompt, question: str, mode: str) -> Room:
    """The room for a passage beside this question, its answer counted in."""
    return Room(judge, prompt, question, mode)


def count_tokens(judge: Judge, text: str) -> int | None:
    """The tokens of a text as this judge reads it; None where it does not know, as an endpoint."""
    return judge.count(text)
