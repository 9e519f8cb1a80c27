"""Passage and question as the pair of texts that an encoder reads: in training and in judging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pengadil.errors import PengadilError
from pengadil.judges.base import check_lengths
from pengadil.records import Example


@dataclass(frozen=True, slots=True)
class Pair:
    """The model's inputs for one row, with special tokens and without padding.

    `inputs` holds lists of the same length: "input_ids", "attention_mask" and, where the tokenizer
    gives them, "token_type_ids". `cut` says that the end of the passage is missing.
    """

    inputs: dict[str, list[int]]
    cut: bool = False

    def __len__(self) -> int:
        return len(self.inputs["input_ids"])


def make_pair(example: Example, tokenizer: Any, length: int | None = None) -> Pair:
    """The pair of one example; with `length`, its passage is cut so that it has no more tokens."""
    limits = {} if length is None else {"truncation": "only_first", "max_length": length}
    # Not verbose: it would warn of each row that is too long for it.
    inputs = tokenizer(example.passage, example.question, verbose=False, **limits)
    return Pair(dict(inputs), cut=length is not None)


def fitting_pairs(
    examples: Sequence[Example], tokenizer: Any, context: int, cut: bool
) -> list[Pair]:
    """Each example's pair; those beyond the context cut, or refused with their ids.

    Raises PengadilError for these, and with `cut` for rows whose question leaves no room for any
    of the document.
    """
    pairs = [make_pair(example, tokenizer) for example in examples]
    ids = [example.id for example in examples]
    if not cut:
        try:
            check_lengths([pair.inputs["input_ids"] for pair in pairs], ids, 0, context)
        except PengadilError as error:
            raise PengadilError(
                error.found,
                error.wrong,
                "Use a model with a longer context, or set cut=True (evaluate.py: --cut): "
                "such rows are then judged by the beginning of their document alone.",
            ) from None
        return pairs
    rest = [
        _without_passage(pair, example, tokenizer) if len(pair) > context else 0
        for pair, example in zip(pairs, examples, strict=True)
    ]
    try:
        # Something of the document has to be left to read.
        check_lengths([range(length) for length in rest], ids, 1, context)
    except PengadilError as error:
        raise PengadilError(
            error.found,
            f"{error.wrong}, even without the document, and only that is cut",
            "Shorten the question.",
        ) from None
    return [
        make_pair(example, tokenizer, context) if len(pair) > context else pair
        for pair, example in zip(pairs, examples, strict=True)
    ]


def _without_passage(pair: Pair, example: Example, tokenizer: Any) -> int:
    """How many tokens a row has beside its passage."""
    alone = tokenizer(example.passage, add_special_tokens=False, verbose=False)
    return len(pair) - len(alone["input_ids"])
