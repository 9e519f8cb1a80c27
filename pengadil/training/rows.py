"""Examples to token ids, labels and loss weights: both engines train on these same rows."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, TypeVar

from pengadil.errors import PengadilError
from pengadil.prompts import Prompt
from pengadil.records import Example
from pengadil.tokens import Encoder

IGNORED = -100  # the label that torch's cross-entropy leaves out

Row = TypeVar("Row", bound="AnyRow")


class AnyRow(Protocol):
    """What the rows of every method have."""

    @property
    def id(self) -> str: ...

    @property
    def group(self) -> str: ...

    @property
    def ids(self) -> list[int]: ...

    @property
    def size(self) -> int: ...


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One example as the model sees it.

    `ids` is prompt and answer; `labels` is `ids` where a loss is taken and -100 elsewhere (the
    whole prompt, and with loss "verdict" all but the verdict); `weights` is how much each
    position's loss counts. All three have the same length. `group` is what the rows of one
    document share.
    """

    id: str
    group: str
    ids: list[int]
    labels: list[int]
    weights: list[float]

    @property
    def size(self) -> int:
        """How many tokens are computed for it."""
        return len(self.ids)


def make_rows(
    examples: Sequence[Example],
    prompt: Prompt,
    encoder: Encoder,
    max_length: int,
    loss: str,
    verdict_weight: float = 1.0,
    left_out: list[str] | None = None,
) -> list[TrainingRow]:
    """The rows of the examples, in order.

    Rows longer than `max_length` go as `fitting` says. Raises PengadilError with the ids of rows
    without the reasoning that the prompt asks for.
    """
    if prompt.answer == "reasoning":
        _refuse(
            [example.id for example in examples if not example.reasoning],
            "no reasoning to train on",
            "Fill the field 'reasoning', or use a verdict prompt.",
        )
    rows = [_make_row(example, prompt, encoder, loss, verdict_weight) for example in examples]
    return fitting(rows, max_length, left_out)


def fitting(
    rows: Sequence[Row],
    max_length: int,
    left_out: list[str] | None,
    length: Callable[[Row], int] = lambda row: len(row.ids),
) -> list[Row]:
    """The rows of at most `max_length` tokens; the ids of the others are added to `left_out`.

    A cut row would lose its answer, which stands at the end. So where `left_out` is None, longer
    rows are a PengadilError with their ids.
    """
    long = [row for row in rows if length(row) > max_length]
    if left_out is None:
        _refuse(
            [f"{row.id} ({length(row)} tokens)" for row in long],
            f"longer than data.max_length = {max_length}, so the answer would be cut",
            "Raise --data.max_length, remove these rows, or leave them out with --data.long drop.",
        )
    else:
        left_out += [row.id for row in long]
    return [row for row in rows if length(row) <= max_length]


def _make_row(
    example: Example, prompt: Prompt, encoder: Encoder, loss: str, verdict_weight: float
) -> TrainingRow:
    asked = encoder.prompt(prompt, example)
    reasoning = example.reasoning if prompt.answer == "reasoning" else None
    answer = encoder.completion(example.answer, reasoning)
    verdict = encoder.verdict.one if example.answer else encoder.verdict.zero
    # The last verdict token is the verdict: a reasoning may hold the same digit before it.
    at = len(answer) - 1 - answer[::-1].index(verdict)
    if loss == "verdict":
        labels = [IGNORED] * len(answer)
        labels[at] = answer[at]
    else:
        labels = list(answer)
    weights = [float(label != IGNORED) for label in labels]
    if loss == "weighted":
        weights[at] = verdict_weight
    return TrainingRow(
        id=example.id,
        group=example.passage,
        ids=asked + answer,
        labels=[IGNORED] * len(asked) + labels,
        weights=[0.0] * len(asked) + weights,
    )


def _refuse(ids: list[str], wrong: str, next_step: str) -> None:
    if ids:
        more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
        raise PengadilError(f"{len(ids)} rows: {', '.join(ids[:5])}{more}", wrong, next_step)


def epoch_order(sources: Sequence[Sequence[AnyRow]], order: str, seed: int) -> list[int]:
    """The order of one epoch, as indices into the sources' rows laid end to end.

    Documents are shuffled; the rows of one document stay together, so that an engine may compute
    the document once for all of them. With `order` "listed" the sources stay one after another.
    """
    chooser = random.Random(seed)
    starts = [0]
    for source in sources:
        starts.append(starts[-1] + len(source))
    spans = [range(start, end) for start, end in pairwise(starts)]
    if order == "shuffled":
        spans = [range(starts[-1])]
    rows = [row for source in sources for row in source]
    ordered: list[int] = []
    for span in spans:
        groups: dict[str, list[int]] = {}
        for index in span:
            groups.setdefault(rows[index].group, []).append(index)
        documents = list(groups.values())
        chooser.shuffle(documents)
        ordered += [index for document in documents for index in document]
    return ordered


def training_order(
    sources: Sequence[Sequence[AnyRow]], order: str, seed: int, rows: int
) -> list[int]:
    """The first `rows` indices of as many epochs as that takes, each in an order of its own."""

    def epochs() -> Iterable[int]:
        epoch = 0
        while True:
            yield from epoch_order(sources, order, seed + epoch)
            epoch += 1

    return list(_first(epochs(), rows))


def _first(items: Iterable[int], count: int) -> Iterator[int]:
    for number, item in enumerate(items):
        if number == count:
            return
        yield item
