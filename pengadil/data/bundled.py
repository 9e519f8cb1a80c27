"""The bundled sample: invented Malay and English documents with statements about them.

Everything is made here, for this project, from patterns.toml and words.toml: labels are exact by
construction and free to share. Two grades are generated; a third, `contoh-sukar`, is written by
hand and only ever tested on.

- `contoh` (easy): one subject, one sentence pattern a fact; a contradicting value is nowhere in
  the document.
- `contoh-sederhana` (middle): two subjects with the same kinds of fact, paraphrased; half of the
  contradictions borrow the other subject's value. A third of the test rows use sentence patterns
  that training never sees: group `corak-baharu`, against `corak-dikenal`.

A row's `evidence` is the sentence that decides: the one with the claimed value, of whomever it is
said, else the one that says what is true of the subject. Its `reasoning` is built on that sentence.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, TypeVar

from pengadil.errors import PengadilError, did_you_mean
from pengadil.records import Example, read_examples

FOLDER = Path(__file__).parent / "sample"
EASY, MIDDLE, HARD = "contoh", "contoh-sederhana", "contoh-sukar"
GRADES = (EASY, MIDDLE, HARD)
SPLITS = ("train", "validation", "test")
TEST_ROWS = 200
SEEN, UNSEEN = "corak-dikenal", "corak-baharu"
ENGLISH_SHARE = 5  # one document in five
# Facts asked about in a training document, each twice: once right, once wrong, in the same words,
# so that only the value tells them apart. A test document carries one row: rows are independent.
FACTS_ASKED = 3
# Each domain's subjects: a pool of first words (or none) and a pool of names.
SUBJECTS = {
    "orang": (None, "person"),
    "tempat": ("place_kind", "place_name"),
    "kedai": ("shop_kind", "shop_name"),
    "perjalanan": (None, "person"),
    "perlawanan": ("team_kind", "team_name"),
    "harga": (None, "thing"),
}
SAME_HOUR = {"petang", "malam"}  # "7 petang" may be said of "7 malam": no contradiction
MIXED = ("place", "hour")  # values of two words, which make a third value when mixed

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a document says of one subject."""

    kind: str
    subject: str
    value: str
    sentence: str


