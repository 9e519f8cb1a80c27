"""Rubric files: what a judge rates answers by, one TOML file a rubric."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from string import Template
from typing import Any

from pengadil.errors import PengadilError, did_you_mean
from pengadil.folders import find, read_toml
from pengadil.forms import REASONING_KEY, Form
from pengadil.language import LANGUAGES

RATINGS = (1, 2, 3, 4, 5)
RATING_KEY, BETTER_KEY = "rating", "better"
TEXTS = ("name", "language", "criterion", "rate", "compare")
KEYS = (*TEXTS, "scale", "reasoning")
# The same for every row, so that an instruction which holds them is computed once.
COMMON = ("criterion", "scale")
# Placeholders that a message needs, and the key that it has to ask for.
MESSAGES = {
    "rate": (("criterion", "scale", "prompt", "answer"), RATING_KEY),
    "compare": (("criterion", "prompt", "first", "second"), BETTER_KEY),
}


@dataclass(frozen=True, slots=True)
class Rubric:
    """What answers are rated by, and the messages that ask for it.

    `name` is the file's, `title` what the file calls the quality. `criterion` says what to look
    at, `scale` what each rating from 1 to 5 means. `rate` holds `$prompt` and `$answer`,
    `compare` holds `$prompt`, `$first` and `$second`; both may hold `$criterion` and `$scale`,
    and `$$` is a dollar sign. With `reasoning` the judge reasons before it decides.

    Answers are put in untouched between marks. That tells a judge where they end, and cannot
    keep a weak one from obeying an answer that asks for a high rating.
    """

    name: str
    title: str
    language: str
    criterion: str
    scale: tuple[str, ...]
    rate: str
    compare: str
    reasoning: bool = False

    @property
    def sha256(self) -> str:
        """Of what is sent. A comment in the file changes nothing."""
        sent = [self.rate, self.compare, self.criterion, *self.scale, self.reasoning]
        return sha256(json.dumps(sent, ensure_ascii=False).encode()).hexdigest()

    @property
    def rating_form(self) -> Form:
        """`{"rating": 1}` to `{"rating": 5}`."""
        return Form(RATING_KEY, RATINGS, self.reasoning)

    @property
    def better_form(self) -> Form:
        """`{"better": 1}` for the first answer, `{"better": 2}` for the second."""
        return Form(BETTER_KEY, (1, 2), self.reasoning)

    @property
    def rating_opening(self) -> str:
        """What every message that asks for a rating begins with."""
        return self._opening(self.rate)

    @property
    def better_opening(self) -> str:
        """What every message that asks for the better answer begins with."""
        return self._opening(self.compare)

    def rating_messages(self, prompt: str, answer: str) -> list[dict[str, str]]:
        """The chat messages that ask for a rating: a single one, from the user."""
        return self._messages(self.rate, prompt=prompt, answer=answer)

    def better_messages(self, prompt: str, first: str, second: str) -> list[dict[str, str]]:
        """The chat messages that ask which of two answers is better."""
        return self._messages(self.compare, prompt=prompt, first=first, second=second)

    def _common(self) -> dict[str, str]:
        lines = (f"{rating}: {text}" for rating, text in zip(RATINGS, self.scale, strict=True))
        return {"criterion": self.criterion, "scale": "\n".join(lines)}

    def _messages(self, message: str, **row: str) -> list[dict[str, str]]:
        text = Template(message).substitute(row, **self._common())
        return [{"role": "user", "content": text}]

    def _opening(self, message: str) -> str:
        for match in Template.pattern.finditer(message):
            placeholder = match["named"] or match["braced"]
            if placeholder and placeholder not in COMMON:
                return Template(message[: match.start()]).substitute(self._common())
        return ""


def load_rubric(name: str) -> Rubric:
    """The rubric of that name (`rubrics/name.toml`) or path; every fault is reported at once."""
    path = find("rubrics", name)
    settings = read_toml(path)
    reasoning = settings.get("reasoning", False)
    faults = [*_wrong_keys(settings), *_wrong_scale(settings.get("scale"))]
    for message, (placeholders, key) in MESSAGES.items():
        text = settings.get(message)
        if isinstance(text, str) and text.strip():
            faults += _wrong_message(message, text, placeholders, key, reasoning is True)
    if faults:
        raise PengadilError(
            f"rubric {path}",
            "; ".join(faults),
            "Mend the file; rubrics/helpfulness.toml shows how one is written.",
        )
    texts = {key: settings[key].strip() for key in TEXTS}
    title = texts.pop("name")
    scale = tuple(settings["scale"][str(rating)].strip() for rating in RATINGS)
    return Rubric(name=path.stem, title=title, scale=scale, reasoning=reasoning, **texts)


def _wrong_keys(settings: dict[str, Any]) -> list[str]:
    faults = [
        f"unknown key {key!r} ({did_you_mean(key, KEYS)})" for key in settings if key not in KEYS
    ]
    for key in TEXTS:
        if key not in settings:
            faults.append(f"no key {key}")
        elif not isinstance(settings[key], str) or not settings[key].strip():
            faults.append(f"{key} = {settings[key]!r} is not a text")
        elif key == "language" and settings[key] not in LANGUAGES:
            faults.append(f"language = {settings[key]!r} is not an ISO 639-1 code")
    if not isinstance(settings.get("reasoning", False), bool):
        faults.append(f"reasoning = {settings['reasoning']!r} is neither true nor false")
    return faults


def _wrong_scale(scale: object) -> list[str]:
    """A fault for each of the five descriptions that is missing, and for each one too many."""
    if not isinstance(scale, dict):
        return ["no table [scale] with the keys 1 to 5"]
    known = [str(rating) for rating in RATINGS]
    faults = [f"unknown rating {key!r} in [scale]" for key in scale if key not in known]
    return faults + [
        f"no description of {rating} in [scale]"
        for rating in known
        if not isinstance(scale.get(rating), str) or not scale[rating].strip()
    ]


def _wrong_message(
    message: str, text: str, placeholders: tuple[str, ...], key: str, reasoning: bool
) -> list[str]:
    template = Template(text)
    found = template.get_identifiers()
    allowed = {*placeholders, *COMMON}
    faults = [f"unknown placeholder ${name} in {message}" for name in found if name not in allowed]
    faults += [f"no placeholder ${name} in {message}" for name in placeholders if name not in found]
    if not template.is_valid():
        faults.append(f"a $ that begins no placeholder in {message} (write $$ for a dollar sign)")
    if f'"{key}"' not in text:
        faults.append(f'{message} does not ask for {{"{key}": ...}}')
    if (f'"{REASONING_KEY}"' in text) != reasoning:
        faults.append(
            f'{message} does not ask for a "{REASONING_KEY}", as reasoning = true does'
            if reasoning
            else f'{message} asks for a "{REASONING_KEY}": set reasoning = true'
        )
    return faults
