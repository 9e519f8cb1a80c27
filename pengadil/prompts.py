"""Prompt files: the words a judge is asked with, one TOML file a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from string import Template
from typing import Any

from pengadil.errors import PengadilError, did_you_mean
from pengadil.folders import find, read_toml
from pengadil.forms import REASONED_VERDICT, VERDICT, Form
from pengadil.language import LANGUAGES
from pengadil.records import Example

TEXT = "text"
ANSWERS = ("verdict", "reasoning", TEXT)
PLACEHOLDERS = ("passage", "question")
TEXT_PLACEHOLDERS = ("text",)
KEYS = {"answer": ANSWERS, "language": LANGUAGES, "user": None}
MOST_NAMED = 8
OPTIONAL_KEYS = ("swapped", "twin")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a judge, or a rewriter of texts, is asked.

    `answer` is the form of the answer: "verdict" is `{"consistency": 1}`, "reasoning" is
    `{"reasoning": "...", "consistency": 1}`, "text" is free text, a given one rewritten.
    `language` is that of the instruction, an ISO 639-1 code. `user` is the message, with `$passage`
    and `$question` in it (`$text`, where the answer is a text) and `$$` for a dollar sign.
    `swapped_user` is the same message with the labels in the other order, and `twin` the name (or
    path) of the same prompt in the other language; probes ask for them, and both may be empty.
    """

    name: str
    answer: str
    language: str
    user: str
    swapped_user: str = ""
    twin: str = ""

    @property
    def sha256(self) -> str:
        """Of what is sent: answer form and message. A comment in the file changes nothing."""
        return sha256(f"{self.answer}\n{self.user}".encode()).hexdigest()

    @property
    def opening(self) -> str:
        """What every message begins with: the instruction, up to the first placeholder."""
        return self._parts()[0].replace("$$", "$")

    def shared(self, example: Example) -> str:
        """What the messages of all questions on one document begin with: up to the question.

        Just the opening where the question comes first.
        """
        parts = self._parts()
        before = "".join(parts[: parts.index("$question")]) if "$question" in parts else parts[0]
        return Template(before).safe_substitute(passage=example.passage)

    def _parts(self) -> list[str]:
        """The message cut at its placeholders, which stand between as "$name"."""
        parts, end = [], 0
        for match in Template.pattern.finditer(self.user):
            if name := match["named"] or match["braced"]:
                parts += [self.user[end : match.start()], f"${name}"]
                end = match.end()
        return [*parts, self.user[end:]]

    @property
    def form(self) -> Form:
        """The JSON that is asked for. PengadilError for a prompt that asks for free text."""
        self._need_verdict()
        return REASONED_VERDICT if self.answer == "reasoning" else VERDICT

    def render(self, example: Example) -> list[dict[str, str]]:
        """The chat messages for one example: a single one, from the user.

        Passage and question are put in untouched, whatever signs they hold. PengadilError for a
        prompt that asks for no verdict.
        """
        self._need_verdict()
        text = Template(self.user).substitute(passage=example.passage, question=example.question)
        return [{"role": "user", "content": text}]

    def render_text(self, text: str) -> list[dict[str, str]]:
        """The chat messages that ask to rewrite a text, put in untouched: one, from the user.

        PengadilError for a prompt that asks for a verdict.
        """
        if self.answer != TEXT:
            raise PengadilError(
                f"prompt {self.name}",
                "it asks for a verdict, not for a text to be rewritten",
                "Use one whose answer is a text, such as rewrite.",
            )
        return [{"role": "user", "content": Template(self.user).substitute(text=text)}]

    def _need_verdict(self) -> None:
        if self.answer == TEXT:
            raise PengadilError(
                f"prompt {self.name}",
                "it asks for a rewritten text, and a judge gives verdicts",
                "Use a prompt that asks for a verdict, such as verdict.",
            )

    def swapped(self) -> Prompt:
        """The same prompt with the labels in the other order; PengadilError if it has no such text.

        Its hash is that of the text it sends.
        """
        if not self.swapped_user:
            raise PengadilError(
                f"prompt {self.name}",
                "it has no text with the labels in the other order",
                "Give its file a key swapped; prompts/verdict.toml shows how.",
            )
        return replace(self, name=f"{self.name}+swapped", user=self.swapped_user, swapped_user="")

    def translated(self) -> Prompt:
        """The prompt that asks the same in the other language.

        Raises PengadilError if it names none, or one of the same language or another answer.
        """
        if not self.twin:
            raise PengadilError(
                f"prompt {self.name}",
                "it names no prompt in the other language",
                "Give its file a key twin; prompts/verdict.toml shows how.",
            )
        twin = load_prompt(self.twin)
        if twin.language == self.language or twin.answer != self.answer:
            raise PengadilError(
                f"prompt {self.name}",
                f"its twin {twin.name} is not the same in another language "
                f"(language {twin.language}, answer {twin.answer})",
                "Name another prompt under its key twin.",
            )
        return twin


def load_prompt(name: str) -> Prompt:
    """The prompt of that name (`prompts/name.toml`) or path; every fault is reported at once."""
    path = find("prompts", name)
    settings = read_toml(path)
    placeholders = TEXT_PLACEHOLDERS if settings.get("answer") == TEXT else PLACEHOLDERS
    faults = [
        *_wrong_keys(settings),
        *_wrong_placeholders(settings.get("user"), placeholders),
        *(
            f"swapped: {fault}"
            for fault in _wrong_placeholders(settings.get("swapped"), placeholders)
        ),
    ]
    if faults:
        raise PengadilError(
            f"prompt {path}",
            "; ".join(faults),
            "Mend the file; prompts/verdict.toml shows how one is written.",
        )
    return Prompt(
        path.stem,
        settings["answer"],
        settings["language"],
        settings["user"].strip(),
        settings.get("swapped", "").strip(),
        settings.get("twin", ""),
    )


def _wrong_keys(settings: dict[str, Any]) -> list[str]:
    known = [*KEYS, *OPTIONAL_KEYS]
    faults = [
        f"unknown key {key!r} ({did_you_mean(key, known)})" for key in settings if key not in known
    ]
    for key, allowed in KEYS.items():
        if key not in settings:
            faults.append(f"no key {key}")
        elif allowed and settings[key] not in allowed:
            faults.append(f"{key} = {settings[key]!r} is {_none_of(allowed)}")
        elif not isinstance(settings[key], str):
            faults.append(f"{key} = {settings[key]!r} is not a text")
    faults += [
        f"{key} = {settings[key]!r} is not a text"
        for key in OPTIONAL_KEYS
        if not isinstance(settings.get(key, ""), str)
    ]
    return faults


def _none_of(allowed: Sequence[str]) -> str:
    if len(allowed) > MOST_NAMED:
        return "not an ISO 639-1 code of a language that can be told (ms, en, id, ta ...)"
    return f"none of {', '.join(allowed)}"


def _wrong_placeholders(user: object, placeholders: Sequence[str]) -> list[str]:
    if not isinstance(user, str):
        return []
    template = Template(user)
    found = template.get_identifiers()
    faults = [f"unknown placeholder ${name}" for name in found if name not in placeholders]
    faults += [f"no placeholder ${name}" for name in placeholders if name not in found]
    if not template.is_valid():
        faults.append("a $ that begins no placeholder (write $$ for a dollar sign)")
    return faults