class Chooser:
    """Random choices that stay the same across Python versions: only `random()` is used."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def chance(self, share: float) -> bool:
        return self._random.random() < share

    def one(self, items: Sequence[Item]) -> Item:
        return items[int(self._random.random() * len(items))]

    def several(self, items: Sequence[Item], count: int) -> list[Item]:
        """`count` different items in random order."""
        left = list(items)
        return [left.pop(int(self._random.random() * len(left))) for _ in range(count)]


@cache
def _toml(name: str) -> dict[str, Any]:
    with (FOLDER / name).open("rb") as file:
        return tomllib.load(file)


def load_bundled(grade: str, split: str, rows: int | None = None, seed: int = 0) -> list[Example]:
    """The rows of a grade: any number for training and validation, 200 for a test slice.

    The test slices do not depend on `seed`; the hard grade has a test split only.
    """
    if grade not in GRADES:
        raise PengadilError(grade, "no such bundled sample", did_you_mean(grade, GRADES))
    if split not in SPLITS:
        raise PengadilError(split, "no such split", did_you_mean(split, SPLITS))
    if grade == HARD:
        if split != "test":
            raise PengadilError(
                f"{HARD} ({split})",
                "the hand-written sample is for testing only",
                f"Train on {EASY} or {MIDDLE}.",
            )
        return read_examples(FOLDER / f"{HARD}.jsonl", HARD)[:rows]
    if split == "test":
        return _take(_generate(grade, "test", 0), TEST_ROWS)[:rows]
    return _take(_generate(grade, split, seed), rows or 800)


def _take(rows: Iterator[Example], count: int) -> list[Example]:
    """The first `count` rows without a repetition of passage and question."""
    seen: set[tuple[str, str]] = set()
    taken: list[Example] = []
    for row in rows:
        if (row.passage, row.question) not in seen:
            seen.add((row.passage, row.question))
            taken.append(row)
        if len(taken) == count:
            break
    return taken


def _generate(grade: str, split: str, seed: int) -> Iterator[Example]:
    """Rows without end; labels alternate, so any even number of them is balanced."""
    choose = Chooser(f"{grade}/{split}/{seed}")
    number = 0
    document = 0
    while True:
        language = "en" if document % ENGLISH_SHARE == ENGLISH_SHARE - 1 else "ms"
        unseen = grade == MIDDLE and split == "test" and document % 3 == 2
        writer = _Writer(choose, grade, split, language, unseen)
        facts = writer.facts()
        passage = " ".join(fact.sentence for fact in writer.ordered(facts))
        test = split == "test"
        for fact in choose.several(facts, 1 if test else min(FACTS_ASKED, len(facts))):
            pattern = writer.claim_pattern(fact)
            for label in (1 - document % 2,) if test else (1, 0):
                number += 1
                value = fact.value if label else writer.contradiction(fact, facts, number % 4 < 2)
                evidence = writer.evidence(fact, value, facts)
                yield Example(
                    id=f"{grade}-{split}-{number:05d}",
                    passage=passage,
                    question=fill(pattern, fact.subject, value),
                    answer=label,
                    language=language,
                    source=grade,
                    reasoning=writer.reasoning(fact, value, evidence),
                    evidence=evidence.sentence,
                    group=(UNSEEN if unseen else SEEN) if grade == MIDDLE else "",
                )
        document += 1


class _Writer:
    """One document: its subjects, facts and the claims about them."""

    def __init__(
        self, choose: Chooser, grade: str, split: str, language: str, unseen: bool
    ) -> None:
        self.choose, self.grade, self.split = choose, grade, split
        self.language, self.unseen = language, unseen
        patterns = _toml("patterns.toml")
        self.domain = choose.one(list(patterns))
        self.kinds: dict[str, Any] = patterns[self.domain]

    def facts(self) -> list[Fact]:
        """Every subject's facts: the same kinds for each, all values different."""
        easy = self.grade == EASY
        names = [name for name, kind in self.kinds.items() if not easy or "easy" in kind]
        kinds = self.choose.several(names, min(len(names), 3))
        subjects = self._subjects(1 if easy else 2)
        facts: list[Fact] = []
        for kind in kinds:
            taken = [fact.value for fact in facts] + subjects
            for subject in subjects:
                value = self._value(kind, taken)
                taken.append(value)
                pattern = self._pattern(self.kinds[kind][self.language]["document"])
                facts.append(Fact(kind, subject, value, fill(pattern, subject, value)))
        return facts

    def ordered(self, facts: list[Fact]) -> list[Fact]:
        """One subject after the other, each one's sentences in an order of their own."""
        subjects = list(dict.fromkeys(fact.subject for fact in facts))
        ordered: list[Fact] = []
        for subject in subjects:
            own = [fact for fact in facts if fact.subject == subject]
            ordered += self.choose.several(own, len(own))
        return ordered

    def contradiction(self, fact: Fact, facts: list[Fact], borrow: bool) -> str:
        """Another value for the fact.

        With two subjects: the other one's value where `borrow` says so, else a new value, made of
        words of both values where they have two words ("Teluk Bayu" and "Kuala Pauh" make
        "Teluk Pauh"), so that the words of the document do not give it away.
        """
        others = [f.value for f in facts if f.kind == fact.kind and f.subject != fact.subject]
        if others and borrow:
            return self.choose.one(others)
        pool = self.kinds[fact.kind]["values"]
        if others and pool in MIXED:
            mixed = mix(fact.value, others[0])
            if {fact.value.split()[1], others[0].split()[1]} == SAME_HOUR:
                return others[0]
            if mixed not in (fact.value, others[0]):
                return mixed
        return self._value(fact.kind, [f.value for f in facts] + [f.subject for f in facts])

    def claim_pattern(self, fact: Fact) -> str:
        """A statement or, one time in four, a question about this kind of fact."""
        forms = self.kinds[fact.kind][self.language]
        return self._pattern(forms["question" if self.choose.chance(0.25) else "statement"])

    def evidence(self, fact: Fact, value: str, facts: list[Fact]) -> Fact:
        """What decides about `value`: the fact that has it, else what is true of the subject."""
        return next((f for f in facts if f.kind == fact.kind and f.value == value), fact)

    def reasoning(self, fact: Fact, value: str, evidence: Fact) -> str:
        """Of whom and what the statement speaks, then the document, and its sentence; in Malay.

        The statement's value stands right before the document is consulted, so that a small model
        finds the place by it, and what is to be compared stands side by side.
        """
        same = evidence.subject == fact.subject and evidence.value == value
        return (
            f"Pernyataan: {fact.subject}, {value}. Dokumen: {evidence.subject}, {evidence.value}, "
            f"'{evidence.sentence}' {'Sama' if same else 'Berbeza'}."
        )

    def _pattern(self, patterns: list[str]) -> str:
        if self.unseen:
            return patterns[-1]
        return patterns[0] if self.grade == EASY else self.choose.one(patterns[:-1])

    def _subjects(self, count: int) -> list[str]:
        first, names = SUBJECTS[self.domain]
        chosen = self.choose.several(self._pool(names), count)
        if first is None:
            return chosen
        return [f"{self.choose.one(self._pool(first))} {name}" for name in chosen]

    def _value(self, kind: str, taken: Sequence[str]) -> str:
        """A value of the kind that the document does not hold already."""
        pool = self.kinds[kind]["values"]
        while True:
            if pool == "place":
                words = (self._pool("place_kind"), self._pool("place_name"))
                value = " ".join(self.choose.one(pool) for pool in words)
            elif pool == "year":
                value = str(self.choose.one(range(1950, 2010)))
            elif "-" in pool:
                span, _, step = pool.partition("/")
                low, high = (int(end) for end in span.split("-"))
                value = str(self.choose.one(range(low, high + 1, int(step or 1))))
            else:
                value = self.choose.one(self._pool(pool))
            if value not in taken:
                return value

    def _pool(self, name: str) -> list[str]:
        words = _toml("words.toml")[name]
        pool: list[str] = words.get("all") or words[self.split]
        return [item.split("|")[self.language == "en"] if "|" in item else item for item in pool]


def mix(value: str, other: str) -> str:
    """The first word of one two-word value with the second word of another."""
    return f"{value.split()[0]} {other.split()[1]}"


def fill(pattern: str, subject: str, value: str) -> str:
    """The pattern as a sentence, with a capital first letter."""
    text = Template(pattern).substitute(s=subject, v=value)
    return text[0].upper() + text[1:]
