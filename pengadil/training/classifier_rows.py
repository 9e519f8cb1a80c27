"""Examples to the rows that an encoder classifier trains on: the pairs that it will judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pengadil.errors import PengadilError
from pengadil.judges.pairs import make_pair
from pengadil.records import Example
from pengadil.training.rows import fitting


@dataclass(frozen=True, slots=True)
class ClassifierRow:
    """One example as the encoder sees it.

    `inputs` holds lists of the same length: "input_ids", "attention_mask" and, where the tokenizer
    gives them, "token_type_ids". `label` is 1 where document and statement agree. `group` is what
    the rows of one document share.
    """

    id: str
    group: str
    inputs: dict[str, list[int]]
    label: int

    @property
    def ids(self) -> list[int]:
        return self.inputs["input_ids"]

    @property
    def size(self) -> int:
        return len(self.ids)


def make_classifier_rows(
    examples: Sequence[Example],
    tokenizer: Any,
    max_length: int,
    left_out: list[str] | None = None,
) -> list[ClassifierRow]:
    """The rows of the examples, in order; of those too long, see `fitting`.

    They have at most `max_length` tokens, or fewer where the tokenizer says that the model reads
    fewer. None is cut, as a judge may cut it: what decides could be in the part that is missing,
    and the label would then teach something wrong. Raises PengadilError for a tokenizer without
    padding.
    """
    if tokenizer.pad_token is None:
        raise PengadilError("the tokenizer", "it has no padding", "Use an encoder's own tokenizer.")
    rows = [
        ClassifierRow(
            id=example.id,
            group=example.passage,
            inputs=make_pair(example, tokenizer).inputs,
            label=example.answer,
        )
        for example in examples
    ]
    readable = int(tokenizer.model_max_length)
    try:
        return fitting(rows, min(max_length, readable), left_out)
    except PengadilError as error:
        if readable < max_length:
            wrong = f"longer than the {readable} tokens that the model reads"
            next_step = "Remove these rows, or leave them out with --data.long drop."
            raise PengadilError(error.found, wrong, next_step) from None
        wrong = f"longer than data.max_length = {max_length}"
        raise PengadilError(error.found, wrong, error.next_step) from None
