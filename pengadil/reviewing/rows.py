"""What is reviewed: a judge's rows with their texts, bound to the judge and the rows it judged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from pengadil.judges.single import reasoning_of
from pengadil.records import Example, Judgement

# They change no verdict: prices turn tokens into a cost, and another machine has other threads.
FREE = ("prices", "threads")


@dataclass(frozen=True, slots=True)
class Row:
    """A row to review: its texts, and what the judge said of them.

    `judgement.gold` is None where the row has no label; `example.answer` means nothing then.
    """

    example: Example
    judgement: Judgement

    @property
    def id(self) -> str:
        return self.judgement.id

    @property
    def verdict(self) -> int | None:
        """The judge's: 1, 0, or None for an answer that could not be read."""
        return self.judgement.verdict

    @property
    def reasoning(self) -> str:
        """The judge's, "" where it gave none."""
        return reasoning_of(self.judgement.raw)

    @property
    def text_sha256(self) -> str:
        """Of document and statement, in hexadecimal."""
        texts = json.dumps([self.example.passage, self.example.question])
        return sha256(texts.encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class Work:
    """The rows of one judge that people review.

    `rows` are in the order in which they are offered (see doubt.py). Reviews lie in `folder`.
    `slice_name` and `slice_sha256` say which rows were judged, `judge_sha256` by what: model,
    prompt and mode. `prompt` is summary.json's, by name and hash; {} where none is named.
    """

    title: str
    folder: Path
    model: str
    slice_name: str
    slice_sha256: str
    judge_sha256: str
    prompt: Mapping[str, Any]
    rows: Sequence[Row]
    by_id: Mapping[str, Row] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", {row.id: row for row in self.rows})


def judge_sha256(settings: Mapping[str, Any]) -> str:
    """SHA-256 of what a row's answer depends on: model, prompt and mode, in hexadecimal."""
    model = settings.get("model")
    known = dict(model) if isinstance(model, dict) else {}
    prompt = settings.get("prompt")
    asked = prompt.get("sha256") if isinstance(prompt, dict) else None
    same = [
        {key: value for key, value in known.items() if key not in FREE},
        asked,
        settings.get("mode"),
    ]
    return sha256(json.dumps(same, sort_keys=True).encode("ascii")).hexdigest()
