"""What happens when a visitor writes to the models; no Gradio here."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, cast

from pengadil.app.chat_talk import (
    DONE,
    FAILED,
    LOADING,
    STOPPED,
    WAITING,
    WRITING,
    Reply,
    Talk,
    Turn,
)
from pengadil.app.chat_words import WORDS
from pengadil.app.context import Context
from pengadil.app.judge_events import clean
from pengadil.app.shelf import Lent
from pengadil.errors import PengadilError
from pengadil.judges.base import ChatJudge, Sampling
from pengadil.prompts import TEXT, Prompt, load_prompt

MOST_CHARACTERS = 100_000
# Seconds between two looks at a growing answer: the whole conversation is sent for each.
PACE = 0.1
# Of the packaged prompts that ask to rewrite a text, the one in the page's language.
REWRITING = {"ms": "rewrite", "en": "rewrite-en"}


class Stops:
    """Which conversations were asked to stop; the writer looks at it between two pieces."""

    def __init__(self) -> None:
        self._lock, self._ids = Lock(), set[str]()

    def ask(self, talk: Talk | None) -> None:
        """Ask the writer of this conversation to stop."""
        if talk is not None:
            with self._lock:
                self._ids.add(talk.id)

    def forget(self, talk: Talk) -> None:
        """Forget what was asked before."""
        with self._lock:
            self._ids.discard(talk.id)

    def asked(self, talk: Talk) -> bool:
        """Whether its writer is to stop."""
        with self._lock:
            return talk.id in self._ids


def send(
    context: Context,
    stops: Stops,
    talk: Talk,
    models: Sequence[str],
    kind: str,
    message: str | None,
    sampling: Sampling,
) -> Iterator[Talk]:
    """The conversation as it grows by a message and the models' replies, one after the other.

    Never raises: what is wrong is in `trouble`, or in the note of a reply. Closing the iterator
    stops the work and gives the model back.
    """
    if wrong := refusal(context, models, message or ""):
        yield replace(talk, trouble=wrong)
        return
    turn = Turn(kind, clean(message), tuple(map(Reply, dict.fromkeys(models))))
    yield from _answer(context, stops, Talk((*talk.turns, turn), id=talk.id), models, sampling)


def again(
    context: Context, stops: Stops, talk: Talk, models: Sequence[str], sampling: Sampling
) -> Iterator[Talk]:
    """The same for the last message: the models chosen now answer it, the others' replies stay."""
    if not talk.turns or not models:
        yield replace(talk, trouble=context.say(WORDS, "no_turn" if models else "no_model"))
        return
    for model in models:
        talk = talk.with_reply(Reply(model))
    yield from _answer(context, stops, talk, models, sampling)


def refusal(context: Context, models: Sequence[str], message: str) -> str:
    """Why this cannot be sent, in the page's words; "" if it can."""
    if not models:
        return context.say(WORDS, "no_model")
    if not clean(message):
        return context.say(WORDS, "no_message")
    if len(message) > MOST_CHARACTERS:
        return context.say(WORDS, "long_message", most=f"{MOST_CHARACTERS:,}")
    return ""


def _answer(
    context: Context, stops: Stops, talk: Talk, models: Sequence[str], sampling: Sampling
) -> Iterator[Talk]:
    stops.forget(talk)
    try:
        yield talk
        for model in dict.fromkeys(models):
            for reply in _replies(context, stops, talk, model, sampling):
                talk = talk.with_reply(reply)
                yield talk
    finally:
        stops.forget(talk)


def _replies(
    context: Context, stops: Stops, talk: Talk, model: str, sampling: Sampling
) -> Iterator[Reply]:
    """One model's reply as it grows, its last state last."""
    reply = Reply(model)
    try:
        if stops.asked(talk):
            yield replace(reply, state=STOPPED)
            return
        if is_a_classifier(model):
            yield replace(reply, state=FAILED, note=context.say(WORDS, "no_chat"))
            return
        yield replace(reply, state=WAITING if model in context.shelf.loaded else LOADING)
        with context.shelf.borrow(model) as lent:
            if not isinstance(lent.judge, ChatJudge):
                yield replace(reply, state=FAILED, note=context.say(WORDS, "no_chat"))
                return
            written = _written(context, stops, talk, lent, lent.judge, sampling)
            with closing(written):  # before the model is given back
                for reply in written:
                    yield reply
    except PengadilError as error:
        yield replace(reply, state=FAILED, note=str(error))
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        note = context.say(WORDS, "failed_inside", kind=type(error).__name__)
        yield replace(reply, state=FAILED, note=note)


def _written(
    context: Context, stops: Stops, talk: Talk, lent: Lent, judge: ChatJudge, sampling: Sampling
) -> Generator[Reply, None, None]:
    prompt = rewriting_prompt(context, lent.prompt)
    messages = talk.messages(lent.name, prompt.render_text)
    pieces = cast("Any", judge.write(messages, sampling))
    reply, shown = Reply(lent.name, state=WRITING), 0.0
    yield reply
    with closing(pieces):
        if stops.asked(talk):
            yield replace(reply, state=STOPPED)
            return
        for piece in pieces:
            reply = replace(reply, text=reply.text + piece)
            if stops.asked(talk):
                yield replace(reply, state=STOPPED)
                return
            if time.monotonic() - shown >= PACE:
                yield reply
                shown = time.monotonic()
    yield replace(reply, text=reply.text.strip(), state=DONE)


def rewriting_prompt(context: Context, trained_with: Prompt) -> Prompt:
    """The words that ask to rewrite: the model's own, else those in the page's language."""
    if trained_with.answer == TEXT:
        return trained_with
    return load_prompt(REWRITING[context.language])


def is_a_classifier(model: str) -> bool:
    """Whether a name is known to be a classifier's, without loading it."""
    from pengadil.judges.encoder import is_classifier
    from pengadil.runs import is_run, open_run

    path = Path(model)
    try:
        if is_run(path):
            return bool(open_run(path).facts().get("method") == "classifier")
    except (PengadilError, OSError):
        return False
    return path.is_dir() and is_classifier(path)


def choices(context: Context) -> list[tuple[str, str]]:
    """(label, name) of each model; those known not to chat are told apart."""
    return [
        (context.say(WORDS, "no_chat_label", model=label), name)
        if is_a_classifier(name)
        else (label, name)
        for label, name in context.models()
    ]


def first_choice(context: Context) -> list[str]:
    """The model that is chosen at first: the first that may chat, none if none does."""
    return [name for name in context.shelf.names if not is_a_classifier(name)][:1]


def sampling_of(
    most_tokens: float | None, temperature: float | None, seed: float | None
) -> Sampling:
    """The settings of the page, whose empty fields are None. Raises PengadilError as Sampling."""
    usual = Sampling()
    return Sampling(
        usual.most_tokens if most_tokens is None else int(most_tokens),
        usual.temperature if temperature is None else float(temperature),
        usual.seed if seed is None else int(seed),
    )
