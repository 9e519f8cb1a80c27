"""What a sweep searches: fields of a recipe, and the values that each may take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from pengadil.recipe import Recipe
from pengadil.settings import toml_value, value_of

if TYPE_CHECKING:
    from optuna.trial import Trial

# What is drawn is trained with as it is shown, so it is rounded to what a table can show.
DIGITS = 3
RANK, ALPHA = "lora.rank", "lora.alpha"
TIMES = "x"  # lora.alpha=2x is twice the rank


@dataclass(frozen=True, slots=True)
class Parameter:
    """A field of the recipe with its `choices`, or with a range that both ends belong to.

    Of a range, `log` says that each factor is as likely as another, and `step` that only every
    so-manieth value counts. As text it is what `read_space` reads.
    """

    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: float | None = None
    whole: bool = False

    def __str__(self) -> str:
        if self.choices:
            return f"{self.name}={','.join(map(value_text, self.choices))}"
        how = ":log" if self.log else f":{value_text(self.step)}" if self.step else ""
        return f"{self.name}={value_text(self.low)}..{value_text(self.high)}{how}"

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that every other lies between, or all of them."""
        return self.choices or (self.low, self.high)

    def suggest(self, trial: Trial) -> Any:
        """The trial's value, drawn if it has none yet; a drawn float has three digits."""
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        if self.whole:
            low, high, step = int(self.low), int(self.high), int(self.step or 1)
            return trial.suggest_int(self.name, low, high, step=step, log=self.log)
        return self._rounded(
            trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.log)
        )

    def holds(self, value: Any) -> bool:
        """Whether the search could come to this value."""
        if self.choices:
            return value in self.choices
        if not self.low <= value <= self.high:
            return False
        steps = (value - self.low) / self.step if self.step else 0.0
        return abs(steps - round(steps)) < 1e-9 and (self.whole or self._rounded(value) == value)

    def _rounded(self, value: float) -> float:
        # Steps are added up with an error in the last places.
        rounded = float(f"{value:.{12 if self.step else DIGITS}g}")
        return min(max(rounded, self.low), self.high)


def value_text(value: Any) -> str:
    """A value as a command line takes it."""
    return value if isinstance(value, str) else toml_value(value)


def resolved(drawn: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """The fields' values: an alpha of 2x becomes twice the rank drawn, or that of the recipe."""
    values = dict(drawn)
    if isinstance(alpha := values.get(ALPHA), str):
        rank = values.get(RANK, recipe.lora.rank)
        values[ALPHA] = round(float(alpha.removesuffix(TIMES)) * rank)
    return values


def as_words(values: Mapping[str, Any]) -> list[str]:
    """The values as overrides on a command line."""
    return [word for name, value in values.items() for word in (f"--{name}", value_text(value))]


def own_values(space: Sequence[Parameter], recipe: Recipe) -> dict[str, Any] | None:
    """What the search would have to draw for the recipe as it is; None if it never can."""
    drawn: dict[str, Any] = {}
    for parameter in space:
        value = value_of(recipe, parameter.name)
        if parameter.name == ALPHA and isinstance(parameter.ends[0], str):
            fitting = [c for c in parameter.choices if resolved({ALPHA: c}, recipe)[ALPHA] == value]
            value = fitting[0] if fitting else None
        if value is None or not parameter.holds(value):
            return None
        drawn[parameter.name] = value
    return drawn


def grid(space: Sequence[Parameter]) -> list[dict[str, Any]]:
    """Every combination of the choices, the last field's changing fastest."""
    names = [parameter.name for parameter in space]
    combined = product(*(parameter.choices for parameter in space))
    return [dict(zip(names, values, strict=True)) for values in combined]


def default_space(recipe: Recipe) -> Iterator[str]:
    """What to search where no one says what: the settings that ORPO's users search by hand."""
    rate = recipe.train.learning_rate
    adapted = recipe.train.method != "classifier"
    if adapted:
        yield f"{RANK}=8,16,32,64"
        yield f"{ALPHA}=1x,2x,4x"
    yield f"train.learning_rate={float(f'{rate / 5:.2g}')!r}..{float(f'{rate * 5:.2g}')!r}:log"
    yield "train.weight_decay=0..0.1"
    if recipe.train.method == "orpo":
        yield "train.beta=0.05..0.5:log"
