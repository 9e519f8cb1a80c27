"""What `eval/guard.py` does: a threshold chosen on validation answers, and measured on a test."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pengadil.data.bundled import load_bundled
from pengadil.data.slices import Slice, load_slice
from pengadil.data.sources import leaks, load_rows, rows_sha256
from pengadil.errors import PengadilError
from pengadil.evaluation import default_folder
from pengadil.folders import find
from pengadil.guard.answers import make_answers
from pengadil.guard.catching import catching, check_criterion, choose
from pengadil.guard.guard import Guard
from pengadil.guard.measuring import (
    REPORTS,
    SUMMARY,
    TEST,
    VALIDATION,
    CheckedAnswer,
    check_answers,
    clear,
    row_supports,
    write_json,
)
from pengadil.guard.page import guard_page, headline, results_section, threshold_picture
from pengadil.guard.thresholds import FILE, Chosen, threshold_file, write_chosen
from pengadil.judges.base import SCORE
from pengadil.judges.opening import judge_prompt
from pengadil.judges.options import open_chosen
from pengadil.naming import read_columns
from pengadil.records import Example, write_whole
from pengadil.report.page import as_html, as_markdown
from pengadil.summary import BASELINE_GRADES, git_commit

# Bundled validation rows are drawn with it; a training draws its own with the recipe's seed.
SEED = 20_261
FORMAT = 1


def run(options: argparse.Namespace) -> None:
    """Choose, measure, write and print, as the options of `eval/guard.py` say."""
    check_criterion(options.criterion)
    if options.choose and options.mode != SCORE:
        raise PengadilError(
            f"--choose with mode {options.mode}",
            "it gives no probability, so there is nothing to choose",
            "Use --mode score.",
        )
    test = load_slice(options.slice, find("eval", "slices"), options.data, options.limit)
    rows = validation_rows(options, test) if options.choose else []
    prompt = judge_prompt(options.model, options.prompt)
    folder: Path = options.out or _folder(options, test)
    if options.fresh:
        clear(folder)
    guard = Guard(
        open_chosen(options),
        prompt=prompt,
        threshold=options.threshold,
        mode=options.mode,
        named=options.model,
        part_tokens=options.part_tokens,
        most_parts=options.most_parts,
    )
    threshold, source = guard.level.threshold, guard.level.source
    validation: list[CheckedAnswer] = []
    if rows:
        about = {"name": options.rows or f"{test.name}, validation", **_hashed(rows)}
        validation = _checked(guard, rows, folder / VALIDATION, about, options)
        chosen = _choose(guard, validation, about, options)
        threshold, source = chosen.threshold, chosen.source
        for place in (folder / FILE, threshold_file(options.model)):
            if place:
                write_chosen(place, chosen)
    about = {"name": test.name, "rows": len(test.examples), "of": test.of, "sha256": test.sha256}
    checked = _checked(guard, test.examples, folder / TEST, about, options)
    summary = {
        "format": FORMAT,
        **_settings(guard, about, options),
        "threshold": threshold,
        "threshold_source": source,
        "criterion": options.criterion if options.choose else None,
        "test": _measured(checked, threshold),
        "validation": _measured(validation, threshold) if validation else None,
        **_provenance(),
    }
    _write(folder, summary, checked, validation, {row.id: row for row in test.examples})
    _print(folder, summary, checked, validation)


def validation_rows(options: argparse.Namespace, test: Slice) -> list[Example]:
    """The rows to choose on: the user's, else bundled ones of the slice's grade.

    Raises PengadilError for a slice that has no grade, and for rows that stand in the test,
    changed a little or not.
    """
    if not options.rows:
        grade = BASELINE_GRADES.get(test.name)
        if grade is None:
            raise PengadilError(
                f"slice {test.name}", "no validation rows belong to it", "Name yours with --rows."
            )
        return load_bundled(grade, "validation", options.validation_rows, SEED)
    columns = read_columns(options.columns, options.labels)
    rows = load_rows(options.rows, "validation", SEED, columns)
    found = leaks(rows, test.examples)
    if found:
        more = f", as do {len(found) - 1:,} more" if len(found) > 1 else ""
        raise PengadilError(
            f"{options.rows}, row {found[0]}",
            f"it stands in the test {test.name} too{more}",
            "Choose on rows that are not tested on.",
        )
    return rows


def _folder(options: argparse.Namespace, test: Slice) -> Path:
    folder = default_folder(options.model, test, options.mode, options.prompt or "")
    return folder.with_name(f"guard-{folder.name}")


def _hashed(rows: Sequence[Example]) -> dict[str, Any]:
    return {"rows": len(rows), "of": len(rows), "sha256": rows_sha256(rows)}


def _settings(
    guard: Guard, about: Mapping[str, Any], options: argparse.Namespace
) -> dict[str, Any]:
    """What has to be the same for answers to belong together."""
    return {
        "model": {"name": guard.judge.name, **guard.judge.describe()},
        "prompt": {"name": guard.prompt.name, "sha256": guard.prompt.sha256},
        "mode": guard.mode,
        "reading": asdict(guard.reading),
        "answers": {"seed": SEED, "documents": options.documents, "joined": options.joined},
        "slice": dict(about),
    }


def _checked(
    guard: Guard,
    rows: Sequence[Example],
    folder: Path,
    about: Mapping[str, Any],
    options: argparse.Namespace,
) -> list[CheckedAnswer]:
    from pengadil.terminal import rows_progress

    answers = make_answers(rows, SEED, options.documents, options.joined)
    with rows_progress(f"{folder.name}: {about['name']}", "answers") as on_progress:
        return check_answers(guard, answers, folder, _settings(guard, about, options), on_progress)


def _choose(
    guard: Guard,
    validation: Sequence[CheckedAnswer],
    about: Mapping[str, Any],
    options: argparse.Namespace,
) -> Chosen:
    rows = row_supports(validation)
    threshold, words = choose(rows, options.criterion)
    found = catching(rows, threshold)
    return Chosen(
        threshold=threshold,
        mode=guard.mode,
        prompt_sha256=guard.prompt.sha256,
        criterion=words,
        n=len(rows),
        rows=str(about["name"]),
        sha256=str(about["sha256"]),
        precision=found.precision,
        recall=found.recall,
        model=guard.judge.name,
        date=datetime.now(UTC).date().isoformat(),
    )


def _measured(checked: Sequence[CheckedAnswer], threshold: float) -> dict[str, Any]:
    return {
        "sentences": asdict(catching(row_supports(checked), threshold)),
        "answers": asdict(catching([one.support for one in checked], threshold)),
        "parts_judged": sum(one.parts for one in checked),
        "seconds": round(sum(one.seconds for one in checked), 3),
    }


def _provenance() -> dict[str, Any]:
    from pengadil.hardware import provenance, versions

    return {
        "versions": versions(),
        "git_commit": git_commit(),
        "hardware": provenance(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _write(
    folder: Path,
    summary: Mapping[str, Any],
    checked: Sequence[CheckedAnswer],
    validation: Sequence[CheckedAnswer],
    examples: Mapping[str, Example],
) -> None:
    page = guard_page(summary, checked, validation, examples)
    write_whole(folder / REPORTS[0], as_markdown(page))
    write_whole(folder / REPORTS[1], as_html(page))
    picture = threshold_picture(row_supports(checked), summary["threshold"])
    (folder / REPORTS[2]).write_bytes(picture)
    write_json(folder / SUMMARY, summary)


def _print(
    folder: Path,
    summary: Mapping[str, Any],
    checked: Sequence[CheckedAnswer],
    validation: Sequence[CheckedAnswer],
) -> None:
    from pengadil.terminal_tables import print_sections

    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    threshold = summary["threshold"]
    sections = [results_section(checked, validation, threshold)]
    print_sections(headline(checked, threshold), sections)
    print(f"Threshold {threshold:.4g}: {summary['threshold_source']}")
    for name in REPORTS:
        print(folder / name)
