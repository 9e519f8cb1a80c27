"""What the routes answer, as /openapi.json describes it."""

from __future__ import annotations

from dataclasses import dataclass

from pengadil.guard.report import Evidence


@dataclass(frozen=True)
class JudgeAnswer:
    """What the judge said of one statement.

    `verdict` is 1 (agrees), 0 (does not) or null (the judge's answer cannot be read),
    `probability` that of verdict 1, and `rule` says how the verdict was read. `evidence` is the
    sentence that it rests on, from character `start` to `end` of the document. `parts` is how many
    parts the document was cut into, and `looked_at` how many of them were judged: the one that
    supports the statement most decides.
    """

    verdict: int | None
    probability: float | None
    rule: str
    reasoning: str
    evidence: Evidence | None
    parts: int
    looked_at: int


@dataclass(frozen=True)
class Fault:
    """What was found, what is wrong with it, and what to do next."""

    found: str
    wrong: str
    next: str


@dataclass(frozen=True)
class ErrorAnswer:
    """Why there is no other answer."""

    error: Fault


JudgeAnswers = JudgeAnswer | list[JudgeAnswer | ErrorAnswer]
