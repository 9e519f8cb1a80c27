"""Whether reviewed rows are rows that judges are tested on: to train on them spoils the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pengadil.data.bundled import EASY, HARD, MIDDLE, load_bundled
from pengadil.data.entries import read_entries
from pengadil.data.overlap import Index
from pengadil.folders import find
from pengadil.records import Example
from pengadil.reviewing.rows import Work


def test_slice_of(work: Work) -> str:
    """The name of the test slice that the work is on, "" where it is on other rows."""
    return work.slice_name if work.slice_name in read_entries(find("eval", "slices")) else ""


def tested_on(rows: Sequence[Example]) -> Mapping[str, Sequence[str]]:
    """The ids of the rows that stand in a bundled test slice, by the slice's name."""
    found: dict[str, list[str]] = {}
    for grade in (EASY, MIDDLE, HARD):
        index = Index(load_bundled(grade, "test"))
        overlaps = [index.find(row) for row in rows]
        ids = [overlap.id for overlap in overlaps if overlap is not None and overlap.leak]
        if ids:
            found[grade] = ids
    return found


def warnings_on(work: Work, rows: Sequence[Example]) -> list[str]:
    """What to know before these rows are trained on; [] where there is nothing."""
    if not rows:
        return []
    test = test_slice_of(work)
    if test:
        return [
            f"these {len(rows):,} rows are of the test slice {test}. To train on them spoils it: "
            f"a score on {test} means nothing then, and train.py refuses them where the recipe "
            f"tests on it. {INSTEAD}"
        ]
    return [
        f"{len(ids):,} of {len(rows):,} rows stand in the test slice {name} ({', '.join(ids[:3])}"
        f"{' ...' * (len(ids) > 3)}). To train on them spoils it. {INSTEAD}"
        for name, ids in tested_on(rows).items()
    ]


INSTEAD = (
    "Review rows of your own (python scripts/judge.py MODEL ROWS.jsonl --out judged.jsonl) or of a "
    "validation split instead (python eval/evaluate.py MODEL --slice validation.jsonl)."
)
