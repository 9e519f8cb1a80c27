"""The page of `eval/guard.py`: what the guard catches, at which threshold, and what it misses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pengadil.guard.catching import Catching, Support, catching
from pengadil.guard.measuring import CheckedAnswer, CheckedRow, row_supports
from pengadil.records import Example
from pengadil.report.forest import Forest, Strip
from pengadil.report.page import Page, Quotation, Section
from pengadil.report.pictures import BLUE, GREY, INK, new_figure, png
from pengadil.report.provenance import provenance_section
from pengadil.wording import DASH, interval_text, percent

COLUMNS = ("what", "n", "contradicted", "precision", "95 %", "recall", "95 %", "F1", "95 %",
           "held back", "unreadable", "hold all: precision")  # fmt: skip
LEGEND = (
    "A sentence is held back where its support is below the threshold. Precision: of what is held "
    "back, the share that does contradict its document. Recall: of what contradicts its document, "
    "the share held back. Unreadable: what the judge answered could not be read; it is held back. "
    "Hold all: the precision of holding everything back, whose recall is 100 %. An answer is "
    "contradicted where one of its sentences is. Intervals are 95 % (Wilson)."
)
VALIDATION_LEGEND = "Validation: the sentences that the threshold was chosen on."
QUOTED = 5


def guard_page(
    summary: Mapping[str, Any],
    test: Sequence[CheckedAnswer],
    validation: Sequence[CheckedAnswer],
    examples: Mapping[str, Example],
) -> Page:
    """The page; `examples`, by id, are quoted where the guard was wrong."""
    threshold = summary["threshold"]
    picture = threshold_picture(row_supports(test), threshold)
    return Page(
        f"The guard with {summary['model']['name']} on {summary['slice']['name']}",
        headline(test, threshold),
        [
            results_section(test, validation, threshold),
            Section(
                "Threshold",
                note=f"{threshold:.4g}: {summary['threshold_source']}. The picture shows what "
                "others would have given on the test rows; choosing by it would be choosing on "
                "the test.",
                picture=picture,
                picture_text="Precision and recall of catching contradicted sentences against "
                "the threshold",
            ),
            *_mistakes(test, threshold, examples),
            provenance_section(
                {key: value for key, value in summary.items() if key not in ("test", "validation")}
            ),
        ],
    )


def headline(test: Sequence[CheckedAnswer], threshold: float) -> str:
    """Precision, recall, n and intervals of the test's sentences in one line."""
    found = catching(row_supports(test), threshold)
    return (
        f"Of {found.wrong:,} contradicted sentences {found.caught:,} are caught (recall "
        f"{percent(found.recall)}, 95 % interval {interval_text(found.recall_interval)}); of "
        f"{found.flagged:,} held back {found.caught:,} are contradicted (precision "
        f"{percent(found.precision)}, {interval_text(found.precision_interval)}); n "
        f"{found.n:,}, unreadable {found.unreadable:,}"
    )


def results_section(
    test: Sequence[CheckedAnswer], validation: Sequence[CheckedAnswer], threshold: float
) -> Section:
    """Sentences and answers of the test, its groups, and the sentences of the validation.

    In HTML with a picture of the first two.
    """
    rows = [
        _cells("sentences", catching(row_supports(test), threshold)),
        _cells("answers", catching([one.support for one in test], threshold)),
    ]
    groups = sorted({row.group for one in test for row in one.rows} - {""})
    for group in groups if len(groups) > 1 else []:
        own = [
            Support(row.gold, row.support) for one in test for row in one.rows if row.group == group
        ]
        rows.append(_cells(f"sentences: {group}", catching(own, threshold)))
    if validation:
        rows.append(_cells("validation", catching(row_supports(validation), threshold)))
    note = f"{LEGEND} {VALIDATION_LEGEND}" if validation else LEGEND
    return Section("What is caught", COLUMNS, rows, note=note, forest=_forest(test, threshold))


