"""The bundled sample read back: from a sentence alone, what it says and by which pattern."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from pengadil.data.bundled import FOLDER, SUBJECTS

CLAIMS = ("statement", "question")
WORD = re.compile(r"RM(?=\d)|\w+")


def toml(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))


PATTERNS, WORDS = toml("patterns.toml"), toml("words.toml")
KINDS = {(domain, name): kind for domain, kinds in PATTERNS.items() for name, kind in kinds.items()}


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence's meaning, its pattern, and whether that is the first or last of its list."""

    domain: str
    kind: str
    subject: str
    value: str
    pattern: str
    easy: bool
    held_out: bool


def pool(name: str, language: str) -> set[str]:
    """The words of a pool, those of all splits together."""
    items = [item for part in WORDS[name].values() for item in part]
    return {item.split("|")[language == "en"] if "|" in item else item for item in items}


@cache
def values(name: str, language: str) -> set[str]:
    if name == "place":
        firsts, lasts = pool("place_kind", language), pool("place_name", language)
        return {f"{first} {last}" for first in firsts for last in lasts}
    if name == "hour":  # two of them mixed make a third
        firsts, lasts = zip(*(hour.split() for hour in pool("hour", language)), strict=True)
        return {f"{first} {last}" for first in firsts for last in lasts}
    if name == "year":
        return {str(year) for year in range(1950, 2010)}
    if span := re.fullmatch(r"(\d+)-(\d+)(?:/(\d+))?", name):
        low, high, step = (int(number or 1) for number in span.groups())
        return {str(number) for number in range(low, high + 1, step)}
    return pool(name, language)


@cache
def subjects(domain: str, language: str) -> set[str]:
    first, names = SUBJECTS[domain]
    if first is None:
        return pool(names, language)
    return {f"{word} {name}" for word in pool(first, language) for name in pool(names, language)}


@cache
def readings(sentence: str, forms: tuple[str, ...], language: str) -> tuple[Said, ...]:
    """Everything that the sentence can mean, with subjects and values from the pools."""
    return tuple(
        Said(domain, name, subject, value, pattern, pattern == patterns[0], pattern == patterns[-1])
        for (domain, name), kind in KINDS.items()
        for patterns in (kind[language][form] for form in forms)
        for pattern in patterns
        for subject_text, value_text in fits(pattern, sentence)
        for subject in known(subject_text, subjects(domain, language), sentence)
        for value in known(value_text, values(kind["values"], language), sentence)
    )


def fits(pattern: str, sentence: str) -> list[tuple[str, str]]:
    """The subject and value that the pattern would give the sentence, in every possible split."""
    match = matcher(pattern).fullmatch(sentence)
    if match is None:
        return []
    found = match.groupdict()
    if "both" not in found:
        return [(found["s"], found["v"])]
    words = found["both"].split(" ")
    return [(" ".join(words[:at]), " ".join(words[at:])) for at in range(1, len(words))]


@cache
def matcher(pattern: str) -> re.Pattern[str]:
    text = re.escape(pattern[0].upper() + pattern[1:]).replace(r"\$", "$").replace(r"\ ", " ")
    if "$s $v" in text:
        return re.compile(text.replace("$s $v", "(?P<both>.+)"))
    return re.compile(text.replace("$s", "(?P<s>.+)").replace("$v", "(?P<v>.+)"))


def known(text: str, names: set[str], sentence: str) -> list[str]:
    """The name as the pools have it: at the start of a sentence it has a capital letter."""
    if sentence.startswith(text):
        return [name for name in (text, text[0].lower() + text[1:]) if name in names]
    return [text] if text in names else []


def sentences(passage: str) -> list[str]:
    return re.split(r"(?<=\.) (?=[A-Z])", passage)


def has_word(text: str, word: str) -> bool:
    """Whether the word or words stand in the text by themselves; "RM12" has 12."""
    return f" {word} " in _spaced(text)


@cache
def _spaced(text: str) -> str:
    return f" {' '.join(WORD.findall(text))} "
