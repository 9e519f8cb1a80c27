"""What happens when a visitor asks for a verdict; no Gradio here."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from html import escape

from pengadil.app.context import Context
from pengadil.app.documents import MOST_CHARACTERS
from pengadil.app.judge_show import (
    document_html,
    text_html,
    verdict_html,
)
from pengadil.app.judge_words import WORDS
from pengadil.app.shelf import Lent
from pengadil.app.states import state_html, trouble_html
from pengadil.errors import PengadilError
from pengadil.judges.single import reasoning_of
from pengadil.records import Judgement

MOST_STATEMENT = 4_000


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows from now on, as HTML; None leaves a part as it is."""

    verdict: str | None = None
    reasoning: str | None = None
    document: str | None = None


def judge(
    context: Context, model: str, mode: str, document: str | None, statement: str | None
) -> Iterator[Shown]:
    """What is shown while the model judges, the verdict and its grounds last.

    Never raises: what is wrong is shown in words. Closing the iterator stops the work and gives the
    model back.
    """
    failed = context.say(WORDS, "failed")
    passage, claim = clean(document), clean(statement)
    if wrong := refusal(context, passage, claim):
        yield Shown(trouble_html(failed, wrong), "", "")
        return
    try:
        if model not in context.shelf.loaded:
            yield Shown(
                state_html(context.say(WORDS, "loading", model=context.label(model))), "", ""
            )
        with context.shelf.borrow(model) as lent:
            yield Shown(state_html(context.say(WORDS, "judging")), "", "")
            yield from _judge(context, lent, mode, passage, claim)
    except PengadilError as error:
        yield Shown(trouble_html(failed, error))
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        kind = type(error).__name__
        yield Shown(trouble_html(failed, context.say(WORDS, "failed_inside", kind=kind)))


def clean(text: str | None) -> str:
    """The text without the space around it; half characters, which no model takes, become "?"."""
    return (text or "").encode("utf-8", "replace").decode("utf-8").strip()


def refusal(context: Context, document: str, statement: str) -> str:
    """Why these cannot be judged, in the page's words; "" if they can."""
    if not document:
        return context.say(WORDS, "no_document")
    if not statement:
        return context.say(WORDS, "no_statement")
    for key, text, most in (
        ("long_document", document, MOST_CHARACTERS),
        ("long_statement", statement, MOST_STATEMENT),
    ):
        if len(text) > most:
            return context.say(WORDS, key, characters=f"{len(text):,}", most=f"{most:,}")
    return ""


def _judge(
    context: Context, lent: Lent, mode: str, document: str, statement: str
) -> Iterator[Shown]:
    """As `guard.long.judge_document`, but part by part, so that one sees how far it is."""
    from pengadil.guard.evidence import find_evidence
    from pengadil.guard.habits import reading_for
    from pengadil.guard.long import decisive
    from pengadil.guard.reading import Reader

    started = time.monotonic()
    reading = reading_for(lent.name, lent.judge, lent.prompt)
    reader = Reader(lent.judge, lent.prompt, mode, reading)
    places = reader.places([document], statement)
    chosen = [places[index].part for index in reader.relevant(places, [document], statement)]
    judgements: list[Judgement] = []
    for number, part in enumerate(chosen, start=1):
        if len(places) > 1:
            yield Shown(under_way(context, number, len(chosen), len(places)), "")
        judgements.append((yield from _live(context, lent, mode, part.text, statement)))
    best = decisive(judgements)
    # What supports a statement stands in the part that decided; what contradicts it, anywhere.
    looked = [chosen[best]] if judgements[best].verdict else chosen
    evidence = find_evidence(statement, [(0, document, part.start, part.end) for part in looked])
    span = None if evidence is None else (evidence.start, evidence.end)
    deciding = 1 + [place.part for place in places].index(chosen[best])
    name, seconds = context.label(lent.name), time.monotonic() - started
    yield Shown(
        verdict_html(context, judgements[best], name, deciding, len(places), seconds),
        grounds_html(context, judgements[best]),
        document_html(context, document, span, judgements[best].verdict),
    )


def _live(
    context: Context, lent: Lent, mode: str, passage: str, statement: str
) -> Generator[Shown, None, Judgement]:
    """Shows the reasoning while it is written; returns the judgement."""
    from pengadil.judges.live import judge_live

    reasoning = ""
    for item in judge_live(lent.judge, lent.prompt, passage, statement, mode):
        if not isinstance(item, str):
            return item
        reasoning += item
        yield Shown(reasoning=text_html(context.say(WORDS, "reasoning"), reasoning))
    raise AssertionError("a judge ends with its judgement")


def grounds_html(context: Context, judgement: Judgement) -> str:
    """The reasoning, or what was written instead of a verdict."""
    if reasoning := reasoning_of(judgement.raw):
        return text_html(context.say(WORDS, "reasoning"), reasoning)
    if judgement.verdict is None:
        return text_html(context.say(WORDS, "wrote"), judgement.raw)
    return ""


def under_way(context: Context, number: int, looked: int, parts: int) -> str:
    """How far a long document is read."""
    words = context.say(WORDS, "judging_part", number=number, looked=looked, parts=f"{parts:,}")
    return state_html(words)


def choices(context: Context) -> list[tuple[str, str]]:
    """The ways of judging: (words, mode)."""
    from pengadil.judges.base import MODES

    return [(context.say(WORDS, mode), mode) for mode in MODES]


def waiting_html(context: Context) -> str:
    """What stands where the verdict will."""
    return f'<p class="note">{escape(context.say(WORDS, "waiting"))}</p>'
