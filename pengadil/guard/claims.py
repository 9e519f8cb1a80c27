"""The sentences of an answer that claim something, without the marks of a list or of Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pengadil.guard.spans import sentence_spans

# What begins a line of a list, a heading or a quotation; digits only with a sign behind them.
MARKER = re.compile(r"(?:(?:[-*+•–>]|#{1,6}|\d{1,3}[.)])(?:\s+|$))+")
MARKUP = re.compile(r"\*\*|__|`")


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence to judge: `text` without marks, from `start` to `end` in the answer."""

    text: str
    start: int
    end: int


def claims(answer: str) -> list[Claim]:
    """The answer's sentences in order; what holds no letter or digit but a list's marker is none.

    A greeting or a question counts as a sentence: the judge has to say what it is.
    """
    found: list[Claim] = []
    for start, end in sentence_spans(answer):
        if marker := MARKER.match(answer, start, end):
            start = marker.end()
        text = MARKUP.sub("", answer[start:end]).strip()
        if any(map(str.isalnum, text)):
            found.append(Claim(text, start, end))
    return found
