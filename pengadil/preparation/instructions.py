"""Instruction files: what an endpoint is asked for, one TOML file in prompts/prepare/ each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from string import Template
from typing import Any

from pengadil.errors import PengadilError, did_you_mean
from pengadil.folders import find, read_toml
from pengadil.preparation.tasks import Message

FOLDER = "prepare"
KEYS = ("language", "user", "again")
AGAIN = ("reason",)
# What a language is called in an instruction. Malay as the language of an answer says which.
NAMES = {
    "ms": {
        **{"ms": "bahasa Melayu", "en": "bahasa Inggeris", "id": "bahasa Indonesia"},
        **{"zh": "bahasa Cina", "ta": "bahasa Tamil", "ar": "bahasa Arab"},
    },
    "en": {
        **{"ms": "Malay", "en": "English", "id": "Indonesian"},
        **{"zh": "Chinese", "ta": "Tamil", "ar": "Arabic"},
    },
}
LANGUAGES = tuple(NAMES)
UNNAMED = {"ms": 'bahasa berkod "{}"', "en": 'the language with the code "{}"'}
MALAY_OF_MALAYSIA = {
    "ms": "bahasa Melayu yang digunakan di Malaysia (bukan bahasa Indonesia)",
    "en": "Malay as it is used in Malaysia (not Indonesian)",
}


@dataclass(frozen=True, slots=True)
class Purpose:
    """What an instruction is for: placeholders it must and may hold, keys it has to ask for."""

    needed: tuple[str, ...]
    keys: tuple[str, ...]
    optional: tuple[str, ...] = ()


_ROW = ("passage", "question", "language")
_VERDICT = ("reasoning", "consistency")
PURPOSES = {
    "translate": Purpose(("text", "target"), ("translation",), ("source",)),
    "reason": Purpose(_ROW, _VERDICT),
    "reason-told": Purpose((*_ROW, "label"), _VERDICT),
    "mistaken": Purpose((*_ROW, "label"), _VERDICT),
}


@dataclass(frozen=True, slots=True)
class Instruction:
    """What an endpoint is asked, and how it is asked again.

    `language` is that of the instruction itself. `user` is the message, with placeholders such as
    `$text` in it and `$$` for a dollar sign; `again` is the message that asks for a better answer,
    with `$reason`, an English clause.

    Texts are put in untouched, between marks where the shipped files have them. That tells a
    model where they end, and cannot keep a weak one from obeying an order in them: answers are
    checked for that reason too.
    """

    name: str
    language: str
    user: str
    again: str

    @property
    def sha256(self) -> str:
        """Of what is sent: both messages. A comment in the file changes nothing."""
        sent = json.dumps([self.user, self.again], ensure_ascii=False)
        return sha256(sent.encode()).hexdigest()

    def messages(self, **texts: str) -> list[Message]:
        """The chat messages that ask: a single one, from the user. Other texts are passed over."""
        return [{"role": "user", "content": Template(self.user).substitute(texts)}]

    def criticism(self, reason: str) -> str:
        """The words that ask for a better answer."""
        return Template(self.again).substitute(reason=reason)

    def name_of(self, code: str) -> str:
        """What a language is called in this instruction, the code itself where it has no name."""
        return NAMES[self.language].get(code) or UNNAMED[self.language].format(code)

    def name_to_write(self, code: str) -> str:
        """The same for a language to write in: Malay is that of Malaysia."""
        return MALAY_OF_MALAYSIA[self.language] if code == "ms" else self.name_of(code)


def load_instruction(name: str, purpose: str) -> Instruction:
    """The instruction of that name (`prompts/prepare/name.toml`) or path, for one of PURPOSES.

    Every fault is reported at once, as a PengadilError.
    """
    path = _find(name)
    settings = read_toml(path)
    wanted = PURPOSES[purpose]
    faults = [
        *_wrong_keys(settings),
        *_wrong_message("user", settings.get("user"), wanted.needed, wanted.optional, wanted.keys),
        *_wrong_message("again", settings.get("again"), AGAIN),
    ]
    if faults:
        raise PengadilError(
            f"instruction {path}",
            "; ".join(faults),
            f"Mend the file; prompts/{FOLDER}/{purpose}.toml shows how one is written.",
        )
    return Instruction(path.stem, *(settings[key].strip() for key in KEYS))


def _find(name: str) -> Path:
    if Path(name).is_file():
        return Path(name)
    try:
        return find("prompts", f"{FOLDER}/{name}")
    except PengadilError:
        shipped = [f"{purpose}{twin}" for purpose in PURPOSES for twin in ("", "-en")]
        raise PengadilError(
            repr(name), "no such instruction", did_you_mean(Path(name).stem, shipped)
        ) from None


def _wrong_keys(settings: dict[str, Any]) -> list[str]:
    faults = [
        f"unknown key {key!r} ({did_you_mean(key, KEYS)})" for key in settings if key not in KEYS
    ]
    for key in KEYS:
        if key not in settings:
            faults.append(f"no key {key}")
        elif not isinstance(settings[key], str) or not settings[key].strip():
            faults.append(f"{key} = {settings[key]!r} is not a text")
        elif key == "language" and settings[key] not in LANGUAGES:
            faults.append(f"language = {settings[key]!r} is none of {', '.join(LANGUAGES)}")
    return faults


def _wrong_message(
    message: str,
    text: object,
    needed: tuple[str, ...],
    optional: tuple[str, ...] = (),
    keys: tuple[str, ...] = (),
) -> list[str]:
    if not isinstance(text, str) or not text.strip():
        return []
    template = Template(text)
    found = template.get_identifiers()
    known = (*needed, *optional)
    faults = [
        f"unknown placeholder ${name} in {message} (it may hold {', '.join(known)})"
        for name in found
        if name not in known
    ]
    faults += [f"no placeholder ${name} in {message}" for name in needed if name not in found]
    if not template.is_valid():
        faults.append(f"a $ that begins no placeholder in {message} (write $$ for a dollar sign)")
    return faults + [
        f'{message} does not ask for a "{key}"' for key in keys if f'"{key}"' not in text
    ]