def threshold_picture(rows: Sequence[Support], threshold: float) -> bytes:
    """Precision and recall against the threshold, which is drawn as an upright stroke."""
    # A share is the same for all thresholds from one support, itself left out, to the next.
    ends = sorted({0.0, 1.0, *(row.support for row in rows if row.support is not None)})
    shares = [(end, *_shares(rows, end)) for end in ends]
    figure, axes = new_figure(5.2, 3.4)
    for name, colour, line, points in (
        ("recall", BLUE, "-", [(end, recall) for end, _, recall in shares]),
        ("precision", INK, "--", [(end, precision) for end, precision, _ in shares]),
    ):
        known = [(end, share) for end, share in points if share is not None]
        axes.step(
            [end for end, _ in known],
            [share for _, share in known],
            where="pre",
            color=colour,
            linestyle=line,
            linewidth=1.6,
            label=name,
        )
    axes.axvline(threshold, color=GREY, linewidth=1, linestyle=":")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("threshold: held back where support is below it")
    axes.set_ylabel("share")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower center")
    return png(figure)


def _shares(rows: Sequence[Support], threshold: float) -> tuple[float | None, float | None]:
    """(precision, recall), without the intervals that take time."""
    held = [row.gold for row in rows if row.caught(threshold)]
    wrong = sum(row.gold == 0 for row in rows)
    caught = held.count(0)
    return caught / len(held) if held else None, caught / wrong if wrong else None


def _cells(name: str, found: Catching) -> list[str]:
    return [
        name,
        f"{found.n:,}",
        f"{found.wrong:,}",
        percent(found.precision),
        interval_text(found.precision_interval) if found.flagged else DASH,
        percent(found.recall),
        interval_text(found.recall_interval) if found.wrong else DASH,
        percent(found.f1),
        interval_text(found.f1_interval),
        f"{found.flagged:,}",
        f"{found.unreadable:,}",
        percent(found.wrong / found.n if found.n else None),
    ]


def _forest(test: Sequence[CheckedAnswer], threshold: float) -> Forest | None:
    strips = []
    for name, rows in (
        ("sentences", row_supports(test)),
        ("answers", [one.support for one in test]),
    ):
        found = catching(rows, threshold)
        if found.precision is not None:
            mark = found.wrong / found.n
            strips.append(Strip(f"{name}: precision", found.precision,
                                *found.precision_interval, mark))  # fmt: skip
        if found.recall is not None:
            strips.append(Strip(f"{name}: recall", found.recall, *found.recall_interval))
    text = "Each share with its 95 % interval; the upright stroke is the precision of holding all."
    return Forest(strips, text) if strips else None


def _mistakes(
    test: Sequence[CheckedAnswer], threshold: float, examples: Mapping[str, Example]
) -> list[Section]:
    rows = [row for one in test for row in one.rows]
    missed = [row for row in rows if row.gold == 0 and not _held(row, threshold)]
    alarms = [row for row in rows if row.gold == 1 and _held(row, threshold)]
    missed.sort(key=lambda row: -(row.support or 0.0))
    alarms.sort(key=lambda row: -1.0 if row.support is None else row.support)
    return [
        _quoted("Contradictions that passed", missed, examples),
        _quoted("Right sentences that were held back", alarms, examples),
    ]


def _held(row: CheckedRow, threshold: float) -> bool:
    return Support(row.gold, row.support).caught(threshold)


def _quoted(title: str, rows: Sequence[CheckedRow], examples: Mapping[str, Example]) -> Section:
    shown = [row for row in rows if row.id in examples][:QUOTED]
    note = f"{len(rows):,}" + (f", {len(shown)} of them quoted." if shown else ".")
    quotations = []
    for row in shown:
        said = "unreadable" if row.support is None else f"support {row.support:.3f}"
        example = examples[row.id]
        texts = [("sentence", example.question), ("its document", example.passage)]
        if row.evidence:
            texts.append(("shown as evidence", row.evidence))
        quotations.append(Quotation(f"{row.id}: {said}", texts))
    return Section(title, note=note, quotations=quotations)
