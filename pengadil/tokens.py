"""The one path from messages to token ids: training, evaluation and GGUF judging all take it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from pengadil.errors import PengadilError
from pengadil.forms import VERDICT, Form
from pengadil.records import Example

if TYPE_CHECKING:
    from jinja2 import Template

    from pengadil.prompts import Prompt

# Two letters of different kinds: what a text begins with, whatever follows, both leave alone.
PROBES = ("A", "0")
# The date that Llama 3's template falls back on.
TEMPLATE_DATE = date(2024, 7, 26)


def render_chat(template: str, messages: Sequence[Mapping[str, str]], bos: str, eos: str) -> str:
    """The messages as the model's chat template writes them, ready for its answer.

    The same text as transformers' `apply_chat_template(add_generation_prompt=True)`, without
    importing it, but for the date: templates that ask for today's get TEMPLATE_DATE, so that a
    row's ids never change. Raises PengadilError when the template refuses the messages.
    """
    from jinja2 import TemplateError

    try:
        return _compiled(template).render(
            messages=list(messages),
            add_generation_prompt=True,
            bos_token=bos,
            eos_token=eos,
            tools=None,
            documents=None,
        )
    except (TemplateError, TypeError, ValueError) as error:
        raise PengadilError(
            "chat template", f"it cannot be rendered ({error})", "Use another model."
        ) from None


@cache
def _compiled(source: str) -> Template:
    """Jinja in a sandbox, with the settings and additions that chat templates are written for."""
    from jinja2 import nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class GenerationBlock(Extension):
        """`{% generation %}` marks a model's turns for training; nothing is written for it."""

        tags = {"generation"}  # noqa: RUF012 - as Extension declares it

        def parse(self, parser: Any) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body).set_lineno(line)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, GenerationBlock]
    )
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = TEMPLATE_DATE.strftime
    environment.filters["tojson"] = lambda value, **settings: json.dumps(
        value, ensure_ascii=False, **settings
    )
    return environment.from_string(source)


def _refuse(message: str) -> None:
    raise PengadilError("chat template", message, "Use a prompt that the model's template takes.")


def _unused(text: str) -> str:
    """A character that the text does not hold, of those that Unicode leaves to private use."""
    return next(mark for mark in map(chr, range(0xE000, 0xF8FF)) if mark not in text)


@dataclass(frozen=True, slots=True)
class VerdictTokens:
    """The token ids before a lone verdict, and those of the two verdicts."""

    opening: list[int]
    zero: int
    one: int


@dataclass(frozen=True, slots=True)
class ChoiceTokens:
    """The token ids before a lone choice, and that of each choice in the form's order."""

    opening: list[int]
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Encoder:
    """A tokenizer and its chat template: `encode` is text to ids without added specials.

    `decode` leaves special tokens out. `specials` are the texts that `encode` makes a special
    token of, wherever they stand.
    """

    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]
    template: str
    bos: str
    eos: str
    eos_id: int
    specials: frozenset[str] = frozenset()

    @staticmethod
    def of_tokenizer(tokenizer: Any, name: str = "the model") -> Encoder:
        """The encoder of a transformers tokenizer. Raises PengadilError without a template."""
        try:
            template = tokenizer.get_chat_template()
        except ValueError:
            raise PengadilError(
                name, "its tokenizer has no chat template", "Use an instruction-tuned model."
            ) from None
        if tokenizer.eos_token_id is None:
            raise PengadilError(
                name, "its tokenizer has no end-of-text token", "Use another model."
            )
        return Encoder(
            encode=lambda text: tokenizer(text, add_special_tokens=False)["input_ids"],
            decode=lambda ids: tokenizer.decode(ids, skip_special_tokens=True),
            template=template,
            bos=tokenizer.bos_token or "",
            eos=tokenizer.eos_token,
            eos_id=tokenizer.eos_token_id,
            specials=frozenset(
                token.content for token in tokenizer.added_tokens_decoder.values() if token.special
            ),
        )

    def prompt(self, prompt: Prompt, example: Example) -> list[int]:
        """Ids of the rendered prompt, up to where the model's answer starts."""
        return self.chat(prompt.render(example))

    def chat(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Ids of rendered messages, up to where the model's answer starts.

        A message cannot speak in the chat's own tokens: where a document holds "<|im_end|>", the
        model reads those letters, and the turn does not end.
        """
        seam = _unused("".join(message["content"] for message in messages))
        quoted = [
            {**message, "content": self._quoted(message["content"], seam)} for message in messages
        ]
        text = render_chat(self.template, quoted, self.bos, self.eos)
        return [token for part in text.split(seam) for token in self.encode(part)]

    def _quoted(self, content: str, seam: str) -> str:
        """The content with a seam inside each special token's text, which is cut there."""
        if self._special is None:
            return content
        return self._special.sub(lambda match: f"{match[0][0]}{seam}{match[0][1:]}", content)

    @cached_property
    def _special(self) -> re.Pattern[str] | None:
        """The longest first, so that none is cut as another that it begins with."""
        longest = sorted((text for text in self.specials if len(text) > 1), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest))) if longest else None

    def beginning(self, opening: str) -> list[int]:
        """Ids that a single message which begins with `opening` begins with.

        Not all of them: the last may join with what follows. A message whose own ids differ all
        the same (its first letters join across the border) is for the caller to notice.
        """
        first, second = (
            self.chat([{"role": "user", "content": opening + probe}]) for probe in PROBES
        )
        pairs = enumerate(zip(first, second, strict=False))
        shared = next((at for at, (a, b) in pairs if a != b), min(len(first), len(second)))
        return first[: max(0, shared - 1)]

    def completion(self, answer: int, reasoning: str | None = None) -> list[int]:
        """Ids of a target, with the end-of-text token."""
        return self.answer(VERDICT.text(answer, reasoning))

    def answer(self, text: str) -> list[int]:
        """Ids of what a model is to write, with the end-of-text token.

        As in `chat`, a text that holds "<|im_end|>" holds those letters, and does not end there.
        """
        seam = _unused(text)
        parts = self._quoted(text, seam).split(seam)
        return [*(token for part in parts for token in self.encode(part)), self.eos_id]

    def choices(self, form: Form) -> ChoiceTokens:
        """Where the form's lone choices part, and with which tokens.

        Raises PengadilError if a choice is more than one token: score mode compares one.
        """
        written = [[*self.encode(form.text(choice)), self.eos_id] for choice in form.choices]
        columns = [len(set(column)) > 1 for column in zip(*written, strict=False)]
        if len(set(map(len, written))) > 1 or sum(columns) != 1:
            named = " and ".join(map(str, form.choices))
            raise PengadilError(
                "tokenizer", f"the choices {named} are not one token each", "Use another model."
            )
        at = columns.index(True)
        return ChoiceTokens(written[0][:at], tuple(ids[at] for ids in written))

    @cached_property
    def verdict(self) -> VerdictTokens:
        """Where the two lone-verdict completions part, and with which tokens.

        Raises PengadilError if a verdict is more than one token: score mode compares one.
        """
        tokens = self.choices(VERDICT)
        zero, one = tokens.ids
        return VerdictTokens(tokens.opening, zero, one)
