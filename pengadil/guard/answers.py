"""Answers of several sentences with known labels, made from rows: what the guard is measured on.

A row is a document, a statement and a label. An answer is made of the statements of one to three
rows and is checked against the documents of those rows, filled up with documents of others: as a
chatbot's that was given some documents.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle

from pengadil.baselines import WORD_OR_NUMBER
from pengadil.errors import PengadilError
from pengadil.guard.spans import Span
from pengadil.records import Example

SENTENCES = (1, 2, 3)
DOCUMENTS = 3
# So many rows are looked at for one that fits the others of an answer.
LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Known:
    """An answer, the documents it is checked against, and the rows that it is made of.

    `spans` are the characters of the answer at which each row's statement stands.
    """

    id: str
    answer: str
    documents: tuple[str, ...]
    rows: tuple[Example, ...]
    spans: tuple[Span, ...]

    @property
    def right(self) -> bool:
        """Whether every statement agrees with its document."""
        return all(row.answer for row in self.rows)


def make_answers(
    rows: Sequence[Example], seed: int, documents: int = DOCUMENTS, joined: bool = False
) -> list[Known]:
    """Every row in one answer, in an order drawn with `seed`; the same for the same arguments.

    `documents` are given with each answer, or, `joined`, one that is made of so many. The rows of
    one answer speak of different names: no document holds a name that a statement about another
    shares with its own. So the label of its own document is right for all of them together. Where
    rows are too much alike, answers have fewer sentences, and fewer documents.
    """
    if documents < 1:
        raise PengadilError(f"{documents} documents", "too few", "Give 1 or more.")
    chooser = random.Random(f"guard/{seed}")
    left = _shuffled(rows, chooser)
    spare = _shuffled(rows, chooser)
    sizes = cycle(SENTENCES)
    answers: list[Known] = []
    while left:
        taken = [left.pop(0)]
        for _ in range(min(next(sizes), documents) - 1):
            if (row := _first_apart(left, taken)) is not None:
                left.remove(row)
                taken.append(row)
        shown = list(taken)
        while len(shown) < documents:
            start = int(chooser.random() * len(spare))
            row = _first_apart([*spare[start:], *spare[:start]], shown)
            if row is None:
                break
            shown.append(row)
        passages = [row.passage for row in _shuffled(shown, chooser)]
        texts = (" ".join(passages),) if joined else tuple(passages)
        answers.append(_joined(f"answer-{len(answers) + 1:04d}", taken, texts))
    return answers


def _first_apart(rows: Iterable[Example], taken: Sequence[Example]) -> Example | None:
    """The first row that speaks of none of the names of those taken; None if none is near."""
    for number, row in enumerate(rows):
        if number == LOOKED_AT:
            return None
        if all(_apart(row, other) for other in taken):
            return row
    return None


def _apart(one: Example, other: Example) -> bool:
    return not (_names(one) & _words(other.passage) or _names(other) & _words(one.passage))


def _names(row: Example) -> set[str]:
    """The capitalised words that a statement shares with its document."""
    capitalised = {word for word in WORD_OR_NUMBER.findall(row.question) if word[0].isupper()}
    return capitalised & _words(row.passage)


def _words(text: str) -> set[str]:
    return set(WORD_OR_NUMBER.findall(text))


def _joined(name: str, rows: Sequence[Example], documents: tuple[str, ...]) -> Known:
    answer, spans = "", []
    for row in rows:
        # A line each: no statement runs into the next, however it ends.
        answer += "\n" if answer else ""
        spans.append((len(answer), len(answer) + len(row.question)))
        answer += row.question
    return Known(name, answer, documents, tuple(rows), tuple(spans))


def _shuffled(rows: Sequence[Example], chooser: random.Random) -> list[Example]:
    """In an order that is the same in every version of Python: only `random()` is used."""
    keys = [chooser.random() for _ in rows]
    return [rows[index] for index in sorted(range(len(rows)), key=keys.__getitem__)]
