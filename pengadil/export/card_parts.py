"""The parts of a model card, each from what the run and the export have recorded.

What is not known is left out, or said to be unknown; nothing is filled in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.export.card_figures import above_majority, summaries, table
from pengadil.export.convert import PACKAGE
from pengadil.export.facts import base_name, languages, public_name
from pengadil.export.source import Source
from pengadil.recipe import Recipe, load_recipe
from pengadil.wording import DASH

LIBRARIES = ("pengadil", "torch", "transformers", "peft", "trl", "unsloth")
CONVERTERS = ("llama-cpp-python", PACKAGE)
# The grades of the bundled sample that sentences are made for by a program.
MADE = ("contoh", "contoh-sederhana")


def facts_table(source: Source) -> str:
    """What it is, a line each."""
    base = base_name(source)
    revision = f", revision {source.base.revision}" if source.base.revision else ""
    prompt = f"{Path(source.prompt.name).name}, SHA-256 {source.prompt.sha256}"
    spoken = f"{', '.join(languages(source))} (of its prompt, and of what it was judged on)"
    lines = [
        ("base model", f"{base}{revision}"),
        ("languages", spoken),
        ("prompt", prompt),
        ("adapter", f"SHA-256 {source.identity['adapter_sha256']}"),
    ]
    recipe = _recipe(source)
    if recipe and recipe.description:
        lines.insert(0, ("recipe's description", recipe.description))
    return table(("what", "it is"), lines)


def data(source: Source) -> str:
    """The sources of its rows, with what they hash to."""
    recorded = (source.run.facts() if source.run else {}).get("data")
    if not recorded:
        return "What it was trained on is not recorded here.\n"
    rows = [
        (public_name(entry["source"]), f"{entry['rows']:,}", f"`{entry['sha256']}`")
        for entry in recorded
    ]
    lines = table(("source", "rows", "SHA-256 of the rows"), rows)
    if any(name.rpartition(": ")[2].startswith(MADE) for name, *_ in rows):
        lines += "\n`contoh` and what begins so is pengadil's bundled sample: invented documents.\n"
    return lines


def making(source: Source, entries: Mapping[str, Any]) -> str:
    """Recipe, settings, engine and versions, as far as they are recorded."""
    recorded = source.run.facts() if source.run else {}
    lines = []
    if "recipe_sha256" in recorded:
        lines.append(("recipe", f"{recorded['recipe']}, SHA-256 {recorded['recipe_sha256']}"))
    if recipe := _recipe(source):
        lines += list(_settings(recipe))
    if "steps" in recorded and "seconds" in recorded:
        lines.append(("steps", f"{recorded['steps']:,}, in {recorded['seconds'] / 60:,.1f} min"))
    if engine := recorded.get("engine"):
        where = recorded.get("hardware", {}).get("device_name")
        on = f", on {where}" if where else ""
        lines.append(("engine", f"{engine.get('engine', DASH)}, {engine.get('dtype', DASH)}{on}"))
    exported: dict[str, str] = next(iter(entries.values())).get("versions") or {}
    for what, versions, names in (
        ("trained with", recorded.get("versions") or {}, LIBRARIES),
        ("exported with", exported, ("pengadil", *CONVERTERS)),
    ):
        told = [f"{name} {versions[name]}" for name in names if versions.get(name)]
        lines += [(what, ", ".join(told))] if told else []
    if not lines:
        return "How it was trained is not recorded here: only its adapter was at hand.\n"
    return table(("what", "how"), lines)


def limits(source: Source) -> str:
    """What to expect of it, and what not; from its own figures where there are some."""
    recipe, found = _recipe(source), summaries(source)
    trained = f"; it was trained on rows of up to {recipe.data.max_length:,}" if recipe else ""
    lines = [
        "It tells whether a statement agrees with the document that it is given, not whether "
        "either is true.",
        f"Document, statement and prompt together take {source.context:,} tokens at most{trained}.",
    ]
    if weak := [one for one in found if not above_majority(one["scores"])]:
        named = ", ".join(f"{one['slice']['name']} ({one['mode']})" for one in weak)
        lines.append(
            f"On {named} it is not shown to be better than always giving the commonest answer: its "
            "interval does not lie above that."
        )
    if made := sorted({one["slice"]["name"] for one in found} & {*MADE}):
        lines.append(
            f"The documents of {' and '.join(made)} are made of templates: figures on them are no "
            "measure of Malay texts at large."
        )
    if not found:
        lines.append("How well it judges was not measured but for the comparison of its files.")
    lines.append("Measure it on documents of your own before you rely on it.")
    return "".join(f"- {line}\n" for line in lines)


def licence_words(named: str, bases: str) -> str:
    """The licence in words; `named` is what the card says, `bases` what the base is known by."""
    if not named:
        return (
            "Not known: nothing at hand named the base model's licence. Look it up before you pass "
            "these files on.\n"
        )
    return (
        f"{named}, {'that of the base model' if named == bases else 'as the exporter named it'}.\n"
    )


def _settings(recipe: Recipe) -> Iterator[tuple[str, str]]:
    train, lora = recipe.train, recipe.lora
    adapter = f"rank {lora.rank}, alpha {lora.alpha:g}" if lora.rank else "none: all weights"
    four = ", base in 4 bits" if recipe.model.load_in_4bit else ""
    length = f"steps: {train.max_steps:,}" if train.max_steps else f"epochs: {train.epochs:g}"
    yield "method", f"{train.method}, loss {train.loss}, seed {train.seed}"
    yield "adapter", f"{adapter}{four}"
    yield (
        "settings",
        f"{length}, {train.batch_size} rows a step, learning rate "
        f"{train.learning_rate:g} ({train.schedule}), {train.optimizer}",
    )


def _recipe(source: Source) -> Recipe | None:
    """The run's recipe; None without a run, and where this version cannot read it."""
    try:
        return load_recipe(source.run.recipe_file) if source.run else None
    except (OSError, PengadilError):
        return None
