"""A recipe to a plan: all that a training needs, checked before any of it is paid for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pengadil.data.slices import Slice
from pengadil.data.sources import leaks, load_rows, rows_sha256
from pengadil.errors import PengadilError
from pengadil.hardware import Choice, Hardware, choose, detect
from pengadil.loading import load_tokenizer
from pengadil.models import LocalModel, resolve_model
from pengadil.prompts import Prompt, load_prompt
from pengadil.recipe import Recipe, check_prompt
from pengadil.tokens import Encoder
from pengadil.training.rows import training_order


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a training needs.

    `sources` and `validation` hold the records of the recipe's method: Examples, Preferences or
    Rewrites. `rows` are the training's own, in their order, repeated where there are more epochs;
    `dropped` are the ids of rows left out as too long.
    """

    recipe: Recipe
    model: LocalModel
    prompt: Prompt
    encoder: Encoder | None  # None for a classifier, which has no chat template
    tokenizer: Any
    sources: dict[str, list[Any]]
    validation: list[Any]
    rows: list[Any]
    hardware: Hardware
    choice: Choice
    dropped: list[str] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole training."""
        return -(-len(self.rows) // self.recipe.train.batch_size)

    @property
    def tokens(self) -> int:
        return sum(row.size for row in self.rows)

    @property
    def validate_every(self) -> int:
        """Optimizer steps between validations; 0 where there is nothing to validate on."""
        if not self.validation:
            return 0
        return self.recipe.train.validate_every or max(1, self.steps // 10)

    @property
    def pad_id(self) -> int:
        pad = self.tokenizer.pad_token_id
        if pad is None:
            pad = self.tokenizer.eos_token_id
        return int(pad)

    def step_rows(self) -> list[list[Any]]:
        """The rows of each optimizer step; the last may have fewer."""
        size = self.recipe.train.batch_size
        return [self.rows[start : start + size] for start in range(0, len(self.rows), size)]

    def data_facts(self) -> list[dict[str, Any]]:
        """Source, number of rows and SHA-256 of each of the recipe's sources."""
        facts = [
            {"source": name, "rows": len(records), "sha256": rows_sha256(records)}
            for name, records in self.sources.items()
        ]
        if self.validation:
            named = ",".join(self.recipe.data.validation) or "held out of the training rows"
            facts.append(
                {
                    "source": f"validation: {named}",
                    "rows": len(self.validation),
                    "sha256": rows_sha256(self.validation),
                }
            )
        return facts


def make_plan(recipe: Recipe, tests: Sequence[Slice] = ()) -> Plan:
    """Resolve and check everything that can fail, before any time is spent on training.

    Raises PengadilError for an unknown model, source or prompt, rows that are too long, training
    rows that stand in a test slice or in the validation, and an engine that does not run here.
    """
    prompt = load_prompt(recipe.data.prompt)
    check_prompt(recipe, prompt)
    sources, validation = _records(recipe, prompt)
    for test in tests:
        _refuse_leaks(sources, test.examples, f"test slice {test.name}")
    _refuse_leaks(sources, validation, "validation")
    hardware = detect()
    choice = choose(hardware, recipe.train.engine, recipe.model.dtype)
    model = resolve_model(recipe.model.name, recipe.model.revision)
    tokenizer = load_tokenizer(model.folder)
    encoder = None
    if recipe.train.method != "classifier":
        encoder = Encoder.of_tokenizer(tokenizer, model.name)
    dropped: list[str] = []
    made = [
        _rows(recipe, prompt, encoder, tokenizer, records, dropped) for records in sources.values()
    ]
    flat = [row for rows in made for row in rows]
    if not flat:
        raise PengadilError(
            f"recipe {recipe.name}",
            f"no row is left: all are longer than data.max_length = {recipe.data.max_length}",
            "Raise --data.max_length.",
        )
    wanted = round(len(flat) * recipe.train.epochs)
    if recipe.train.max_steps:
        wanted = recipe.train.max_steps * recipe.train.batch_size
    order = training_order(made, recipe.data.order, recipe.train.seed, max(1, wanted))
    rows = [flat[index] for index in order]
    return Plan(
        recipe,
        model,
        prompt,
        encoder,
        tokenizer,
        sources,
        validation,
        rows,
        hardware,
        choice,
        dropped,
    )


def _records(recipe: Recipe, prompt: Prompt) -> tuple[dict[str, list[Any]], list[Any]]:
    """The records of each source, and those to validate on."""
    seed = recipe.train.seed

    def load(name: str, split: str) -> list[Any]:
        if recipe.train.method == "rewrite":
            from pengadil.data.rewrites import load_rewrites

            return load_rewrites(name, split)
        if recipe.train.method == "orpo":
            from pengadil.data.preferences import load_preferences

            return load_preferences(name, prompt, split, seed)
        return load_rows(name, split, seed)

    sources = {name: load(name, "train") for name in recipe.data.train}
    if recipe.data.validation:
        found = [row for name in recipe.data.validation for row in load(name, "validation")]
        return sources, found
    share = recipe.data.validation_share
    if not share:
        return sources, []
    from pengadil.data.holdout import hold_out

    parted = {name: hold_out(records, share, seed) for name, records in sources.items()}
    return (
        {name: train for name, (train, _) in parted.items()},
        [record for _, held in parted.values() for record in held],
    )


def _rows(
    recipe: Recipe,
    prompt: Prompt,
    encoder: Encoder | None,
    tokenizer: Any,
    records: list[Any],
    dropped: list[str],
) -> list[Any]:
    """The training rows of records, by the method of training."""
    from pengadil.training.rows import make_rows

    data, train = recipe.data, recipe.train
    left_out = dropped if data.long == "drop" else None
    if encoder is None:
        from pengadil.training.classifier_rows import make_classifier_rows

        return list(make_classifier_rows(records, tokenizer, data.max_length, left_out))
    if train.method == "orpo":
        from pengadil.training.pair_rows import make_pair_rows

        return list(make_pair_rows(records, encoder, data.max_length, left_out))
    if train.method == "rewrite":
        from pengadil.training.rewrite_rows import make_rewrite_rows

        return list(make_rewrite_rows(records, prompt, encoder, data.max_length, left_out))
    return list(
        make_rows(
            records, prompt, encoder, data.max_length, train.loss, train.verdict_weight, left_out
        )
    )


def _refuse_leaks(sources: dict[str, list[Any]], held: Sequence[Any], where: str) -> None:
    leaked = [row for rows in sources.values() for row in leaks(rows, held)]
    if leaked:
        raise PengadilError(
            f"{len(leaked)} training rows ({', '.join(leaked[:3])} ...)",
            f"they stand in the {where} too",
            "Remove them from the training data: a score on rows seen before means nothing.",
        )
