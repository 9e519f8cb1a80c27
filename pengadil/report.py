"""A results folder as something to read: report.md and report.html.

The scores are counted again from results.jsonl, so a report always agrees with the answers
beside it and needs no model. summary.json tells what was run; what it lacks is shown as a dash.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.pictures import confusion_picture, reliability_picture
from pengadil.records import Example, Judgement, read_judgements, write_whole
from pengadil.report_page import Page, Quotation, Section, as_html, as_markdown
from pengadil.statistics import (
    SIGNIFICANCE,
    SLICE_KEYS,
    Calibration,
    Interval,
    Scores,
    scores_by,
    wilson,
)
from pengadil.statistics import scores as scores_of
from pengadil.wording import (
    DASH,
    accuracy_with_interval,
    comparison_line,
    interval_text,
    p_text,
    percent,
    shown_value,
)

__all__ = [
    "accuracy_with_interval",
    "comparison_line",
    "headline",
    "percent",
    "read_summary",
    "report_page",
    "subset_text",
    "write_report",
]
MISTAKES_SHOWN = 10
# The rest of summary.json is provenance; these have tables of their own.
NOT_PROVENANCE = ("format", "scores", "by", "baselines")


def write_report(folder: Path, examples: Mapping[str, Example] | None = None) -> None:
    """Write report.md and report.html beside a folder's results.jsonl and summary.json.

    `examples`, by id, lets mistakes be quoted with their document and statement. Each file
    appears only when it is whole. Raises PengadilError when the evaluation has not finished or
    one of its files cannot be read.
    """
    page = report_page(read_summary(folder), read_judgements(folder / "results.jsonl"), examples)
    write_whole(folder / "report.md", as_markdown(page))
    write_whole(folder / "report.html", as_html(page))


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary.json of a results folder; PengadilError without a whole one."""
    path = folder / "summary.json"
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PengadilError(
            str(folder),
            "no summary.json, so the evaluation has not finished",
            "Run the same evaluation again: it goes on from its last row.",
        ) from None
    except ValueError as error:
        raise PengadilError(
            str(path), f"not JSON ({error})", "Delete it and run the same evaluation again."
        ) from None
    if not isinstance(summary, dict):
        raise PengadilError(
            str(path), "not a JSON object", "Delete it and run the same evaluation again."
        )
    return summary


def report_page(
    summary: Mapping[str, Any],
    judgements: Sequence[Judgement],
    examples: Mapping[str, Example] | None = None,
) -> Page:
    """The report's page from what was run and what was answered."""
    scores = scores_of(judgements)
    sections = [
        _scores_section(scores),
        _baselines_section(scores, _part(_part(summary, "baselines"), "overlap")),
        _subsets_section(scores, judgements),
        _confusion_section(scores),
    ]
    if scores.calibration:
        sections.append(_reliability_section(scores.calibration))
    sections += _mistakes_section(judgements, examples or {})
    sections.append(_provenance_section(summary))
    return Page(_title(summary), headline(scores, subset_text(summary)), sections)


def headline(scores: Scores, subset: str = "") -> str:
    """Accuracy, n, interval, majority baseline and unreadable answers in one line."""
    if not scores.n:
        return "No row has a gold label, so there is nothing to score"
    return (
        f"{accuracy_with_interval(scores)}{subset}; always answering {scores.majority_label} "
        f"scores {percent(scores.majority_accuracy)}; {scores.unreadable:,} unreadable"
    )


def subset_text(summary: Mapping[str, Any]) -> str:
    """What to add when only some rows of a slice were judged, else nothing."""
    rows = _part(summary, "slice")
    if rows.get("subset") is not True:
        return ""
    judged, all_rows = shown_value(rows.get("rows")), shown_value(rows.get("of"))
    return f", a subset: {judged} of the slice's {all_rows} rows"


def _title(summary: Mapping[str, Any]) -> str:
    model, rows = _part(summary, "model"), _part(summary, "slice")
    name = next((model[key] for key in ("name", "path", "source") if model.get(key)), "a judge")
    return f"{name} on {rows.get('name') or 'a slice'}"


def _scores_section(scores: Scores) -> Section:
    def line(name: str, share: float | None, interval: Interval) -> list[str]:
        return [name, percent(share), DASH if share is None else interval_text(interval)]

    rows = [
        line("accuracy", scores.accuracy, scores.accuracy_interval),
        line("F1 of label 1", scores.f1, scores.f1_interval),
        line("precision of label 1", scores.precision, scores.precision_interval),
        line("recall of label 1", scores.recall, scores.recall_interval),
        ["unreadable answers", f"{scores.unreadable:,}", DASH],
    ]
    if scores.calibration:
        rows.append(["Brier score (0 is best)", f"{scores.calibration.brier:.3f}", DASH])
        rows.append(["calibration error (0 is best)", f"{scores.calibration.ece:.3f}", DASH])
    return Section(
        "Scores",
        ("measure", "value", "95 % interval"),
        rows,
        note=f"{scores.correct:,} of {scores.n:,} rows are right. An unreadable answer is wrong; "
        "it is a miss for label 1 and no false positive for label 0.",
    )


