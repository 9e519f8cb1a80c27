"""The one thread that owns the judge: takes rows from the line, and gives judgements back."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pengadil.errors import PengadilError
from pengadil.judges.base import Judge
from pengadil.serving.metrics import Metrics
from pengadil.serving.refusals import failed, stopping
from pengadil.serving.waiting import Line, Row

LOG = logging.getLogger("pengadil.serving")
# How long a batch that is being judged may hold up the end of the service.
LAST_BATCH_SECONDS = 10.0
SHOWN_PLACES = 6


class Worker:
    """Judges batches of up to `batch` rows until it is stopped; `wait` seconds for more rows.

    A row that the judge refuses or fails on is found by judging the batch in halves, and fails
    alone: whoever asked for the others gets their judgements.
    """

    def __init__(
        self, judge: Judge, line: Line, metrics: Metrics, batch: int = 32, wait: float = 0.005
    ) -> None:
        self._judge, self._line, self._metrics = judge, line, metrics
        self._batch, self._wait = batch, wait
        # A judge that never comes back must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name="judge", daemon=True)

    @property
    def ready(self) -> bool:
        """Whether rows are judged."""
        return self._thread.is_alive() and not self._line.closed

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Refuse what waits, and give the batch that is being judged some time to end."""
        self._line.close()
        if self._thread.is_alive():
            self._thread.join(LAST_BATCH_SECONDS)

    def _work(self) -> None:
        rows: Sequence[Row] = ()
        try:
            while rows := self._line.take(self._batch, self._wait):
                self._answer(rows)
        finally:
            # Whatever ended the thread, nobody waits for it.
            self._line.close()
            for row in rows:
                row.call.fail(stopping())

    def _answer(self, rows: Sequence[Row]) -> None:
        """Give each row its judgement, or fail its call."""
        rows = [row for row in rows if not row.call.future.done()]
        if not rows:
            return
        names = {f"row {number} of the batch": row for number, row in enumerate(rows)}
        try:
            self._judged(names)
        except Exception as error:
            if len(names) == 1:
                [(name, row)] = names.items()
                self._fail(row, name, error)
                return
            left = list(names.values())
            self._answer(left[: len(left) // 2])
            self._answer(left[len(left) // 2 :])

    def _judged(self, names: dict[str, Row]) -> None:
        """Judge the rows under these names, and take those that are done out of `names`."""
        call = next(iter(names.values())).call
        examples = [replace(row.example, id=name) for name, row in names.items()]
        self._metrics.batch_rows.observe(len(examples))
        for batch in self._judge.judge(examples, call.prompt, call.mode):
            for judgement in batch:
                row = names.pop(judgement.id)
                self._metrics.judged(judgement)
                row.call.give(row.place, replace(judgement, id=row.example.id))
            if all(row.call.future.done() for row in names.values()):
                return
        if names:
            raise RuntimeError("the judge left rows out")

    def _fail(self, row: Row, name: str, error: Exception) -> None:
        self._metrics.failed_rows.inc()
        if isinstance(error, PengadilError):
            found = error.found.replace(name, row.example.id)
            error = PengadilError(found, error.wrong, error.next_step)
        else:
            LOG.error("the judge failed on a row: %s", places(error))
            error = failed(error)
        row.call.fail(error)


def places(error: BaseException) -> str:
    """What an error is and where it came from, without its text, which may quote what was sent."""
    frames = traceback.extract_tb(error.__traceback__)[-SHOWN_PLACES:]
    lines = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return f"{type(error).__name__} at {' > '.join(lines) or 'an unknown place'}"
