"""A search space from the words of a command line: `train.learning_rate=1e-4..2e-3:log`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError, did_you_mean
from pengadil.recipe import Recipe, load_recipe, settings
from pengadil.settings import Setting, one_line, shown
from pengadil.sweep.space import (
    ALPHA,
    RANK,
    TIMES,
    Parameter,
    as_words,
    default_space,
    resolved,
    value_text,
)

BETWEEN = ".."
LOG = "log"
# Beginnings of names that no search makes sense of, each with its reason.
NOT_SEARCHED = {
    "name": "names the recipe only",
    "description": "describes the recipe only",
    "published": "describes the recipe only",
    "data.validation": "is what trials are measured on, which must be the same for all",
    "train.method": "changes what is measured, so that trials could not be compared",
    "train.seed": "is luck, not a setting: the best of several seeds is no better than another",
    "train.validate_every": "sets how often a trial is measured, which must be the same for all",
    "train.keep": "sets which validation of a trial counts, which must be the same for all",
    "train.save_every": "changes nothing in what is learned",
    "train.micro_batch_size": "changes nothing in what is learned",
    "train.engine": "changes nothing in what is learned",
    "evaluation.": "acts after training only",
    "export.": "acts after training only",
}
# Fields that act only where another has this value.
ACTS_WITH = {
    "train.beta": ("train.method", "orpo"),
    "train.verdict_weight": ("train.loss", "weighted"),
}


def read_space(
    words: Sequence[str], recipe: str | Path, overrides: Sequence[str] = (), grid: bool = False
) -> tuple[Parameter, ...]:
    """The space that FIELD=LOW..HIGH[:log|:STEP] and FIELD=A,B,C name; without words, the default.

    Every end and choice is checked as the recipe checks its fields; a `grid` can hold no range.
    PengadilError reports all faults, those of the recipe first.
    """
    base = load_recipe(recipe, overrides)
    faults: list[str] = []
    space: dict[str, Parameter] = {}
    for word in words or list(default_space(base)):
        try:
            parameter = _read(word)
        except ValueError as error:
            faults.append(f"{one_line(word)}: {error}")
            continue
        if parameter.name in space:
            faults.append(f"{one_line(word)}: {parameter.name} is searched twice")
        if grid and not parameter.choices:
            faults.append(f"{parameter}: a range has no grid, so list the values to try")
        space[parameter.name] = parameter
    faults += _idle(space, base)
    if not faults:
        faults += _conflicts(space, base, recipe, overrides)
    if faults:
        numbered = [f"({number}) {fault}" for number, fault in enumerate(faults, start=1)]
        raise PengadilError(
            "--search",
            "; ".join(numbered) if len(faults) > 1 else faults[0],
            "Write a range as train.learning_rate=1e-4..2e-3:log, choices as lora.rank=8,16,32.",
        )
    return tuple(space.values())


def _read(word: str) -> Parameter:
    """One parameter; ValueError says what is wrong with the word."""
    name, equals, text = (part.strip() for part in word.partition("="))
    name = name.removeprefix("--")
    known = settings()
    if name not in known:
        raise ValueError(f"no such setting ({did_you_mean(name, list(known))})")
    for beginning, reason in NOT_SEARCHED.items():
        if name.startswith(beginning):
            raise ValueError(f"{name} {reason}")
    if not equals or not text:
        raise ValueError("no values after the =")
    setting = known[name]
    if setting.kind in (int, float) and BETWEEN in text:
        return _read_range(setting, text)
    choices = tuple(_choice(setting, part.strip()) for part in text.split(","))
    if len(choices) == 1:
        raise ValueError(f"one value is no search: give it as --{name} {text}")
    if len(set(choices)) < len(choices):
        raise ValueError("a value stands there twice")
    if len({isinstance(choice, str) for choice in choices}) > 1:
        raise ValueError(f"multiples of {RANK} and values cannot be mixed")
    return Parameter(name, choices)


def _choice(setting: Setting, text: str) -> Any:
    if setting.name == ALPHA and text.endswith(TIMES):
        times = _number(text.removesuffix(TIMES), "no number of times")
        if times <= 0:
            raise ValueError(f"{text} is not above 0")
        return f"{times:g}{TIMES}"
    return _accepted(setting, setting.parse(text))


def _read_range(setting: Setting, text: str) -> Parameter:
    ends, colon, how = text.partition(":")
    whole = setting.kind is int
    low, high = (
        _accepted(setting, setting.parse(end.strip())) for end in ends.split(BETWEEN, maxsplit=1)
    )
    if low >= high:
        raise ValueError(f"{value_text(low)} is not below {value_text(high)}")
    if how.strip() == LOG:
        if low <= 0:
            raise ValueError("a log range begins above 0")
        return Parameter(setting.name, low=low, high=high, log=True, whole=whole)
    if not colon:
        return Parameter(setting.name, low=low, high=high, whole=whole)
    step = _number(how, f"neither {LOG} nor a number")
    steps = (high - low) / step if step > 0 else 0.0
    if whole and not step.is_integer():
        raise ValueError(f"a step of {how} in whole numbers")
    if steps < 1 or abs(steps - round(steps)) > 1e-9:
        raise ValueError(f"steps of {how} do not lead from one end to the other")
    return Parameter(
        setting.name, low=low, high=high, step=int(step) if whole else step, whole=whole
    )


def _accepted(setting: Setting, value: Any) -> Any:
    try:
        found = setting.accept(value)
    except ValueError as error:
        raise ValueError(f"{shown(value)} {error}") from None
    if isinstance(found, tuple):
        raise ValueError(f"{setting.name} takes a list, and lists are not searched")
    return found


def _number(text: str, fault: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is {fault}") from None
    if not math.isfinite(value):
        raise ValueError(f"{shown(text)} is not finite")
    return value


def _idle(space: dict[str, Parameter], recipe: Recipe) -> Iterator[str]:
    """Fields whose values change nothing with this recipe."""
    for name, (other, value) in ACTS_WITH.items():
        section, key = other.split(".")
        if name in space and other not in space and getattr(getattr(recipe, section), key) != value:
            yield f'{name} acts only where {other} = "{value}"'
    for name in space:
        if name.startswith("lora.") and recipe.train.method == "classifier":
            yield f"{name} does not act where all weights are trained, as those of a classifier"


def _conflicts(
    space: dict[str, Parameter], base: Recipe, recipe: str | Path, overrides: Sequence[str]
) -> Iterator[str]:
    """What the recipe as a whole says against an end or a choice."""
    for name, parameter in space.items():
        # A multiple of the rank is checked with the least and the greatest rank.
        ranks = space[RANK].ends if name == ALPHA and RANK in space else [base.lora.rank]
        tried = [
            resolved({RANK: rank, ALPHA: value}, base) if name == ALPHA else {name: value}
            for value in parameter.ends
            for rank in ranks
        ]
        told: dict[str, None] = {}
        for values in tried:
            try:
                load_recipe(recipe, [*overrides, *as_words(values)])
            except PengadilError as error:
                told[error.wrong] = None
        yield from (f"{parameter}: {wrong}" for wrong in told)
