"""What the Judge tab shows, as HTML: all texts of users and models are escaped."""

from __future__ import annotations

from html import escape

from pengadil.app.context import Context
from pengadil.app.judge_words import WORDS
from pengadil.app.states import state_html
from pengadil.records import Judgement
from pengadil.wording import percent

NAMES = {1: "agrees", 0: "differs", None: "unreadable"}
MARKS = {1: "✓", 0: "✗", None: "?"}
# A document of up to so many characters is shown whole, of a longer one what is around the mark.
SHOWN_WHOLE, AROUND = 20_000, 4_000


def verdict_html(
    context: Context, judgement: Judgement, model: str, part: int, parts: int, seconds: float
) -> str:
    """The verdict in colour and words, with its probability and what it was found with.

    `part` is the deciding one of `parts`, counted from 1.
    """
    name = NAMES[judgement.verdict]
    lines = [context.say(WORDS, f"{name}_why")]
    if judgement.probability is not None and judgement.verdict is not None:
        of_verdict = judgement.probability if judgement.verdict else 1 - judgement.probability
        lines.append(context.say(WORDS, "probability", percent=percent(of_verdict)))
    if parts > 1:
        lines.append(context.say(WORDS, "parts", part=part, parts=f"{parts:,}"))
    took = context.say(WORDS, "took", model=escape(model), seconds=f"{seconds:.1f}")
    mark = f'<span aria-hidden="true">{MARKS[judgement.verdict]} </span>'
    return (
        f'<div class="verdict {name}"><strong>{mark}{context.say(WORDS, name)}</strong>'
        + "".join(f"<p>{line}</p>" for line in lines)
        + f'</div><p class="note">{took}</p>'
    )


def text_html(title: str, text: str) -> str:
    """A text under a title, "" for none."""
    if not text:
        return ""
    return (
        f'<h3 class="part">{escape(title)}</h3>'
        f'<div class="text" tabindex="0" role="region" aria-label="{escape(title)}">'
        f"{escape(text)}</div>"
    )


def document_html(
    context: Context, document: str, span: tuple[int, int] | None, verdict: int | None
) -> str:
    """The document with the sentence of `span` (characters) marked, or what is around it."""
    title = escape(context.say(WORDS, "rests_on_agrees" if verdict else "rests_on_differs"))
    if span is None:
        return state_html(context.say(WORDS, "no_evidence"))
    first, last = span
    low, high = 0, len(document)
    notes = ""
    if len(document) > SHOWN_WHOLE:
        low, high = max(0, first - AROUND), min(len(document), last + AROUND)
        notes = state_html(context.say(WORDS, "window", characters=f"{len(document):,}"))
    before, after = document[low:first], document[last:high]
    text = (
        f"{'… ' * (low > 0)}{escape(before)}"
        f'<mark class="{NAMES[verdict]}">{escape(document[first:last])}</mark>'
        f"{escape(after)}{' …' * (high < len(document))}"
    )
    return (
        f'<h3 class="part">{title}</h3>{notes}'
        f'<div class="text" tabindex="0" role="region" aria-label="{title}">{text}</div>'
    )
