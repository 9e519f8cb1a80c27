"""The model card: what the judge is, how well it judges, and which quantisation costs how much."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from pengadil.errors import PengadilError, did_you_mean
from pengadil.export.card_figures import COLUMNS, file_row, files, results
from pengadil.export.card_parts import data, facts_table, licence_words, limits, making
from pengadil.export.facts import CARD, base_name, languages, licence, on_hub
from pengadil.export.source import Source
from pengadil.records import write_whole

__all__ = ["COLUMNS", "card", "check_template", "file_row", "write_card"]

TEMPLATE = Path(__file__).with_name("card.md")
# What a template may name, as `$name`; `$$` is a dollar sign.
PLACEHOLDERS = (
    *("front", "name", "base", "answer", "facts", "first", "ollama", "prompt", "results"),
    *("files", "data", "making", "limits", "licence"),
)


def write_card(
    source: Source,
    folder: Path,
    entries: Mapping[str, Any],
    named_licence: str = "",
    template: Path = TEMPLATE,
) -> None:
    """Write README.md with the front matter that the Hugging Face hub reads.

    `template` is the file to fill. Raises PengadilError as `check_template`.
    """
    text = card(source, entries, named_licence or licence(source), template)
    write_whole(folder / CARD, text)


def card(
    source: Source, entries: Mapping[str, Any], licence_id: str, template: Path = TEMPLATE
) -> str:
    """The card's text; `entries` are those of export.json, largest file first in the card."""
    entries = dict(sorted(entries.items(), key=lambda entry: -entry[1]["bytes"]))
    text = check_template(template).substitute(
        front=_front(source, licence_id),
        name=source.name,
        base=base_name(source),
        answer=_answer(source),
        facts=facts_table(source),
        first=next(iter(entries)),
        ollama=source.name.lower(),
        prompt=source.prompt.user.strip(),
        results=results(source),
        files=files(entries),
        data=data(source),
        making=making(source, entries),
        limits=limits(source),
        licence=licence_words(licence_id, licence(source)),
    )
    return text.rstrip() + "\n"


def check_template(path: Path) -> Template:
    """The template of that file.

    Raises PengadilError if it cannot be read, or names what a card has no text for.
    """
    try:
        template = Template(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise PengadilError(
            str(path), f"no readable template ({error})", "Name a UTF-8 text file."
        ) from None
    if not template.is_valid():
        raise PengadilError(str(path), "a $ that begins no name", "Write $$ for a dollar sign.")
    for name in template.get_identifiers():
        if name not in PLACEHOLDERS:
            raise PengadilError(
                str(path), f"nothing stands for ${name}", did_you_mean(name, PLACEHOLDERS)
            )
    return template


def _front(source: Source, licence_id: str) -> str:
    lines = ["---", *([f"license: {json.dumps(licence_id)}"] if licence_id else []), "language:"]
    lines += [f"- {language}" for language in languages(source)]
    if on_hub(source):
        lines += [f"base_model: {json.dumps(source.base.name)}", "base_model_relation: quantized"]
    lines += ["pipeline_tag: text-generation", "tags:", "- gguf", "- llama.cpp", "- judge", "---"]
    return "\n".join(lines) + "\n"


def _answer(source: Source) -> str:
    reasoned = source.prompt.answer == "reasoning"
    form = '`{"reasoning": "...", "consistency": 1}`' if reasoned else '`{"consistency": 1}`'
    return f"{form} where they agree, and 0 where they do not"
