"""Preferences: read from files and the hub as TRL's trainers take them, or made from examples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pengadil.data.bundled import GRADES
from pengadil.data.named import PREFERENCES, find_source, read_rows
from pengadil.data.sources import first_rows, load_rows
from pengadil.errors import PengadilError
from pengadil.prompts import Prompt
from pengadil.recipe import parse_source
from pengadil.records import Example, Preference, read_jsonl

Message = dict[str, str]
SHAPE = (
    'Write {"prompt": ..., "chosen": ..., "rejected": ...}, each a text or a list of '
    '{"role": ..., "content": ...}.'
)


def load_preferences(
    spec: str, prompt: Prompt, split: str = "train", seed: int = 0
) -> list[Preference]:
    """The preferences that an entry of `data.train` or `data.validation` names.

    Where that is a source of examples (a bundled grade, a file of them, a data set that
    sources.toml says holds them), `preferences_from_examples` makes them with the `prompt`.
    Raises PengadilError as `load_rows` does, and with its place for a row that is no preference.
    """
    source, count = parse_source(spec)
    if source in GRADES:
        return preferences_from_examples(load_rows(spec, split, seed), prompt)
    if source.lower().endswith(".jsonl"):
        if _holds_examples(Path(source)):
            return preferences_from_examples(load_rows(spec, split, seed), prompt)
        return first_rows(source, read_preferences(Path(source)), count)
    named = find_source(source)
    if named is None or named.kind == "examples":
        return preferences_from_examples(load_rows(spec, split, seed), prompt)
    where, rows = read_rows(named, split, PREFERENCES, count)
    return [
        preference_from(row, f"{where} {number}", f"{source}-{number}", source)
        for number, row in rows
    ]


def read_preferences(path: Path, source: str = "") -> list[Preference]:
    """All preferences of a JSONL file, in order; ids default to `stem-line`.

    A fault is a PengadilError that names file and line.
    """
    rows = [
        preference_from(row, f"{path}, line {line}", f"{path.stem}-{line}", source or path.stem)
        for line, row in read_jsonl(path)
    ]
    if not rows:
        raise PengadilError(str(path), "the file has no rows", SHAPE)
    return rows


def preference_from(row: dict[str, Any], where: str, default_id: str, source: str) -> Preference:
    """One Preference from an object as TRL takes it.

    `chosen` and `rejected` are answers to `prompt` (or `messages`), or whole conversations whose
    last message is the answer; then what comes before it is the prompt, and has to be the same in
    both. `where` begins the PengadilError for a row that is none of these, or whose answers are
    empty or the same.
    """
    missing = [name for name in ("chosen", "rejected") if name not in row]
    if missing:
        found = ", ".join(map(str, row)) or "no fields"
        raise PengadilError(where, f"no field '{missing[0]}' (found: {found})", SHAPE)
    asked = row["messages"] if row.get("messages") is not None else row.get("prompt")
    before, chosen = _parted(row["chosen"], f"{where}, chosen")
    also_before, rejected = _parted(row["rejected"], f"{where}, rejected")
    if before != also_before:
        raise PengadilError(
            where,
            "chosen and rejected differ before their last message",
            "An answer can only be preferred to another one to the same question.",
        )
    messages = before or _messages(asked, f"{where}, prompt")
    if messages[-1]["role"] == "assistant":
        raise PengadilError(where, "the message before the answer is an assistant's too", SHAPE)
    if not chosen.strip() or not rejected.strip():
        empty = "rejected" if chosen.strip() else "chosen"
        raise PengadilError(where, f"'{empty}' is empty", "Remove the row, or give it an answer.")
    if chosen == rejected:
        raise PengadilError(where, "chosen and rejected are the same", "Remove the row.")
    return Preference(
        id=str(default_id if row.get("id") is None else row["id"]),
        messages=messages,
        chosen=chosen,
        rejected=rejected,
        source=str(row.get("source") or source),
        document=str(row.get("document") or ""),
    )


def preferences_from_examples(examples: Sequence[Example], prompt: Prompt) -> list[Preference]:
    """A preference from each example: the answer with the right verdict over the wrong one.

    Where the prompt asks for a reasoning, both answers hold the example's own, so that they part
    at the verdict: what is learned is to conclude what the reasoning says, and the reasoning
    itself from the chosen answer. Raises PengadilError for examples without the reasoning that is
    asked for, and for a prompt that asks for no verdict.
    """
    form = prompt.form
    without = [example.id for example in examples if form.reasoning and not example.reasoning]
    if without:
        raise PengadilError(
            f"{len(without)} rows ({', '.join(without[:3])} ...)",
            "no reasoning to train on",
            "Fill the field 'reasoning', or use a verdict prompt.",
        )

    def answer(example: Example, verdict: int) -> str:
        return form.text(verdict, example.reasoning if form.reasoning else None)

    return [
        Preference(
            id=example.id,
            messages=prompt.render(example),
            chosen=answer(example, example.answer),
            rejected=answer(example, 1 - example.answer),
            source=example.source,
            document=example.passage,
        )
        for example in examples
    ]


def _holds_examples(path: Path) -> bool:
    """Whether the first row of a file is an example rather than a preference."""
    first = next(read_jsonl(path), (0, {}))[1]
    return "passage" in first and "chosen" not in first


def _parted(answer: Any, where: str) -> tuple[list[Message], str]:
    """What comes before an answer, if that is a whole conversation, and its text."""
    if isinstance(answer, str):
        return [], answer
    messages = _messages(answer, where)
    if messages[-1]["role"] != "assistant":
        raise PengadilError(where, "its last message is not the assistant's", SHAPE)
    return messages[:-1], messages[-1]["content"]


def _messages(value: Any, where: str) -> list[Message]:
    """A conversation, or a text as one message from the user."""
    if isinstance(value, str) and value.strip():
        return [{"role": "user", "content": value}]
    if not isinstance(value, list) or not value:
        raise PengadilError(where, "neither a text nor a list of messages", SHAPE)
    for message in value:
        known = message if isinstance(message, dict) else {}
        if not known.get("role") or not isinstance(known.get("content"), str):
            raise PengadilError(where, "a message without role or content", SHAPE)
    return [{"role": message["role"], "content": message["content"]} for message in value]