def _baselines_section(scores: Scores, overlap: Mapping[str, Any]) -> Section:
    label, majority = scores.majority_label, scores.majority_accuracy
    against = scores.against_majority
    rows = [
        [
            f"always answering {shown_value(label)}",
            percent(majority),
            DASH
            if majority is None
            else interval_text(wilson(round(majority * scores.n), scores.n)),
            f"{against.only_a:,}",
            f"{against.only_b:,}",
            p_text(against.p_value),
        ]
    ]
    if overlap:
        test = _part(overlap, "mcnemar")
        trained_on = overlap.get("trained_on")
        low, high = overlap.get("low"), overlap.get("high")
        rows.append(
            [
                "word overlap" + (f" (learned from {trained_on})" if trained_on else ""),
                percent(overlap.get("accuracy")),
                DASH if low is None or high is None else interval_text(Interval(low, high)),
                shown_value(test.get("only_judge")),
                shown_value(test.get("only_baseline")),
                p_text(test.get("p_value")),
            ]
        )
    return Section(
        "What can be had without reading",
        ("baseline", "accuracy", "95 % interval", "only judge right", "only it right", "McNemar"),
        rows,
        note=_baselines_note(scores, _part(overlap, "mcnemar")) if scores.n else "",
    )


def _baselines_note(scores: Scores, overlap_test: Mapping[str, Any]) -> str:
    def beats(name: str, yes: bool) -> str:
        return f"The judge {'beats' if yes else 'does not beat'} {name} beyond chance (p < 0.05)."

    sentences = [beats(f"always answering {scores.majority_label}", scores.beats_majority)]
    only_judge, only_baseline, p_value = (
        overlap_test.get(key) for key in ("only_judge", "only_baseline", "p_value")
    )
    if only_judge is not None and only_baseline is not None and p_value is not None:
        better = only_judge > only_baseline and p_value < SIGNIFICANCE
        sentences.append(beats("word overlap", better))
    return " ".join(sentences)


def _subsets_section(scores: Scores, judgements: Sequence[Judgement]) -> Section:
    rows = [
        [
            f"label {label}",
            f"{part.n:,}",
            percent(part.recall),
            interval_text(part.recall_interval) if part.n else DASH,
            DASH,
            f"{part.unreadable:,}",
        ]
        for label, part in scores.labels.items()
    ]
    for key in SLICE_KEYS:
        subsets = scores_by(judgements, key)
        if set(subsets) == {""}:
            continue
        rows += [
            [
                f"{key} {name or '(none)'}",
                f"{part.n:,}",
                percent(part.accuracy),
                interval_text(part.accuracy_interval) if part.n else DASH,
                percent(part.f1),
                f"{part.unreadable:,}",
            ]
            for name, part in subsets.items()
        ]
    return Section(
        "By subset", ("subset", "rows", "accuracy", "95 % interval", "F1", "unreadable"), rows
    )


def _confusion_section(scores: Scores) -> Section:
    columns = ("0", "1", "unreadable")
    described = "; ".join(
        f"of gold {gold}: " + ", ".join(f"{counts[name]} {name}" for name in columns)
        for gold, counts in scores.confusion.items()
    )
    return Section(
        "Gold label and verdict",
        ("gold label", *(f"verdict {name}" if name in "01" else name for name in columns)),
        [
            [gold, *(f"{counts[name]:,}" for name in columns)]
            for gold, counts in scores.confusion.items()
        ],
        picture=confusion_picture(scores),
        picture_text=f"Rows by gold label and verdict; {described}.",
    )


def _reliability_section(calibration: Calibration) -> Section:
    return Section(
        "Can its probabilities be taken at their word?",
        ("probability of 1", "rows", "mean", "gold 1"),
        [
            [
                f"{100 * part.low:.0f}–{100 * part.high:.0f} %",
                f"{part.n:,}",
                percent(part.mean_probability),
                percent(part.share_of_ones),
            ]
            for part in calibration.bins
            if part.n
        ],
        note=f"{calibration.n:,} rows have a probability. In a perfect judge the last two columns "
        "are equal.",
        picture=reliability_picture(calibration),
        picture_text="Share of gold 1 against the probability of verdict 1; figures below.",
    )


def _mistakes_section(
    judgements: Sequence[Judgement], examples: Mapping[str, Example]
) -> list[Section]:
    wrong = [row for row in judgements if row.gold is not None and row.verdict != row.gold]
    if not wrong:
        return []
    wrong.sort(key=_confidence, reverse=True)
    shown = wrong[:MISTAKES_SHOWN]
    surest = "the surest first" if any(_confidence(row) for row in shown) else "in order"
    return [
        Section(
            "Mistakes",
            note=f"{len(shown)} of {len(wrong):,}, {surest}.",
            quotations=[_mistake(row, examples.get(row.id)) for row in shown],
        )
    ]


def _confidence(row: Judgement) -> float:
    """The probability that the judge gave to its verdict; 0 where it gave none."""
    if row.probability is None or row.verdict is None:
        return 0.0
    return row.probability if row.verdict == 1 else 1 - row.probability


def _mistake(row: Judgement, example: Example | None) -> Quotation:
    sure = f", {percent(_confidence(row))} sure" if _confidence(row) else ""
    said = "unreadable" if row.verdict is None else f"verdict {row.verdict}"
    texts = []
    if example:
        texts += [("document", example.passage), ("statement", example.question)]
        texts += [("evidence", example.evidence)] if example.evidence else []
    texts += [("answer", row.raw)] if row.raw else []
    return Quotation(f"{row.id}: gold {row.gold}, {said}{sure}", texts)


def _provenance_section(summary: Mapping[str, Any]) -> Section:
    known = {key: value for key, value in summary.items() if key not in NOT_PROVENANCE}
    return Section("How it was run", ("setting", "value"), [list(row) for row in _flat(known)])


def _flat(tree: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Each leaf with its dotted name: {"model": {"name": "x"}} gives ("model.name", "x")."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", shown_value(value)


def _part(tree: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under `key`, or an empty one where there is none."""
    value = tree.get(key)
    return value if isinstance(value, Mapping) else {}
