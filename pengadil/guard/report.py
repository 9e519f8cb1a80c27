"""What the guard says of an answer, for programs and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

PASS, HAND_OVER = "pass", "hand_over"
DOCUMENTS, SAMPLES = "documents", "samples"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sentence that a verdict rests on: characters `start` to `end` of a document.

    `document` is its index among those given, from 0.
    """

    document: int
    sentence: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SentenceVerdict:
    """A sentence of the answer, at its characters `start` to `end`, and what the judge said of it.

    `verdict` is 1 where it agrees, 0 where it does not, None where the judge's answer could not
    be read; `probability` that of agreement, None where the mode gives none. `supported` says
    whether it stands at the guard's threshold; what cannot be read does not. `parts` counts the
    parts of the documents (or the sampled answers) that the judge was asked about.
    """

    sentence: str
    start: int
    end: int
    verdict: int | None
    probability: float | None
    supported: bool
    evidence: Evidence | None
    parts: int
    reasoning: str = ""


def decide(sentences: Sequence[SentenceVerdict]) -> str:
    """PASS where every sentence is supported, else HAND_OVER."""
    return PASS if all(sentence.supported for sentence in sentences) else HAND_OVER


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A document that was checked against: its length, and the parts it was cut into (1: none)."""

    characters: int
    parts: int


@dataclass(frozen=True, slots=True)
class Report:
    """An answer checked sentence by sentence.

    `decision` is "pass" where every sentence is supported, else "hand_over": a person should
    look. `threshold_source` says in words where the threshold comes from. Documents longer than
    `part_tokens` were cut into parts of at most so many. `against` is "documents" or "samples".
    `seconds` are the judge's, each row's share of its batch.
    """

    answer: str
    decision: str
    threshold: float
    threshold_source: str
    sentences: tuple[SentenceVerdict, ...]
    documents: tuple[ReadDocument, ...]
    part_tokens: int
    model: str
    seconds: float
    against: str = DOCUMENTS

    @property
    def unsupported(self) -> tuple[SentenceVerdict, ...]:
        """The sentences that a person should look at, the unreadable ones among them."""
        return tuple(sentence for sentence in self.sentences if not sentence.supported)

    @property
    def unreadable(self) -> tuple[SentenceVerdict, ...]:
        """The sentences of which the judge's answer could not be read."""
        return tuple(sentence for sentence in self.sentences if sentence.verdict is None)

    def as_dict(self) -> dict[str, Any]:
        """All of it as dictionaries and lists, with counts, ready for `json.dumps`."""
        counts = {
            "sentences": len(self.sentences),
            "unsupported": len(self.unsupported),
            "unreadable": len(self.unreadable),
        }
        return {"format": FORMAT, "decision": self.decision, "counts": counts, **asdict(self)}

    def to_json(self, indent: int | None = None) -> str:
        """`as_dict` as JSON, letters as they are."""
        return json.dumps(self.as_dict(), ensure_ascii=False, indent=indent)
