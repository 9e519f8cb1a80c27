"""How much of a statement's letters stand in a text, in groups of three; no judge is asked.

Groups of letters and not words, so that a Malay word is found under another affix ("lahir" in
"dilahirkan"). Groups that few of the texts hold weigh more (inverse document frequency, Spärck
Jones, 1972).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from pengadil.baselines import WORD_OR_NUMBER

LETTERS = 3


def prepared(text: str) -> str:
    """The words of a text in small letters, a space before and after each: for `overlaps`."""
    return f" {' '.join(WORD_OR_NUMBER.findall(text.casefold()))} "


def overlaps(statement: str, texts: Sequence[str]) -> list[float]:
    """For each of the `prepared` texts the weighed share of the statement found in it, 0 to 1."""
    found = [[group in text for text in texts] for group in sorted(groups(statement))]
    weights = [log(1 + len(texts) / (sum(where) or 1)) for where in found]
    total = sum(weights) or 1.0
    return [
        sum(weight for weight, where in zip(weights, found, strict=True) if where[index]) / total
        for index in range(len(texts))
    ]


def groups(statement: str) -> set[str]:
    """All that stands in three letters of a word, its beginning and end counted as letters."""
    text = prepared(statement)
    words = (f" {word} " for word in text.split())
    return {word[at : at + LETTERS] for word in words for at in range(len(word) - LETTERS + 1)}
