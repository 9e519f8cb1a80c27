"""A document cut into pieces to be shown: the sentence to look at, and the statement's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pengadil.exploration.stop_words import stop_words
from pengadil.language import sentences

WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
MOST_MARKED = 200_000  # characters of a document in which words are looked for


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the document: whether it is in the sentence to look at, and a statement's word."""

    text: str
    sentence: bool
    word: bool


def marked(document: str, statement: str, evidence: str = "") -> list[Piece]:
    """The whole document as pieces, in order.

    The sentence to look at is the `evidence`, where the document holds it, else the one that
    shares most words with the statement (the first, of several): a place to start reading, and no
    more.
    """
    wanted = {word.casefold() for word in WORD.findall(statement)} - stop_words()
    head, rest = document[:MOST_MARKED], document[MOST_MARKED:]
    start, end = _sentence(head, wanted, evidence.strip())
    return [
        *_words(head[:start], wanted, False),
        *_words(head[start:end], wanted, True),
        *_words(head[end:], wanted, False),
        *([Piece(rest, False, False)] if rest else []),
    ]


def _sentence(document: str, wanted: set[str], evidence: str) -> tuple[int, int]:
    """Where the sentence to look at begins and ends; (0, 0) for none."""
    found = document.find(evidence) if evidence else -1
    if found >= 0:
        return found, found + len(evidence)
    best, place, at = 0, (0, 0), 0
    for sentence in sentences(document):
        at = document.index(sentence, at)
        shared = len(wanted & {word.casefold() for word in WORD.findall(sentence)})
        if shared > best:
            best, place = shared, (at, at + len(sentence))
        at += len(sentence)
    return place


def _words(text: str, wanted: set[str], sentence: bool) -> Iterator[Piece]:
    at = 0
    for match in WORD.finditer(text):
        if match[0].casefold() in wanted:
            if match.start() > at:
                yield Piece(text[at : match.start()], sentence, False)
            yield Piece(match[0], sentence, True)
            at = match.end()
    if at < len(text):
        yield Piece(text[at:], sentence, False)
