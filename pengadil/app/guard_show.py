"""What the Guard tab shows, as HTML: all texts of users and models are escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from pengadil.app.context import Context
from pengadil.app.guard_words import WORDS
from pengadil.guard.report import PASS, Report, SentenceVerdict
from pengadil.guard.thresholds import GIVEN, Level
from pengadil.wording import percent

# The class of the page's style, the mark and the words of a sentence.
LOOKS = {
    "supported": ("agrees", "✓"),
    "unsupported": ("differs", "✗"),
    "unreadable": ("unreadable", "?"),
}


def report_html(
    context: Context, report: Report, names: Sequence[str], level: Level, model: str
) -> str:
    """The decision, then each sentence with what was said of it, then how it was read."""
    sentences = "".join(_sentence_html(context, one, names) for one in report.sentences)
    return (
        _decision_html(context, report)
        + f'<h3 class="part">{context.say(WORDS, "sentences")}</h3>'
        + f'<ol class="sentences">{sentences}</ol>'
        + "".join(f'<p class="note">{line}</p>' for line in _notes(context, report, names, level))
        + f'<p class="note">{_took(context, report, model)}</p>'
    )


def _decision_html(context: Context, report: Report) -> str:
    passed = report.decision == PASS
    name, look, mark = ("pass", "agrees", "✓") if passed else ("hand_over", "differs", "✗")
    lines = [
        context.say(
            WORDS,
            f"{name}_why",
            sentences=len(report.sentences),
            unsupported=len(report.unsupported),
        )
    ]
    if report.unreadable:
        lines.append(context.say(WORDS, "unreadable_too", unreadable=len(report.unreadable)))
    text = "".join(f"<p>{line}</p>" for line in lines)
    return (
        f'<div class="verdict {look}"><strong><span aria-hidden="true">{mark} </span>'
        f"{context.say(WORDS, name)}</strong>{text}</div>"
    )


def _sentence_html(context: Context, one: SentenceVerdict, names: Sequence[str]) -> str:
    key = "unreadable" if one.verdict is None else "supported" if one.supported else "unsupported"
    look, mark = LOOKS[key]
    said = context.say(WORDS, key)
    support = ""
    if one.probability is not None:
        share = context.say(WORDS, "support", percent=percent(one.probability))
        support = f' <span class="note">{share}</span>'
    return (
        f'<li><mark class="{look}">{escape(one.sentence)}</mark> '
        f'<span class="chip {look}"><span aria-hidden="true">{mark} </span>{said}</span>{support}'
        f"{_grounds_html(context, one, names)}</li>"
    )


def _grounds_html(context: Context, one: SentenceVerdict, names: Sequence[str]) -> str:
    if one.evidence is None:
        lines = [context.say(WORDS, "no_evidence")]
    else:
        key = "evidence_for" if one.supported else "evidence_against"
        where = escape(names[one.evidence.document])
        lines = [f"{context.say(WORDS, key, document=where)}<q>{escape(one.evidence.sentence)}</q>"]
    if one.reasoning:
        lines.append(f"{context.say(WORDS, 'reasoning')}: {escape(one.reasoning)}")
    # Not a paragraph: within a list the page's style sets those on one line.
    return "".join(f'<div class="note">{line}</div>' for line in lines)


def _notes(context: Context, report: Report, names: Sequence[str], level: Level) -> list[str]:
    """Which documents were cut, and where the threshold comes from."""
    lines = [
        context.say(
            WORDS,
            "cut",
            document=escape(name[:1].upper() + name[1:]),
            parts=f"{document.parts:,}",
            tokens=f"{report.part_tokens:,}",
        )
        for name, document in zip(names, report.documents, strict=True)
        if document.parts > 1
    ]
    if level.chosen is None:
        page = level.kind == GIVEN and level.threshold == context.guard_threshold
        source = context.say(WORDS, "page" if page else level.kind)
    else:
        rows, n = escape(level.chosen.rows), f"{level.chosen.n:,}"
        source = context.say(WORDS, level.kind, rows=rows, n=n)
    threshold = f"{level.threshold:.3g}"
    return [*lines, context.say(WORDS, "threshold", threshold=threshold, source=source)]


def _took(context: Context, report: Report, model: str) -> str:
    return context.say(WORDS, "took", model=escape(model), seconds=f"{report.seconds:.1f}")
