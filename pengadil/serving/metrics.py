"""What Prometheus may know: counts and times, never a text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pengadil.records import Judgement

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The service's own registry; `depth` tells how many rows wait."""

    def __init__(self, depth: Callable[[], float]) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry: Any = CollectorRegistry()
        inside: dict[str, Any] = {"registry": self._registry}
        self.requests = Counter(
            "pengadil_requests", "Requests by route and status.", ["route", "status"], **inside
        )
        self.seconds = Histogram(
            "pengadil_request_seconds",
            "Seconds from a request's head to its answer.",
            ["route"],
            buckets=SECONDS,
            **inside,
        )
        self.rows = Counter(
            "pengadil_rows_judged", "Rows judged, by verdict.", ["verdict"], **inside
        )
        self.failed_rows = Counter(
            "pengadil_rows_failed", "Rows that the judge refused or failed on.", **inside
        )
        self.batch_rows = Histogram(
            "pengadil_batch_rows", "Rows in one call of the judge.", buckets=ROWS, **inside
        )
        self.decisions = Counter(
            "pengadil_decisions", "Answers checked, by decision.", ["decision"], **inside
        )
        self.running = Gauge("pengadil_requests_running", "Requests being answered.", **inside)
        Gauge("pengadil_queue_rows", "Rows that wait for the judge.", **inside).set_function(depth)

    def judged(self, judgement: Judgement) -> None:
        """Count one row."""
        verdict = "unreadable" if judgement.verdict is None else str(judgement.verdict)
        self.rows.labels(verdict).inc()

    def text(self) -> tuple[bytes, str]:
        """The page that Prometheus reads, and its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._registry), CONTENT_TYPE_LATEST
