"""Documents made ready to be read: cut into parts, of which the relevant ones are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from pengadil.errors import PengadilError
from pengadil.guard.overlap import overlaps, prepared
from pengadil.guard.parts import Part, cut
from pengadil.guard.spans import sentence_spans
from pengadil.judges.base import Judge
from pengadil.judges.room import count_tokens, room_for
from pengadil.prompts import Prompt

MOST_PARTS = 4
# Where nothing is known of what a judge was trained on; AlignScore (Zha et al., 2023) reads 350
# tokens at a time, MiniCheck (Tang et al., 2024) 500 words.
PART_TOKENS = 1024
# So much of a part may stand in the part before it too.
OVERLAP_SHARE = 0.25
# Where a judge does not know its tokens (an endpoint), so many characters count as one.
CHARACTERS_A_TOKEN = 3
# A part has to hold a sentence.
LEAST_TOKENS = 16
# What a judge can read is rounded down to a multiple of this, so that statements share parts.
STEP = 64


@dataclass(frozen=True, slots=True)
class Reading:
    """How long documents are read.

    A document of more than `part_tokens` is cut into parts of at most so many, or of what the judge
    can read beside the statement, if that is less; of all parts the `most_parts` most relevant are
    judged. Raises PengadilError for numbers that are too small.
    """

    part_tokens: int = PART_TOKENS
    most_parts: int = MOST_PARTS

    def __post_init__(self) -> None:
        for name, value, least in (
            ("part_tokens", self.part_tokens, LEAST_TOKENS),
            ("most_parts", self.most_parts, 1),
        ):
            if value < least:
                raise PengadilError(f"{name} {value}", "too few", f"Give {least} or more.")


@dataclass(frozen=True, slots=True)
class Place:
    """A part, the index of its document, and its number there, from 0."""

    document: int
    number: int
    part: Part


class Reader:
    """Cuts each document once for all statements about it.

    Not for use by several threads at a time.
    """

    def __init__(self, judge: Judge, prompt: Prompt, mode: str, reading: Reading) -> None:
        self._judge, self._prompt, self._mode, self._reading = judge, prompt, mode, reading
        self._parts: dict[tuple[str, int], list[Part]] = {}
        self._sentences: dict[tuple[str, int], list[list[str]]] = {}

    def places(self, documents: Sequence[str], statement: str) -> list[Place]:
        """All parts of all documents, as they are cut beside this statement.

        Raises PengadilError where there is no word in them.
        """
        most = self._most_tokens(statement)
        found = [
            Place(index, number, part)
            for index, document in enumerate(documents)
            for number, part in enumerate(self._cut(document, most))
        ]
        if not found:
            raise PengadilError(
                "the documents", "there is no text in them", "Give at least one with text."
            )
        return found

    def relevant(
        self, places: Sequence[Place], documents: Sequence[str], statement: str
    ) -> list[int]:
        """The indices of the places to judge, the most relevant first.

        A part is as relevant as the sentence of it that shares most with the statement.
        """
        most = self._most_tokens(statement)
        sentences = [
            self._prepared(documents[place.document], most)[place.number] for place in places
        ]
        shares = iter(overlaps(statement, [one for part in sentences for one in part]))
        best = [max((next(shares) for _ in part), default=0.0) for part in sentences]
        order = sorted(range(len(places)), key=lambda index: -best[index])
        return order[: self._reading.most_parts]

    def _most_tokens(self, statement: str) -> int:
        """How many tokens a part may have beside this statement."""
        room = room_for(self._judge, self._prompt, statement, self._mode).tokens
        wanted = self._reading.part_tokens
        if room is None:
            return wanted
        if room < LEAST_TOKENS:
            raise PengadilError(
                f"the sentence {statement[:60]!r}",
                "it is so long that no document fits beside it",
                "Shorten it, or use a model with a longer context.",
            )
        return min(wanted, max(LEAST_TOKENS, room // STEP * STEP))

    def _cut(self, document: str, most: int) -> list[Part]:
        key = (document, most)
        if key not in self._parts:
            self._parts[key] = cut(document, most, int(OVERLAP_SHARE * most), self._count)
        return self._parts[key]

    def _prepared(self, document: str, most: int) -> list[list[str]]:
        key = (document, most)
        if key not in self._sentences:
            self._sentences[key] = [
                [prepared(part.text[start:end]) for start, end in sentence_spans(part.text)]
                for part in self._cut(document, most)
            ]
        return self._sentences[key]

    def _count(self, text: str) -> int:
        tokens = count_tokens(self._judge, text)
        return ceil(len(text) / CHARACTERS_A_TOKEN) if tokens is None else tokens
