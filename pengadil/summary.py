"""The scores of a results folder, beside what can be had without reading: summary.json's heart."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pengadil.data.bundled import EASY, HARD, MIDDLE, load_bundled
from pengadil.data.slices import Slice
from pengadil.errors import PengadilError
from pengadil.records import Example, Judgement
from pengadil.statistics import (
    SLICE_KEYS,
    mcnemar,
    rule_counts,
    scores,
    scores_by,
    scores_by_length,
    wilson,
)
from pengadil.usage import usage

# What the overlap baseline of a bundled slice learns from: as many rows again as a long training.
BASELINE_ROWS = 3000
BASELINE_GRADES = {EASY: EASY, MIDDLE: MIDDLE, HARD: MIDDLE}


def scored(
    judgements: Sequence[Judgement],
    overlap: Sequence[Judgement],
    trained_on: str,
    *,
    prices: Mapping[str, Any] | None = None,
    wall_seconds: float | None = None,
) -> dict[str, Any]:
    """The keys `scores`, `rules`, `by`, `baselines` and `usage` of a summary.json.

    `overlap` is the overlap baseline's answers to the same rows, in any order; none of them
    makes that baseline null. `prices` and `wall_seconds` are those of `usage`.
    """
    whole = scores(judgements)
    by = {key: scores_by(judgements, key) for key in SLICE_KEYS}
    by["label"] = scores_by([row for row in judgements if row.gold is not None], _label)
    by["length"] = scores_by_length(judgements)
    low, high = wilson(round((whole.majority_accuracy or 0) * whole.n), whole.n)
    return {
        "scores": whole.as_dict(),
        "rules": rule_counts(judgements),
        "by": {
            key: {name: part.as_dict() for name, part in parts.items()} for key, parts in by.items()
        },
        "baselines": {
            "majority": {
                "label": whole.majority_label,
                "accuracy": whole.majority_accuracy,
                "low": low,
                "high": high,
                "mcnemar": _comparison(**asdict(whole.against_majority)),
            },
            "overlap": _overlap(judgements, overlap, trained_on) if overlap else None,
        },
        "usage": usage(judgements, prices, wall_seconds).as_dict(),
    }


def baseline_rows(test: Slice) -> list[Example] | None:
    """Training rows for a bundled slice's overlap baseline; None for any other slice.

    The hand-written slice has no training rows, so it takes those of the middle grade.
    """
    grade = BASELINE_GRADES.get(test.name)
    return load_bundled(grade, "train", BASELINE_ROWS) if grade else None


def overlap_judgements(train: Sequence[Example], test: Sequence[Example]) -> list[Judgement]:
    """The overlap baseline's answer to each test row."""
    from pengadil.baselines import overlap_baseline

    return [
        Judgement(
            id=example.id,
            gold=example.answer,
            verdict=label,
            rule="overlap",
            language=example.language,
            source=example.source,
            group=example.group,
        )
        for example, label in zip(test, overlap_baseline(train, test), strict=True)
    ]


def trained_on(rows: Sequence[Example]) -> str:
    """Rows in words: "3,000 rows of contoh"."""
    sources = sorted({row.source for row in rows if row.source})
    return f"{len(rows):,} rows" + (f" of {', '.join(sources)}" if sources else "")


def git_commit() -> str | None:
    """The commit of the checkout that this package lies in; None without git or a checkout."""
    command = ["git", "rev-parse", "HEAD", "--show-prefix"]
    try:
        answer = subprocess.run(
            command,
            cwd=Path(__file__).resolve().parent,
            capture_output=True,
            encoding="utf-8",
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    commit, _, prefix = answer.stdout.strip().partition("\n")
    # Installed in an environment inside some other project, it is not of that project's commit.
    return commit if prefix == f"{Path(__file__).resolve().parent.name}/" else None


def _label(row: Judgement) -> str:
    return str(row.gold)


def _overlap(
    judgements: Sequence[Judgement], overlap: Sequence[Judgement], trained_on: str
) -> dict[str, Any]:
    baseline = {row.id: row for row in overlap}
    missing = [row.id for row in judgements if row.id not in baseline]
    if missing:
        raise PengadilError(
            "overlap.jsonl", f"no row {missing[0]!r}", "Evaluate again with --fresh."
        )
    pairs = [(row, baseline[row.id]) for row in judgements if row.gold is not None]
    right = [row.verdict == row.gold for row, _ in pairs]
    baseline_right = [answer.verdict == row.gold for row, answer in pairs]
    low, high = wilson(sum(baseline_right), len(pairs))
    return {
        "accuracy": sum(baseline_right) / len(pairs) if pairs else None,
        "low": low,
        "high": high,
        "trained_on": trained_on,
        "mcnemar": _comparison(**asdict(mcnemar(right, baseline_right))),
    }


def _comparison(only_a: int, only_b: int, p_value: float) -> dict[str, Any]:
    return {"only_judge": only_a, "only_baseline": only_b, "p_value": p_value}
