"""An answer checked against documents, sentence by sentence, before anyone reads it.

    from pengadil import Guard
    guard = Guard("runs/latest")
    report = guard.check("Ali lahir di Ipoh. Ali seorang guru.", documents)
    report.decision        "pass", or "hand_over" to a person
    report.unsupported     the sentences that the documents do not support

docs/guard.md says what it catches and what it does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from threading import Lock
from typing import Any

from pengadil.errors import PengadilError
from pengadil.guard.claims import Claim, claims
from pengadil.guard.habits import reading_for
from pengadil.guard.long import Judged, judge_documents
from pengadil.guard.report import ReadDocument, Report, SentenceVerdict, decide
from pengadil.guard.selfcheck import answers_of, check_samples, together
from pengadil.guard.thresholds import Level, level_of
from pengadil.judges.base import SCORE, ChatJudge, Judge, Sampling, check_mode
from pengadil.judges.opening import DEFAULT_PROMPT, judge_prompt, open_judge
from pengadil.judges.single import reasoning_of
from pengadil.prompts import Prompt, load_prompt

Documents = str | Sequence[str]
# Answers whose sentences `check_many` hands to the judge together.
TOGETHER = 64


class Guard:
    """Judges every sentence of an answer against documents, and decides at a threshold.

    `model` is what `open_judge` takes, with its `settings`, or a judge that is open already; then
    `named` is the run folder or .gguf file that it is known by, where its prompt and the threshold
    chosen for it are looked up. `prompt` and `threshold` given here come first. A sentence is
    supported where the probability of agreement is at least `threshold`, or, in a mode that gives
    none, where the verdict is 1. `part_tokens` and `most_parts` are those of `Reading`; left out,
    they follow the judge (`habits.reading_for`).

    A guard that opened its judge lets one thread at a time ask it. A judge that was given is asked
    by as many threads as call. Raises PengadilError for a model or prompt that is not there, a mode
    the judge has not, and a threshold that is not from 0 to 1.
    """

    def __init__(
        self,
        model: str | Judge,
        *,
        prompt: str | Prompt | None = None,
        threshold: float | None = None,
        mode: str = SCORE,
        named: str | None = None,
        part_tokens: int | None = None,
        most_parts: int | None = None,
        **settings: Any,
    ) -> None:
        check_mode(mode)
        self.mode = mode
        name = model if isinstance(model, str) else named or ""
        self.prompt = prompt if isinstance(prompt, Prompt) else _prompt_of(name, prompt)
        self.level: Level = level_of(threshold, name, self.prompt, mode)
        if isinstance(model, str):
            self.judge = open_judge(model, **settings)
            self._turn: AbstractContextManager[Any] = Lock()
        else:
            self.judge, self._turn = model, nullcontext()
        self.judge.check(self.prompt.form, mode)
        self.reading = reading_for(
            name, self.judge, self.prompt, part_tokens=part_tokens, most_parts=most_parts
        )

    def check(self, answer: str, documents: Documents) -> Report:
        """The report on one answer. Raises PengadilError as `check_many` does."""
        return next(self.check_many([(answer, documents)]))

    async def acheck(self, answer: str, documents: Documents) -> Report:
        """`check` in a thread of its own, so that the event loop goes on."""
        return await asyncio.to_thread(self.check, answer, documents)

    def check_many(self, pairs: Iterable[tuple[str, Documents]]) -> Iterator[Report]:
        """A report for each (answer, documents), in their order.

        All sentences of many answers are judged together, and the pairs are taken as they are
        needed. Raises PengadilError for an answer without a sentence, for documents without text,
        and for a sentence that leaves no room for a document in the judge's context.
        """
        left = iter(pairs)
        while some := list(islice(left, TOGETHER)):
            yield from self._reports([(answer, _several(given)) for answer, given in some])

    def self_check(self, answer: str, samples: Sequence[str]) -> Report:
        """The report on an answer checked against other answers to the same question.

        For when there is no document: what a model makes up, it makes up differently each time
        (SelfCheckGPT, Manakul et al., 2023). Each sentence is judged against each sample; its
        probability is the mean of their support, and an answer that cannot be read supports
        nothing. The threshold chosen for documents is not meant for this mean, so it is 0.5 unless
        one was given. Raises PengadilError as `check` does.
        """
        check_samples(samples)
        found = _claims(answer)
        rows = [((sample,), claim.text) for claim in found for sample in samples]
        judged = self._ask(rows)
        level = self.level.for_samples()
        tokens, name = self.reading.part_tokens, self.judge.name
        return together(answer, found, samples, judged, level, tokens, name)

    def sample_and_check(
        self,
        question: str | Sequence[dict[str, str]],
        writer: ChatJudge | str | None = None,
        *,
        samples: int = 5,
        temperature: float = 1.0,
        most_tokens: int = 512,
        seed: int = 0,
    ) -> Report:
        """An answer written by a model, checked against further answers of that model.

        The answer is written greedily, the `samples` are drawn at `temperature`, each with a seed
        of its own from `seed` on. `question` is the user's message, or all messages so far.
        `writer` is a chat model; without one the judge itself writes, which suits a model that was
        not trained to judge. Raises PengadilError for a writer that writes no text.
        """
        model: Judge | str = self.judge if writer is None else writer
        drawing = Sampling(most_tokens, temperature, seed)
        answer, drawn = answers_of(model, question, samples, drawing)
        return self.self_check(answer, drawn)

    def _reports(self, pairs: Sequence[tuple[str, Sequence[str]]]) -> Iterator[Report]:
        found = [_claims(answer) for answer, _ in pairs]
        rows = [
            (documents, claim.text)
            for (_, documents), some in zip(pairs, found, strict=True)
            for claim in some
        ]
        judged = iter(self._ask(rows))
        for (answer, documents), some in zip(pairs, found, strict=True):
            yield self._report(answer, documents, some, [next(judged) for _ in some])

    def _ask(self, rows: Sequence[tuple[Sequence[str], str]]) -> list[Judged]:
        with self._turn:
            return judge_documents(self.judge, self.prompt, rows, self.mode, self.reading)

    def _report(
        self,
        answer: str,
        documents: Sequence[str],
        found: Sequence[Claim],
        judged: Sequence[Judged],
    ) -> Report:
        sentences = tuple(
            SentenceVerdict(
                sentence=answer[claim.start : claim.end],
                start=claim.start,
                end=claim.end,
                verdict=one.judgement.verdict,
                probability=one.judgement.probability,
                supported=self.level.supports(one.judgement),
                evidence=one.evidence,
                parts=one.looked_at,
                reasoning=reasoning_of(one.judgement.raw),
            )
            for claim, one in zip(found, judged, strict=True)
        )
        return Report(
            answer=answer,
            decision=decide(sentences),
            threshold=self.level.threshold,
            threshold_source=self.level.source,
            sentences=sentences,
            documents=tuple(
                ReadDocument(len(text), parts)
                for text, parts in zip(documents, judged[0].parts_of, strict=True)
            ),
            part_tokens=self.reading.part_tokens,
            model=self.judge.name,
            seconds=round(sum(one.seconds for one in judged), 6),
        )


def _prompt_of(name: str, given: str | None) -> Prompt:
    """The prompt that was given by its name, else the model's own, else the usual one."""
    return judge_prompt(name, given) if name else load_prompt(given or DEFAULT_PROMPT)


def _claims(answer: str) -> list[Claim]:
    found = claims(answer)
    if not found:
        raise PengadilError("the answer", "there is no sentence in it", "Give it some text.")
    return found


def _several(documents: Documents) -> Sequence[str]:
    return (documents,) if isinstance(documents, str) else tuple(documents)
