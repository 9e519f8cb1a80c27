"""Prompt files: the words a judge is asked with, one TOML file a prompt."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from string import Template
from typing import Any

from pengadil.errors import PengadilError, did_you_mean
from pengadil.folders import find, read_toml
from pengadil.records import Example

ANSWERS = ("verdict", "reasoning")
LANGUAGES = ("ms", "en")
PLACEHOLDERS = ("passage", "question")
KEYS = {"answer": ANSWERS, "language": LANGUAGES, "user": None}


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a judge is asked.

    `answer` is the form of the answer: "verdict" is `{"consistency": 1}`, "reasoning" is
    `{"reasoning": "...", "consistency": 1}`. `language` is that of the instruction. `user` is
    the message, with `$passage` and `$question` in it and `$$` for a dollar sign.
    """

    name: str
    answer: str
    language: str
    user: str

    @property
    def sha256(self) -> str:
        """Of what is sent: answer form and message. A comment in the file changes nothing."""
        return sha256(f"{self.answer}\n{self.user}".encode()).hexdigest()

    def render(self, example: Example) -> list[dict[str, str]]:
        """The chat messages for one example: a single one, from the user.

        Passage and question are put in untouched, whatever signs they hold.
        """
        text = Template(self.user).substitute(passage=example.passage, question=example.question)
        return [{"role": "user", "content": text}]


def load_prompt(name: str) -> Prompt:
    """The prompt of that name (`prompts/name.toml`) or path; every fault is reported at once."""
    path = find("prompts", name)
    settings = read_toml(path)
    faults = [*_wrong_keys(settings), *_wrong_placeholders(settings.get("user"))]
    if faults:
        raise PengadilError(
            f"prompt {path}",
            "; ".join(faults),
            "Mend the file; prompts/verdict.toml shows how one is written.",
        )
    return Prompt(path.stem, settings["answer"], settings["language"], settings["user"].strip())


def _wrong_keys(settings: dict[str, Any]) -> list[str]:
    faults = [
        f"unknown key {key!r} ({did_you_mean(key, list(KEYS))})"
        for key in settings
        if key not in KEYS
    ]
    for key, allowed in KEYS.items():
        if key not in settings:
            faults.append(f"no key {key}")
        elif allowed and settings[key] not in allowed:
            faults.append(f"{key} = {settings[key]!r} is none of {', '.join(allowed)}")
        elif not isinstance(settings[key], str):
            faults.append(f"{key} = {settings[key]!r} is not a text")
    return faults


def _wrong_placeholders(user: object) -> list[str]:
    if not isinstance(user, str):
        return []
    template = Template(user)
    found = template.get_identifiers()
    faults = [f"unknown placeholder ${name}" for name in found if name not in PLACEHOLDERS]
    faults += [f"no placeholder ${name}" for name in PLACEHOLDERS if name not in found]
    if not template.is_valid():
        faults.append("a $ that begins no placeholder (write $$ for a dollar sign)")
    return faults
