"""What the Review tab shows, as HTML in which every text is only text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from pengadil.app.context import Context
from pengadil.app.review_words import WORDS
from pengadil.comparison.agreement import RaterPair
from pengadil.reviewing.desk import Desk
from pengadil.reviewing.kappas import judge_pairs, people_pairs
from pengadil.reviewing.marking import marked
from pengadil.reviewing.rows import Row
from pengadil.reviewing.standing import Standing
from pengadil.wording import percent

CLASSES = {1: "agrees", 0: "differs", None: "unreadable"}
WORD_STYLE = "color: inherit; font-weight: 700; text-decoration: underline;"
LONGEST_ANSWER = 2_000


def row_html(context: Context, row: Row, skipped: bool = False) -> str:
    """A row to review: the judge's verdict, the statement, and the document with its marks."""

    def heading(key: str) -> str:
        return f'<h3 class="part">{escape(context.say(WORDS, key))}</h3>'

    notes = [context.say(WORDS, "skipped_before")] if skipped else []
    notes += [context.say(WORDS, "keys_unreadable")] if row.verdict is None else []
    return "".join(
        [
            heading("statement"),
            f'<div class="text review-statement">{escape(row.example.question)}</div>',
            _verdict(context, row),
            *(f'<p class="note">{escape(note)}</p>' for note in notes),
            heading("document"),
            f'<div class="text" tabindex="0" role="region" '
            f'aria-label="{escape(context.say(WORDS, "document"))}">{document_html(row)}</div>',
            f'<p class="note">{escape(context.say(WORDS, "marks"))}</p>',
        ]
    )


def document_html(row: Row) -> str:
    """The document with the sentence to look at and the statement's words marked."""
    parts = []
    inside = False
    for piece in marked(row.example.passage, row.example.question, row.example.evidence):
        if piece.sentence != inside:
            parts.append("<mark>" if piece.sentence else "</mark>")
            inside = piece.sentence
        text = escape(piece.text)
        parts.append(f'<b style="{WORD_STYLE}">{text}</b>' if piece.word else text)
    return "".join(parts) + ("</mark>" if inside else "")


def done_html(context: Context, desk: Desk) -> str:
    """That every row is reviewed."""
    text = context.say(WORDS, "all_done", all=f"{len(desk.work.rows):,}")
    return f'<p class="verdict agrees"><strong>{escape(text)}</strong></p>'


def counters_html(context: Context, desk: Desk, person: str) -> str:
    """How far the reviewer is, and how far everybody agrees so far."""
    standings = desk.standings()
    progress = desk.progress(person)
    lines = [
        context.say(
            WORDS,
            "progress",
            person=person,
            done=f"{progress.done:,}",
            all=f"{progress.all:,}",
            skipped=f"{progress.skipped:,}",
        ),
        *kappa_lines(context, desk, standings),
    ]
    bar = (
        f'<progress max="{progress.all}" value="{progress.done}" '
        f'style="width: 100%" aria-label="{escape(lines[0])}"></progress>'
    )
    return bar + "".join(f'<p class="note">{escape(line)}</p>' for line in lines)


def kappa_lines(context: Context, desk: Desk, standings: Mapping[str, Standing]) -> Sequence[str]:
    """Kappa of the judge and each reviewer, and of each two reviewers, with intervals and n."""
    pairs = [*judge_pairs(desk.work, standings), *people_pairs(standings)]
    lines = [_pair(context, pair) for pair in pairs]
    stale = sum(one.stale for one in standings.values())
    notes = [context.say(WORDS, "kappa_note")] if pairs else []
    notes += [context.say(WORDS, "stale", count=f"{stale:,}")] if stale else []
    return [*lines, *notes]


def _pair(context: Context, pair: RaterPair) -> str:
    kappa = pair.kappa
    known = {
        "first": pair.first,
        "second": pair.second,
        "n": f"{kappa.n:,}",
        "agreement": percent(kappa.agreement),
    }
    if kappa.value is None:
        return context.say(WORDS, "no_kappa", **known)
    low, high = kappa.interval
    return context.say(
        WORDS, "kappa", kappa=f"{kappa.value:.2f}", low=f"{low:.2f}", high=f"{high:.2f}", **known
    )


def _verdict(context: Context, row: Row) -> str:
    key = "verdict_none" if row.verdict is None else f"verdict_{row.verdict}"
    lines = [f"<strong>{escape(context.say(WORDS, key))}</strong>"]
    probability = row.judgement.probability
    if row.verdict is None:
        raw = row.judgement.raw[:LONGEST_ANSWER]
        lines += [f"<p>{escape(context.say(WORDS, 'wrote'))} {escape(raw)}</p>"] if raw else []
    elif probability is None:
        lines.append(f"<p>{escape(context.say(WORDS, 'no_probability'))}</p>")
    else:
        said = context.say(WORDS, "probability", percent=percent(probability))
        lines.append(f"<p>{escape(said)}</p>")
    return f'<div class="verdict {CLASSES[row.verdict]}">{"".join(lines)}</div>'
