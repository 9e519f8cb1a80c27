"""What a training tells while it runs, and how it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

# Of each figure that weights are chosen by, whether more of it is better.
MORE_IS_BETTER = {"accuracy": True, "margin": True, "loss": False}


@dataclass(frozen=True, slots=True)
class Step:
    """What is known after an optimizer step: with the seconds so far, a line of log.jsonl.

    `accuracy` is of the labelled tokens, weighted (with loss "verdict", of the verdicts), or of
    the pairs whose chosen answer is preferred; None where the engine does not tell. `figures` are
    what a method measures besides.
    """

    step: int
    steps: int
    loss: float
    accuracy: float | None
    learning_rate: float  # the one this step was made with
    tokens: int  # of the rows up to here, counted as if each were computed alone
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Validation:
    """The model in training, measured on `n` held-out rows: a line of validation.jsonl.

    `metric` is a key of MORE_IS_BETTER; `low` and `high` bound its 95 % interval. `majority` is
    the accuracy of always giving the commonest label, None for other metrics. `best` says whether
    none before was better: then its weights are kept.
    """

    step: int
    metric: str
    value: float
    low: float
    high: float
    n: int
    majority: float | None = None
    best: bool = False
    figures: dict[str, float] = field(default_factory=dict)

    def better_than(self, other: Validation) -> bool:
        """Whether this is the better of two, by the metric alone."""
        if MORE_IS_BETTER[self.metric]:
            return self.value > other.value
        return self.value < other.value


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told of a training.

    `say` takes a notice in words. At `deadline`, a value of time.monotonic(), the training saves
    a checkpoint and stops; None lets it run.
    """

    on_step: Callable[[Step], None] = lambda step: None
    on_validation: Callable[[Validation], None] = lambda validation: None
    say: Callable[[str], None] = lambda text: None
    deadline: float | None = None
