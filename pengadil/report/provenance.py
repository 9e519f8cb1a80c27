"""The parts of a report that say what the evaluation took and how it was run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pengadil.report.page import Section
from pengadil.usage import Usage
from pengadil.wording import DASH, cost_text, shown_value

# The rest of summary.json is provenance; these have tables of their own.
NOT_PROVENANCE = (
    *("format", "scores", "rules", "by", "baselines"),
    *("usage", "seconds", "wall_seconds"),
)


def usage_section(used: Usage) -> Section:
    """Seconds, tokens and cost; what is not known is left out."""
    rows = [
        ("seconds a row, mean", _figure(used.seconds_a_row)),
        ("seconds a row, median", _figure(used.median_seconds_a_row)),
        ("seconds of all rows", f"{used.seconds:,.1f}"),
        ("seconds by the clock", _figure(used.wall_seconds)),
        ("rows a second, by the clock", _figure(used.rows_a_second)),
        ("tokens a second, read and written", _figure(used.tokens_a_second)),
        ("tokens read", _count(used.prompt_tokens, used.counted)),
        ("tokens written", _count(used.completion_tokens, used.counted)),
        ("cost", cost_text(used.cost, used.currency)),
        ("cost of 1,000 rows", cost_text(used.cost_a_thousand_rows, used.currency)),
    ]
    notes = []
    if used.wall_seconds is not None and used.seconds > 1.2 * used.wall_seconds:
        notes.append("Several rows were answered at a time, so theirs add up to more seconds.")
    if 0 < used.counted < used.rows:
        notes.append(
            f"Tokens and cost are those of {used.counted:,} of {used.rows:,} rows: the others' "
            "counts are not known."
        )
    return Section(
        "Speed and cost" if used.cost is not None else "Speed",
        ("measure", "value"),
        [list(row) for row in rows if row[1] != DASH],
        note=" ".join(notes),
    )


def _figure(value: float | None) -> str:
    """A number to three significant digits, more where it is large."""
    if value is None:
        return DASH
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _count(tokens: int | None, rows: int) -> str:
    return DASH if tokens is None or not rows else f"{tokens:,} ({tokens / rows:,.1f} a row)"


def provenance_section(summary: Mapping[str, Any]) -> Section:
    """All of summary.json that no other part shows."""
    known = {key: value for key, value in summary.items() if key not in NOT_PROVENANCE}
    return Section("How it was run", ("setting", "value"), [list(row) for row in leaves(known)])


def leaves(tree: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Each leaf with its dotted name: {"model": {"name": "x"}} gives ("model.name", "x")."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", shown_value(value)
