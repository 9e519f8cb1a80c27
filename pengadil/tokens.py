"""The one path from messages to token ids: training, evaluation and GGUF judging all take it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pengadil.errors import PengadilError
from pengadil.records import Example

if TYPE_CHECKING:
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


def render_chat(template: str, messages: Sequence[Mapping[str, str]], bos: str, eos: str) -> str:
    """The messages as the model's chat template writes them, ready for its answer.

    Jinja in a sandbox with the settings that the templates are written for; the same text as
    transformers' `apply_chat_template(add_generation_prompt=True)`, without importing it.
    Raises PengadilError when the template refuses the messages.
    """
    from jinja2 import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise PengadilError(
            "chat template", message, "Use a prompt that the model's template takes."
        )

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.globals["raise_exception"] = refuse
    environment.filters["tojson"] = lambda value, **settings: json.dumps(
        value, ensure_ascii=False, **settings
    )
    try:
        return environment.from_string(template).render(
            messages=list(messages), add_generation_prompt=True, bos_token=bos, eos_token=eos
        )
    except TemplateError as error:
        raise PengadilError(
            "chat template", f"it cannot be rendered ({error})", "Use another model."
        ) from None


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
        if not tokenizer.chat_template:
            raise PengadilError(
                name, "its tokenizer has no chat template", "Use an instruction-tuned model."
            )
        if tokenizer.eos_token_id is None:
            raise PengadilError(
                name, "its tokenizer has no end-of-text token", "Use another model."
            )
        return Encoder(
            encode=lambda text: tokenizer(text, add_special_tokens=False)["input_ids"],
            decode=lambda ids: tokenizer.decode(ids, skip_special_tokens=True),
            template=tokenizer.chat_template,
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
