"""The guard over answers with known labels, to a folder where stopped work goes on.

test/settings.json      written first: the model, prompt, mode, reading and rows of the answers
test/answers.jsonl      a line an answer of the test slice
validation/             the same of the answers that the threshold was chosen on, if it was
guard.json              the threshold that was chosen, as it is kept with the model
summary.json            what was measured; with it the work has finished
guard.md, guard.html, threshold.png
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.evaluation import refuse_other_settings
from pengadil.guard.answers import Known
from pengadil.guard.catching import Support
from pengadil.guard.guard import Guard
from pengadil.guard.report import Report, SentenceVerdict
from pengadil.guard.thresholds import FILE
from pengadil.records import Appender, drop_cut_line, read_jsonl, write_whole

SETTINGS, ANSWERS = "settings.json", "answers.jsonl"
TEST, VALIDATION = "test", "validation"
SUMMARY, REPORTS = "summary.json", ("guard.md", "guard.html", "threshold.png")
# Answers between two writings to the disk.
TOGETHER = 16

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row's statement in an answer: its gold label, and the least support of its sentences.

    `support` is None where the judge's answer to one of them could not be read.
    """

    id: str
    gold: int
    support: float | None
    evidence: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """An answer that was checked: its rows, and what it took."""

    id: str
    rows: tuple[CheckedRow, ...]
    parts: int
    seconds: float

    @property
    def support(self) -> Support:
        """The whole answer: right where all its rows are, supported as far as the least."""
        found = [row.support for row in self.rows]
        readable = [value for value in found if value is not None]
        least = min(readable) if len(readable) == len(found) else None
        return Support(min(row.gold for row in self.rows), least)


def clear(folder: Path) -> None:
    """Remove what `eval/guard.py` writes from a folder, and nothing else."""
    for name in (SUMMARY, *REPORTS, FILE):
        (folder / name).unlink(missing_ok=True)
    for part in (TEST, VALIDATION):
        for name in (ANSWERS, SETTINGS):
            (folder / part / name).unlink(missing_ok=True)


def check_answers(
    guard: Guard,
    answers: Sequence[Known],
    folder: Path,
    settings: dict[str, Any],
    on_progress: Progress,
) -> list[CheckedAnswer]:
    """Every answer checked, in their order; those that stand in the folder already are kept.

    `settings` are what has to be the same for answers to belong together: PengadilError where the
    folder holds those of others. `on_progress(answers done, answers)` is called at the start and
    after each few. Raises PengadilError as `Guard.check_many` does.
    """
    file = folder / ANSWERS
    if file.is_file():
        refuse_other_settings(folder, json.loads(json.dumps(settings)))
    else:
        write_json(folder / SETTINGS, settings)
    done = {one.id: one for one in read_checked(file)}
    rest = [answer for answer in answers if answer.id not in done]
    on_progress(len(done), len(answers))
    with Appender(file) as lines:
        for start in range(0, len(rest), TOGETHER):
            some = rest[start : start + TOGETHER]
            reports = guard.check_many((one.answer, one.documents) for one in some)
            checked = [_checked(one, report) for one, report in zip(some, reports, strict=True)]
            lines.add(checked)
            done |= {one.id: one for one in checked}
            on_progress(len(done), len(answers))
    return [done[answer.id] for answer in answers]


def read_checked(file: Path) -> list[CheckedAnswer]:
    """The answers of an answers.jsonl; a line that was cut off is removed."""
    if not file.is_file():
        return []
    drop_cut_line(file)
    return [
        CheckedAnswer(
            line["id"],
            tuple(CheckedRow(**row) for row in line["rows"]),
            line["parts"],
            line["seconds"],
        )
        for _, line in read_jsonl(file)
    ]


def row_supports(answers: Sequence[CheckedAnswer]) -> list[Support]:
    """Each row of the answers, to be caught or not."""
    return [Support(row.gold, row.support) for answer in answers for row in answer.rows]


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file as a whole."""
    write_whole(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def _checked(known: Known, report: Report) -> CheckedAnswer:
    rows = []
    for row, (start, end) in zip(known.rows, known.spans, strict=True):
        own = [one for one in report.sentences if start <= one.start < end]
        if not own:
            raise PengadilError(
                f"row {row.id}", "there is no sentence in its statement", "Leave that row out."
            )
        least = min(own, key=_support)
        rows.append(
            CheckedRow(
                id=row.id,
                gold=row.answer,
                support=None if any(one.verdict is None for one in own) else _support(least),
                evidence=least.evidence.sentence if least.evidence else "",
                group=row.group,
            )
        )
    return CheckedAnswer(
        known.id, tuple(rows), sum(one.parts for one in report.sentences), report.seconds
    )


def _support(sentence: SentenceVerdict) -> float:
    """Its probability, or its verdict in a mode that gives none; unreadable ones come first."""
    if sentence.verdict is None:
        return -1.0
    return float(sentence.verdict) if sentence.probability is None else sentence.probability
