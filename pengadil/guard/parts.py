"""Long documents cut at sentence ends into overlapping parts that a judge can read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pengadil.guard.spans import Span, sentence_spans

Count = Callable[[str], int]
# Hardly any text has longer tokens: what is longer than this many characters a token is cut
# without counting the whole of it first.
LONGEST_TOKEN = 12


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a document: `text` stands there from character `start` to `end`."""

    text: str
    start: int
    end: int


def cut(document: str, most_tokens: int, overlap: int, count: Count) -> list[Part]:
    """The document in order as parts of at most `most_tokens`, each cut at a sentence's end.

    A part begins with the last sentences of the one before, up to `overlap` tokens of them. A
    sentence longer than a part is cut between words, a word longer than a part within it. `count`
    gives a text's tokens; white space between parts belongs to none. A document that fits is one
    part, and one without a word none. ValueError unless 0 <= overlap < most_tokens.
    """
    if not 0 <= overlap < most_tokens:
        raise ValueError(f"an overlap of {overlap} in parts of {most_tokens} tokens")
    if not document.strip():
        return []
    if len(document) <= LONGEST_TOKEN * most_tokens and count(document) <= most_tokens:
        return [Part(document, 0, len(document))]
    pieces, sizes = _pieces(document, most_tokens, count)
    parts: list[Part] = []
    first, reached = 0, -1
    while reached + 1 < len(pieces):
        last = _last_that_fits(document, pieces, sizes, first, most_tokens, count)
        if last > reached:
            start, end = pieces[first][0], pieces[last][1]
            parts.append(Part(document[start:end], start, end))
            first, reached = _back(sizes, first, last, overlap), last
        else:  # with that much of the part before, nothing new fits
            first += 1
    return parts


def _last_that_fits(
    document: str, pieces: list[Span], sizes: list[int], first: int, most: int, count: Count
) -> int:
    """The last piece of the part that begins with piece `first`."""
    last, total = first, sizes[first]
    while last + 1 < len(pieces) and total + sizes[last + 1] <= most:
        last += 1
        total += sizes[last]
    # White space between sentences may take tokens too.
    while last > first and count(document[pieces[first][0] : pieces[last][1]]) > most:
        last -= 1
    return last


def _back(sizes: list[int], first: int, last: int, overlap: int) -> int:
    """Where the part after first..last begins: at most `overlap` tokens back, and after `first`."""
    begin, total = last + 1, 0
    while begin - 1 > first and total + sizes[begin - 1] <= overlap:
        begin -= 1
        total += sizes[begin]
    return begin


def _pieces(document: str, most: int, count: Count) -> tuple[list[Span], list[int]]:
    """Sentences, of those that are too long stretches that are not; and the tokens of each."""
    pieces: list[Span] = []
    sizes: list[int] = []
    for start, end in sentence_spans(document):
        while start < end:
            stop, size = _stretch(document, start, end, most, count)
            pieces.append((start, stop))
            sizes.append(size)
            start = stop
            while start < end and document[start].isspace():
                start += 1
    return pieces, sizes


def _stretch(document: str, start: int, end: int, most: int, count: Count) -> tuple[int, int]:
    """The end of the longest stretch from `start` of at most `most` tokens, and how many it has.

    It ends after a word, if there is one before.
    """
    if end - start <= LONGEST_TOKEN * most and (size := count(document[start:end])) <= most:
        return end, size
    low, high = start + 1, min(end, start + LONGEST_TOKEN * most)
    while low < high:
        middle = (low + high + 1) // 2
        if count(document[start:middle]) <= most:
            low = middle
        else:
            high = middle - 1
    if low < end and not document[low].isspace():
        before, *rest = re.split(r"\s+(?=\S*$)", document[start:low])
        if rest and before:
            low = start + len(before)
    return low, count(document[start:low])
