"""The Chat / rewrite tab: free chat and the style rewriter, with one model or several."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from typing import Any

from pengadil.app.chat_events import (
    MOST_CHARACTERS,
    Stops,
    again,
    choices,
    first_choice,
    sampling_of,
    send,
)
from pengadil.app.chat_show import CSS, copy_js, state_words, talk_html
from pengadil.app.chat_talk import CHAT, KINDS, Talk, under_way
from pengadil.app.chat_words import WORDS
from pengadil.app.context import Context
from pengadil.errors import PengadilError

MOST_TOKENS, TEMPERATURE = 256, 0.7


def build(context: Context) -> None:
    """Put the tab into the page."""
    import gradio

    def say(key: str) -> str:
        return context.say(WORDS, key)

    stops, talk = Stops(), gradio.State(None)
    with gradio.Row():
        models = gradio.CheckboxGroup(
            choices(context),
            value=first_choice(context),
            label=say("who"),
            info=say("who_info"),
            min_width=280,
            elem_id="chat-models",
        )
        kind = gradio.Radio(
            [(say(kind), kind) for kind in KINDS],
            value=CHAT,
            min_width=280,
            label=say("what"),
            elem_id="chat-kind",
        )
    shown = gradio.HTML(
        talk_html(context, Talk()),
        elem_id="chat-talk",
        css_template=CSS,
        js_on_load=copy_js(context),
        max_height=560,
        autoscroll=True,
    )
    state = gradio.HTML(elem_id="chat-state", elem_classes="live", js_on_load=None)
    with gradio.Row():  # alone, the box would be as wide as its hint, on a phone too
        message = gradio.Textbox(
            label=say("message"),
            placeholder=say("message_hint"),
            max_lines=12,
            # A browser is slow with megabytes. One more than is taken: what it cuts off is refused.
            max_length=MOST_CHARACTERS + 1,
            elem_id="chat-message",
        )
    with gradio.Row():
        go = gradio.Button(say("send"), variant="primary", min_width=130, elem_id="chat-send")
        stop = gradio.Button(say("stop"), min_width=130, elem_id="chat-stop")
        repeat = gradio.Button(say("again"), min_width=130, elem_id="chat-again")
        clear = gradio.Button(say("clear"), min_width=130, elem_id="chat-clear")
    with gradio.Accordion(say("settings"), open=False), gradio.Row():
        temperature = gradio.Number(
            TEMPERATURE,
            step=0.1,
            label=say("temperature"),
            info=say("temperature_info"),
            min_width=240,
            elem_id="chat-temperature",
        )
        seed = gradio.Number(
            0, precision=0, label=say("seed"), info=say("seed_info"), elem_id="chat-seed"
        )
        most = gradio.Number(
            MOST_TOKENS,
            precision=0,
            label=say("most_tokens"),
            info=say("most_tokens_info"),
            min_width=240,
            elem_id="chat-most",
        )

    settings, outputs = [most, temperature, seed], [talk, shown, state]
    asking = gradio.on(
        [go.click, message.submit],
        _sending(context, stops),
        [talk, models, kind, message, *settings],
        [*outputs, message],
        trigger_mode="once",
        show_progress="hidden",
    )
    repeating = repeat.click(
        _repeating(context, stops),
        [talk, models, *settings],
        outputs,
        trigger_mode="once",
        show_progress="hidden",
    )
    stop.click(_stopping(context, stops), talk, state, queue=False, show_progress="hidden")
    # Seen at once; the other waits until the model has let go of the conversation.
    clear.click(None, None, [shown, state], js=_cleared_js(context))
    clear.click(
        _clearing(context, stops),
        talk,
        outputs,
        cancels=[asking, repeating],
        queue=False,
        show_progress="hidden",
    )


def parts(context: Context, talk: Talk) -> tuple[Talk, str, str]:
    """What the page keeps and shows of a conversation: itself, its HTML, a line on its state."""
    return talk, talk_html(context, talk), _line(state_words(context, talk))


def _line(words: str) -> str:
    return f'<p class="note">{escape(words)}</p>' if words else ""


def _sending(context: Context, stops: Stops) -> Any:
    """`send` as Gradio calls it; the message box is emptied once its message is taken."""
    import gradio

    def event(
        talk: Talk | None, models: list[str], kind: str, message: str, *settings: float | None
    ) -> Iterator[tuple[Any, ...]]:
        talk, taken = talk or Talk(), False
        for now in _grown(context, stops, talk, models, settings, kind, message):
            first, taken = not taken and not now.trouble, taken or not now.trouble
            yield *parts(context, now), "" if first else gradio.skip()

    return event


def _repeating(context: Context, stops: Stops) -> Any:
    def event(
        talk: Talk | None, models: list[str], *settings: float | None
    ) -> Iterator[tuple[Any, ...]]:
        for now in _grown(context, stops, talk or Talk(), models, settings):
            yield parts(context, now)

    return event


def _stopping(context: Context, stops: Stops) -> Any:
    """Tells that it was heard: the token, or the message, that a model is at is finished first."""
    import gradio

    def event(talk: Talk | None) -> Any:
        stops.ask(talk)
        return _line(context.say(WORDS, "stopping")) if under_way(talk) else gradio.skip()

    return event


def _cleared_js(context: Context) -> str:
    _, shown, state = parts(context, Talk())
    return f"() => {json.dumps([shown, state])}"


def _clearing(context: Context, stops: Stops) -> Any:
    def event(talk: Talk | None) -> tuple[Any, ...]:
        stops.ask(talk)
        return parts(context, Talk())

    return event


def _grown(
    context: Context,
    stops: Stops,
    talk: Talk,
    models: list[str],
    settings: tuple[float | None, ...],
    kind: str = "",
    message: str | None = None,
) -> Iterator[Talk]:
    """`send` of a message, or `again` without one; settings out of range are told in words."""
    try:
        sampling = sampling_of(*settings)
    except PengadilError as error:
        yield replace(talk, trouble=str(error))
        return
    if kind:
        yield from send(context, stops, talk, models, kind, message, sampling)
    else:
        yield from again(context, stops, talk, models, sampling)
