"""The figures of a model card: how well the run judged, and what each file costs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pengadil.data.bundled import EASY
from pengadil.export.source import Source
from pengadil.statistics import Interval, wilson
from pengadil.wording import DASH, interval_text, percent

COLUMNS = (
    *("file", "quantisation", "MB", "same verdicts", "accuracy", "95 % interval", "adapter's"),
    *("perplexity of answers", "adapter's perplexity"),
)
RESULTS = ("slice", "mode", "accuracy", "95 % interval", "n", "majority", "unreadable")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def file_row(name: str, entry: Mapping[str, Any]) -> list[str]:
    """A file's line under COLUMNS; `entry` is what export.json says of it."""
    rows = entry["rows"]
    stand_in = "" if entry["reference"] == "adapter" else f" ({entry['reference']})"
    return [
        name,
        entry["quantisation"],
        f"{entry['bytes'] / 1e6:,.0f}",
        f"{entry['agreeing']}/{rows}",
        percent(entry["correct"] / rows),
        interval_text(wilson(entry["correct"], rows)),
        percent(entry["adapter_correct"] / rows),
        f"{entry['perplexity']:.4f}",
        f"{entry['adapter_perplexity']:.4f}{stand_in}",
    ]


def files(entries: Mapping[str, Any]) -> str:
    """What each file's quantisation costs; `entries` are those of export.json."""
    return (
        f"{table(COLUMNS, [file_row(name, entry) for name, entry in entries.items()])}\n"
        f"Compared on the first rows of {EASY}, the bundled easy slice. Every file reads them as "
        "the same token ids as in training. Same verdicts: as the adapter gives on these rows. "
        "Perplexity: of the right answers to the first "
        f"{max(entry['answers'] for entry in entries.values())} of them; the nearer to the "
        "adapter's, the less was lost. (f16) beside it: the 16-bit file stood in for the adapter, "
        "which did not fit into memory.\n"
    )


def results(source: Source) -> str:
    """The run's own evaluation: the adapter's, before it became a file."""
    found = summaries(source)
    if not found:
        return "It has not been evaluated beyond the comparison below.\n"
    return (
        "The adapter, as evaluated after training (unreadable answers count as wrong; intervals by "
        "Wilson; majority: always the commonest answer):\n\n"
        f"{table(RESULTS, [_row(summary) for summary in found])}"
    )


def summaries(source: Source) -> list[dict[str, Any]]:
    """The adapter's own evaluations, by their folders; those that cannot be read are left out."""
    if source.run is None:
        return []
    files = sorted((source.run.folder / "evaluation").glob("*/summary.json"))
    read = (_read(file) for file in files if not file.parent.name.startswith("before-"))
    return [summary for summary in read if summary]


def above_majority(scores: Mapping[str, Any]) -> bool:
    """Whether the whole interval lies above the majority baseline, where that is known."""
    majority = scores["majority_accuracy"]
    return not majority or bool(scores["accuracy_interval"][0] > majority)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        summary: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        _row(summary)
        return summary if summary["model"].get("kind") == "transformers" else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _row(summary: Mapping[str, Any]) -> list[str]:
    scores = summary["scores"]
    return [
        summary["slice"]["name"],
        summary["mode"],
        percent(scores["accuracy"]),
        interval_text(Interval(*scores["accuracy_interval"])),
        str(scores["n"]),
        percent(scores["majority_accuracy"]) if scores["majority_accuracy"] else DASH,
        str(scores["unreadable"]),
    ]
