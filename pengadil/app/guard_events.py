"""What happens when a visitor has an answer checked; no Gradio here."""

from __future__ import annotations

import math
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pengadil.app.context import Context
from pengadil.app.documents import MOST_CHARACTERS, opened
from pengadil.app.guard_show import report_html
from pengadil.app.guard_words import WORDS
from pengadil.app.judge_events import clean
from pengadil.app.states import state_html, trouble_html
from pengadil.errors import PengadilError
from pengadil.guard.claims import claims

MOST_ANSWER = 20_000
# A line that begins a document: "=== surat.txt ===".
HEADING = re.compile(r"^===+ *(.*?) *===+ *$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Checked:
    """What the page shows from now on: HTML, and the report as JSON, "" while there is none."""

    shown: str
    json: str = ""


def check(
    context: Context,
    model: str,
    documents: str | None,
    answer: str | None,
    own: str | None = None,
) -> Iterator[Checked]:
    """What is shown while an answer is checked, the report last.

    Never raises: what is wrong is shown in words. `own` is a threshold of the visitor's; where it
    is empty it is that of the page, else the one chosen for the model.
    """
    failed = context.say(WORDS, "failed")
    names, texts = parted(context, clean(documents))
    claim = clean(answer)
    threshold = read_threshold(own)
    if wrong := refusal(context, texts, claim, threshold):
        yield Checked(trouble_html(failed, wrong))
        return
    try:
        if model not in context.shelf.loaded:
            words = context.say(WORDS, "loading", model=context.label(model))
            yield Checked(state_html(words))
        with context.shelf.borrow(model) as lent:
            yield Checked(state_html(context.say(WORDS, "checking", sentences=len(claims(claim)))))
            from pengadil.guard.guard import Guard

            wanted = context.guard_threshold if threshold is None else threshold
            guard = Guard(lent.judge, prompt=lent.prompt, threshold=wanted, named=lent.name)
            report = guard.check(claim, texts)
        label = context.label(model)
        yield Checked(
            report_html(context, report, names, guard.level, label), report.to_json(indent=2)
        )
    except PengadilError as error:
        yield Checked(trouble_html(failed, error))
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        kind = type(error).__name__
        yield Checked(trouble_html(failed, context.say(WORDS, "failed_inside", kind=kind)))


def read_threshold(text: str | None) -> float | None:
    """The share that was written, "0,5" as 0.5; None for nothing, NaN for what is no share."""
    written = (text or "").strip().replace(",", ".")
    if not written:
        return None
    try:
        share = float(written)
    except ValueError:
        return math.nan
    return share if 0 <= share <= 1 else math.nan


def refusal(
    context: Context, documents: Sequence[str], answer: str, threshold: float | None = None
) -> str:
    """Why these cannot be checked, in the page's words; "" if they can."""
    if threshold is not None and math.isnan(threshold):
        return context.say(WORDS, "no_threshold")
    if not documents:
        return context.say(WORDS, "no_documents")
    if not claims(answer):
        return context.say(WORDS, "no_answer")
    for key, length, most in (
        ("long_documents", sum(map(len, documents)), MOST_CHARACTERS),
        ("long_answer", len(answer), MOST_ANSWER),
    ):
        if length > most:
            return context.say(WORDS, key, characters=f"{length:,}", most=f"{most:,}")
    return ""


def parted(context: Context, text: str) -> tuple[list[str], list[str]]:
    """The names and texts of the documents in one text; those without a word are left out."""
    before, *rest = HEADING.split(text)
    found = [("", before), *zip(rest[::2], rest[1::2], strict=True)]
    kept = [(name, body.strip()) for name, body in found if body.strip()]
    names = [
        name or context.say(WORDS, "document", number=number)
        for number, (name, _) in enumerate(kept, start=1)
    ]
    return names, [body for _, body in kept]


def with_files(context: Context, text: str | None, paths: Sequence[str] | None) -> str:
    """The text with the documents of uploaded files after it, each under its name.

    The uploads are deleted; what cannot be read is told on the page and left out.
    """
    parts = [(text or "").strip()]
    for path in paths or ():
        body = opened(path, context)
        if body:
            # A file's name cannot end its own heading.
            name = " ".join(Path(path).name.replace("=", " ").split())
            parts.append(f"=== {name} ===\n{body}")
    return "\n\n".join(part for part in parts if part)
