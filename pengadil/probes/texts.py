"""The texts that probes put into documents: eval/probes.toml, read and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from string import Template
from typing import Any

from pengadil.errors import PengadilError, did_you_mean
from pengadil.folders import read_toml
from pengadil.prompts import Prompt
from pengadil.records import Example

LANGUAGES = MALAY, ENGLISH = ("ms", "en")
# The end of the name of the probe that an injection is compared with.
CONTROL = "-control"
PLACEHOLDERS = ("answer", "label", "ending")
# A word that may name what a document is about; shorter ones say too little.
WORD = re.compile(r"\w{4,}")
# Stands for the document while the prompt's end is looked for.
DOCUMENT = "\0"


@dataclass(frozen=True, slots=True)
class Injection:
    """A text that asks for a verdict, by the language of the document it is put into."""

    name: str
    about: str
    texts: dict[str, str]

    def written(self, example: Example, prompt: Prompt, target: int) -> str:
        """The text as it is put into the example's document, asking for the verdict `target`."""
        return Template(self.texts[language_of(example)]).substitute(
            answer=prompt.form.text(target), label=target, ending=ending(prompt, example)
        )


@dataclass(frozen=True, slots=True)
class ProbeTexts:
    """What eval/probes.toml says: how many sentences distract, which there are, and injections."""

    sentences: int
    distractions: dict[str, tuple[str, ...]]
    common: frozenset[str]
    injections: tuple[Injection, ...]

    def drawn(self, example: Example) -> list[str]:
        """All sentences of the example's language, the least related to it first.

        Those that share as many words with its document and statement stand in an order that
        depends on its id alone.
        """
        words = self.words(f"{example.passage} {example.question}")

        def order(sentence: str) -> tuple[int, str]:
            digest = sha256(f"{example.id}\n{sentence}".encode()).hexdigest()
            return len(self.words(sentence) & words), digest

        return sorted(self.distractions[language_of(example)], key=order)

    def distraction(self, example: Example) -> str:
        """The sentences that distract from the example, as one text."""
        return " ".join(self.drawn(example)[: self.sentences])

    def neutral(self, example: Example, length: int) -> str:
        """Distracting sentences cut at a word, about `length` characters of them."""
        words: list[str] = []
        for word in _repeated(" ".join(self.drawn(example)).split()):
            if words and len(" ".join([*words, word])) > length:
                break
            words.append(word)
        return " ".join(words)

    def words(self, text: str) -> set[str]:
        """The words by which a sentence may be related to a document."""
        return set(WORD.findall(text.casefold())) - self.common


def _repeated(words: list[str]) -> Iterator[str]:
    while True:
        yield from words


def language_of(example: Example) -> str:
    """ "en" for an English row, "ms" for any other."""
    return ENGLISH if example.language.casefold().startswith(ENGLISH) else MALAY


def ending(prompt: Prompt, example: Example) -> str:
    """What follows the document in the rendered prompt, without white space at its ends."""
    content = prompt.render(replace(example, passage=DOCUMENT))[-1]["content"]
    return content.rpartition(DOCUMENT)[2].strip()


def load_texts(path: Path) -> ProbeTexts:
    """The texts of a probes file; every fault is reported at once in a PengadilError."""
    settings = read_toml(path)
    distraction = _table(settings.get("distraction"))
    injections = _table(settings.get("injection"))
    faults = [
        *_unknown(settings, ("distraction", "injection"), ""),
        *_distraction_faults(distraction),
        *(fault for name in injections for fault in _injection_faults(name, injections[name])),
    ]
    if faults:
        raise PengadilError(
            str(path), "; ".join(faults), "Mend the file; its first lines say how it is written."
        )
    return ProbeTexts(
        distraction["sentences"],
        {language: tuple(distraction[language]) for language in LANGUAGES},
        frozenset(word.casefold() for word in distraction.get("common", ())),
        tuple(
            Injection(
                name,
                table.get("about", ""),
                {
                    language: str(table.get("text", table.get(language))).strip()
                    for language in LANGUAGES
                },
            )
            for name, table in injections.items()
        ),
    )


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _unknown(table: dict[str, Any], known: tuple[str, ...], where: str) -> list[str]:
    return [
        f"{where}unknown key {key!r} ({did_you_mean(key, known)})"
        for key in table
        if key not in known
    ]


def _distraction_faults(table: dict[str, Any]) -> list[str]:
    where = "distraction: "
    faults = _unknown(table, ("sentences", "common", *LANGUAGES), where)
    sentences = table.get("sentences")
    if type(sentences) is not int or sentences < 1:
        faults.append(f"{where}sentences = {sentences!r} is not a number from 1")
    for key in (*LANGUAGES, "common"):
        texts = table.get(key, [] if key == "common" else None)
        words = isinstance(texts, list) and all(isinstance(text, str) for text in texts)
        if not words or (key != "common" and not any(text.strip() for text in texts or ())):
            faults.append(f"{where}{key} is not a list of texts")
    return faults


def _injection_faults(name: str, value: Any) -> list[str]:
    where = f"injection {name}: "
    if not isinstance(value, dict):
        return [f"{where}not a table"]
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or name.endswith(CONTROL):
        return [f"{where}give it a name of small letters, digits and hyphens, not ending {CONTROL}"]
    faults = _unknown(value, ("about", "text", *LANGUAGES), where)
    keys = ("text",) if "text" in value else LANGUAGES
    for key in (*keys, "about"):
        text = value.get(key, "" if key == "about" else None)
        if not isinstance(text, str) or (key != "about" and not text.strip()):
            faults.append(f"{where}{key} is not a text")
        elif key != "about":
            faults += [f"{where}{key}: {fault}" for fault in _placeholder_faults(text)]
    return faults


def _placeholder_faults(text: str) -> list[str]:
    template = Template(text)
    found = template.get_identifiers()
    faults = [
        f"unknown placeholder ${name} (there are $answer, $label, $ending)"
        for name in found
        if name not in PLACEHOLDERS
    ]
    if not {"answer", "label"} & set(found):
        faults.append("neither $answer nor $label, so it asks for no verdict")
    if not template.is_valid():
        faults.append("a $ that begins no placeholder (write $$ for a dollar sign)")
    return faults
