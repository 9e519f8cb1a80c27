"""The one path from messages to token ids: training, evaluation and GGUF judging all take it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from pengadil.errors import PengadilError
from pengadil.records import Example

if TYPE_CHECKING:
    from jinja2 import Template

    from pengadil.prompts import Prompt

VERDICT_KEY = "consistency"
REASONING_KEY = "reasoning"


def completion_text(answer: int, reasoning: str | None = None) -> str:
    """The target: real JSON, the reasoning (if any) before the verdict."""
    target: dict[str, Any] = {} if reasoning is None else {REASONING_KEY: reasoning}
    return json.dumps({**target, VERDICT_KEY: answer}, ensure_ascii=False)


# What stands right before the verdict when the completion is a verdict alone.
VERDICT_OPENING = completion_text(0).partition("0")[0]
# What closes a reasoning that never came to an end, so that its verdict can still be scored.
REASONING_CLOSING = f'", "{VERDICT_KEY}": '
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


@dataclass(frozen=True, slots=True)
class VerdictTokens:
    """The token ids before a lone verdict, and those of the two verdicts."""

    opening: list[int]
    zero: int
    one: int


@dataclass(frozen=True)
class Encoder:
    """A tokenizer and its chat template: `encode` is text to ids without added specials.

    `decode` leaves special tokens out.
    """

    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]
    template: str
    bos: str
    eos: str
    eos_id: int

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
        )

    def prompt(self, prompt: Prompt, example: Example) -> list[int]:
        """Ids of the rendered prompt, up to where the model's answer starts."""
        return self.encode(render_chat(self.template, prompt.render(example), self.bos, self.eos))

    def completion(self, answer: int, reasoning: str | None = None) -> list[int]:
        """Ids of a target, with the end-of-text token."""
        return [*self.encode(completion_text(answer, reasoning)), self.eos_id]

    @cached_property
    def verdict(self) -> VerdictTokens:
        """Where the two lone-verdict completions part, and with which tokens.

        Raises PengadilError if a verdict is more than one token: score mode compares one.
        """
        zero, one = self.completion(0), self.completion(1)
        parting = [index for index, (a, b) in enumerate(zip(zero, one, strict=False)) if a != b]
        if len(zero) != len(one) or len(parting) != 1:
            raise PengadilError(
                "tokenizer", "the verdicts 0 and 1 are not one token each", "Use another model."
            )
        at = parting[0]
        return VerdictTokens(zero[:at], zero[at], one[at])
