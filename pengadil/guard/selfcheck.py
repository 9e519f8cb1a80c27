"""Without a document: several sampled answers to one question, judged against each other.

SelfCheckGPT (Manakul, Liusie and Gales, 2023, "SelfCheckGPT: Zero-Resource Black-Box Hallucination
Detection for Generative Large Language Models"): what a model knows it says again, what it makes
up comes out differently each time. It catches no mistake that a model always makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pengadil.errors import PengadilError
from pengadil.guard.claims import Claim
from pengadil.guard.long import Judged, support
from pengadil.guard.report import SAMPLES, ReadDocument, Report, SentenceVerdict, decide
from pengadil.guard.thresholds import Level
from pengadil.judges.base import ChatJudge, Judge, Sampling
from pengadil.judges.single import reasoning_of


def check_samples(samples: Sequence[str]) -> None:
    """PengadilError unless there are samples, all of them with text."""
    if isinstance(samples, str) or not samples:
        raise PengadilError("the samples", "there are none", "Give two or more answers, as a list.")
    for number, sample in enumerate(samples, start=1):
        if not sample.strip():
            raise PengadilError(f"sample {number}", "it is empty", "Leave it out.")


def together(
    answer: str,
    found: Sequence[Claim],
    samples: Sequence[str],
    judged: Sequence[Judged],
    level: Level,
    part_tokens: int,
    model: str,
) -> Report:
    """The report of judgements that stand claim by claim, and sample by sample within a claim."""
    count = len(samples)
    rows = [judged[count * row : count * (row + 1)] for row in range(len(found))]
    sentences = tuple(
        _verdict(answer, claim, row, level) for claim, row in zip(found, rows, strict=True)
    )
    return Report(
        answer=answer,
        decision=decide(sentences),
        threshold=level.threshold,
        threshold_source=level.source,
        sentences=sentences,
        documents=tuple(
            ReadDocument(len(sample), one.parts)
            for sample, one in zip(samples, rows[0], strict=True)
        ),
        part_tokens=part_tokens,
        model=model,
        seconds=round(sum(one.seconds for one in judged), 6),
        against=SAMPLES,
    )


def _verdict(answer: str, claim: Claim, judged: Sequence[Judged], level: Level) -> SentenceVerdict:
    """One claim over all samples; unreadable only where no sample could be read."""
    said = [support(one.judgement) for one in judged]
    mean = sum(max(0.0, value) for value in said) / len(said)
    readable = any(value >= 0 for value in said)
    verdict = int(mean >= 0.5) if readable else None
    supported = readable and mean >= level.threshold
    # The sample that speaks most clearly for what was decided.
    shown = (max if supported else min)(range(len(said)), key=said.__getitem__)
    evidence = judged[shown].evidence
    return SentenceVerdict(
        sentence=answer[claim.start : claim.end],
        start=claim.start,
        end=claim.end,
        verdict=verdict,
        probability=round(mean, 6) if readable else None,
        supported=supported,
        evidence=replace(evidence, document=shown) if evidence else None,
        parts=sum(one.looked_at for one in judged),
        reasoning=reasoning_of(judged[shown].judgement.raw),
    )


def answers_of(
    model: Judge | str,
    question: str | Sequence[dict[str, str]],
    samples: int,
    sampling: Sampling,
) -> tuple[str, list[str]]:
    """A model's greedy answer, and `samples` answers drawn with the seeds from `sampling.seed` on.

    Raises PengadilError for a model that writes no text, for fewer than one sample, for a
    temperature of 0, and where the model writes nothing.
    """
    if samples < 1:
        raise PengadilError(f"{samples} samples", "too few", "Give 1 or more; 5 say more.")
    if not sampling.temperature:
        raise PengadilError("temperature 0", "every sample would be the same", "Give 1.0, say.")
    if isinstance(model, str):
        from pengadil.judges.opening import open_judge

        model = open_judge(model)
    if not isinstance(model, ChatJudge):
        raise PengadilError(model.name, "it writes no free text", "Name a chat model.")
    messages = (
        [{"role": "user", "content": question}] if isinstance(question, str) else list(question)
    )
    drawings = [replace(sampling, temperature=0.0)]
    drawings += [replace(sampling, seed=sampling.seed + number) for number in range(samples)]
    answer, *drawn = ["".join(model.write(messages, drawing)).strip() for drawing in drawings]
    if not answer:
        raise PengadilError(model.name, "it wrote nothing", "Ask otherwise, or use another model.")
    return answer, [text for text in drawn if text]
