"""What the routes ask for: the judge and the guard, on one worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pengadil import __version__
from pengadil.errors import PengadilError
from pengadil.guard.guard import Guard
from pengadil.guard.long import Judged, judge_documents
from pengadil.judges.base import SCORE, Judge
from pengadil.judges.single import reasoning_of
from pengadil.prompts import Prompt
from pengadil.serving.answers import JudgeAnswer
from pengadil.serving.apart import apart
from pengadil.serving.asked import CheckRequest, JudgeRequest, check_text
from pengadil.serving.metrics import Metrics
from pengadil.serving.refusals import as_error
from pengadil.serving.shared import SharedJudge
from pengadil.serving.waiting import Line
from pengadil.serving.worker import Worker


class Service:
    """A judge, and a guard built on it, for as many threads as ask.

    `named` is the run folder or .gguf that the judge is known by, where the guard looks up the
    threshold chosen for it. `batch` rows are judged at most at a time, and `wait` seconds are
    waited for others. Raises PengadilError for a mode that the judge does not have, and for a
    threshold that is none.
    """

    def __init__(
        self,
        judge: Judge,
        prompt: Prompt,
        mode: str = SCORE,
        *,
        threshold: float | None = None,
        named: str | None = None,
        batch: int = 32,
        wait: float = 0.005,
    ) -> None:
        line = Line()
        self.version = __version__
        self.metrics = Metrics(line.depth)
        self._worker = Worker(judge, line, self.metrics, batch, wait)
        self._judge = SharedJudge(judge, line)
        self._guard = Guard(self._judge, prompt=prompt, threshold=threshold, mode=mode, named=named)

    def start(self) -> None:
        """Judge what is asked from now on."""
        self._worker.start()

    def stop(self) -> None:
        """Refuse what waits; the batch that is being judged may end."""
        self._worker.stop()

    @property
    def ready(self) -> bool:
        """Whether rows are judged."""
        return self._worker.ready

    def health(self) -> dict[str, Any]:
        """Whether rows are judged, and by what."""
        prompt = self._guard.prompt
        return {
            "ready": self.ready,
            "model": self._judge.name,
            "prompt": prompt.name,
            "prompt_sha256": prompt.sha256,
            "mode": self._guard.mode,
            "threshold": self._guard.level.threshold,
            "version": self.version,
        }

    def check(self, asked: CheckRequest) -> dict[str, Any]:
        """The guard's report on an answer.

        Raises PengadilError as `Guard.check` does, and for texts that are none.
        """
        check_text("answer", asked.answer)
        several = [asked.documents] if isinstance(asked.documents, str) else asked.documents
        if not several:
            raise PengadilError("documents", "the list is empty", "Send at least one document.")
        for number, document in enumerate(several):
            check_text("documents" if len(several) == 1 else f"documents.{number}", document)
        report = self._guard.check(asked.answer, several)
        self.metrics.decisions.labels(report.decision).inc()
        return report.as_dict()

    def judge(self, asked: JudgeRequest) -> dict[str, Any]:
        """What the judge says of one statement, as a JudgeAnswer; PengadilError for bad input."""
        [found] = self._judged([asked])
        return found

    def judge_all(self, asked: Sequence[JudgeRequest]) -> list[dict[str, Any]]:
        """What the judge says of each statement, and for a bad one its error."""
        return [
            as_error(found) if isinstance(found, PengadilError) else found
            for found in apart(asked, self._judged)
        ]

    def _judged(self, asked: Sequence[JudgeRequest]) -> list[dict[str, Any]]:
        for one in asked:
            check_text("document", one.document)
            check_text("statement", one.statement)
        rows = [((one.document,), one.statement.strip()) for one in asked]
        guard = self._guard
        found = judge_documents(self._judge, guard.prompt, rows, guard.mode, guard.reading)
        return [asdict(_answer(one)) for one in found]


def _answer(judged: Judged) -> JudgeAnswer:
    said = judged.judgement
    return JudgeAnswer(
        verdict=said.verdict,
        probability=said.probability,
        rule=said.rule,
        reasoning=reasoning_of(said.raw),
        evidence=judged.evidence,
        parts=judged.parts,
        looked_at=judged.looked_at,
    )
