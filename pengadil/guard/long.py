"""A statement against documents of any length: which parts are judged, and whose verdict stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pengadil.guard.evidence import find_evidence
from pengadil.guard.reading import Place, Reader, Reading
from pengadil.guard.report import Evidence
from pengadil.judges.base import SCORE, Judge
from pengadil.prompts import Prompt
from pengadil.records import Example, Judgement

DEFAULT_READING = Reading()
Asked = tuple[Sequence[str], str]


@dataclass(frozen=True, slots=True)
class Judged:
    """The judgement that stands, and what it rests on.

    It was made on part `part` (from 0) of the document with index `document`: its characters from
    `span[0]` to `span[1]`. `parts_of` counts each document's parts, 1 for one that was read whole.
    `looked_at` is the number of parts, of all documents, that the judge was asked about, and
    `seconds` what those took.
    """

    judgement: Judgement
    evidence: Evidence | None
    part: int
    parts_of: tuple[int, ...]
    document: int
    span: tuple[int, int]
    looked_at: int
    seconds: float

    @property
    def parts(self) -> int:
        """How many parts the document has whose verdict stands."""
        return self.parts_of[self.document]


def judge_document(
    judge: Judge,
    prompt: Prompt,
    document: str,
    statement: str,
    mode: str = SCORE,
    reading: Reading = DEFAULT_READING,
) -> Judged:
    """One statement against one document; see `judge_documents`."""
    return judge_documents(judge, prompt, [((document,), statement)], mode, reading)[0]


def judge_documents(
    judge: Judge,
    prompt: Prompt,
    asked: Sequence[Asked],
    mode: str = SCORE,
    reading: Reading = DEFAULT_READING,
) -> list[Judged]:
    """What the judge says of each (documents, statement); one `judge.judge` call for all of them.

    Of the parts of all documents the most relevant are judged, and the one that supports the
    statement most decides, as in SummaC (Laban et al., 2022) and AlignScore (Zha et al., 2023).
    Of 150 validation rows in documents of 427 tokens, cut into parts of 64, this got 92.7 % right
    (95 % interval 87.3–95.9), whether four parts were judged or all; the part furthest from 0.5
    85.3 % (78.8–90.1), the most relevant 94.7 % (89.8–97.3). Uncut, 70.7 % were (62.9–77.4).

    Raises PengadilError for documents without text, for a statement that leaves no room for a
    document in the judge's context, and as `Judge.judge` does.
    """
    reader = Reader(judge, prompt, mode, reading)
    places = [reader.places(documents, statement) for documents, statement in asked]
    chosen = [
        [found[index] for index in reader.relevant(found, documents, statement)]
        for found, (documents, statement) in zip(places, asked, strict=True)
    ]
    examples = [
        Example(f"{row}-{number}", place.part.text, statement, answer=0)
        for row, ((_, statement), few) in enumerate(zip(asked, chosen, strict=True))
        for number, place in enumerate(few)
    ]
    said = {one.id: one for batch in judge.judge(examples, prompt, mode) for one in batch}
    return [
        _judged(
            documents,
            statement,
            places[row],
            chosen[row],
            [said[f"{row}-{number}"] for number in range(len(chosen[row]))],
        )
        for row, (documents, statement) in enumerate(asked)
    ]


def decisive(judgements: Sequence[Judgement]) -> int:
    """The index of the judgement that stands: the one of highest support, of equal ones the first.

    One that cannot be read stands only where none can be.
    """
    return max(range(len(judgements)), key=lambda index: support(judgements[index]))


def support(judgement: Judgement) -> float:
    """How far a judgement supports its statement: 0 to 1, and -1 where it cannot be read.

    The probability of verdict 1, or the verdict itself where the mode gives none.
    """
    if judgement.verdict is None:
        return -1.0
    return judgement.verdict if judgement.probability is None else judgement.probability


def _judged(
    documents: Sequence[str],
    statement: str,
    places: Sequence[Place],
    few: Sequence[Place],
    judgements: Sequence[Judgement],
) -> Judged:
    best, counts = decisive(judgements), Counter(one.document for one in places)
    place = few[best]
    # What supports a statement stands in the part that decided; what contradicts it, anywhere.
    looked = [place] if judgements[best].verdict else few
    evidence = find_evidence(
        statement,
        [(one.document, documents[one.document], one.part.start, one.part.end) for one in looked],
    )
    return Judged(
        judgement=judgements[best],
        evidence=evidence,
        part=place.number,
        parts_of=tuple(counts[index] for index in range(len(documents))),
        document=place.document,
        span=(place.part.start, place.part.end),
        looked_at=len(few),
        seconds=sum(one.seconds for one in judgements),
    )
