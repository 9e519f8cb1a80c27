"""Recipes, devices and choices by hand, for tests of plans."""

from __future__ import annotations

from typing import Any

from pengadil.hardware import Choice, Hardware
from pengadil.recipe import DataSettings, LoraSettings, ModelSettings, Recipe, TrainSettings

CPU = Hardware("cpu", "a processor", None, 16 * 2**30, 2, 2, bf16_fast=True)
T4 = Hardware("cuda", "Tesla T4", (7, 5), 15 * 2**30, 2, 2, bf16_fast=False)


def a_recipe(**settings: Any) -> Recipe:
    """A recipe by hand; settings are by their keys, whatever their section."""
    model_keys, lora_keys = ("load_in_4bit", "dtype"), ("rank", "dropout", "targets")
    data = {"max_length": settings.pop("max_length", 512)}
    of_model = {key: settings.pop(key) for key in model_keys if key in settings}
    of_lora = {key: settings.pop(key) for key in lora_keys if key in settings}
    train = {"batch_size": 8, "learning_rate": 1e-4, "loss": "completion", **settings}
    return Recipe(
        name="uji",
        model=ModelSettings(name="uji", **of_model),
        data=DataSettings(train=("contoh",), **data),
        lora=LoraSettings(**{"rank": 8, "alpha": 8, **of_lora}),
        train=TrainSettings(**train),
    )


def a_choice(engine: str = "portable", dtype: str = "float32") -> Choice:
    return Choice(engine, dtype, "eager", "by hand")  # type: ignore[arg-type]
