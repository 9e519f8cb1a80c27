"""The Review tab: a judge's rows, most doubtful first, and a person's word on them by one key."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from pengadil.app.context import Context, warn
from pengadil.app.review_files import write_files
from pengadil.app.review_session import (
    AGREE,
    OVERRULE,
    SKIP,
    UNDO,
    Desks,
    Seat,
    View,
    begin,
    choices,
    labels,
    offered,
    press,
)
from pengadil.app.review_words import WORDS
from pengadil.errors import PengadilError
from pengadil.reviewing.entries import LONGEST_NAME

KEYS = {"s": AGREE, "t": OVERRULE, "l": SKIP, "u": UNDO}
# A key presses the button that one sees; none does anything while one types.
KEYS_JS = """
if (!window.pengadilReviewKeys) {
  window.pengadilReviewKeys = true;
  const buttons = {s: "agree", t: "overrule", l: "skip", u: "undo"};
  const seen = (part) => part && part.offsetParent !== null;
  document.addEventListener("keydown", (event) => {
    const at = event.target;
    const field = document.querySelector("#review-reasoning textarea");
    if (at.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(at.tagName)) {
      if (event.key === "Escape" && at === field) at.blur();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
    const key = event.key.toLowerCase();
    if (key === "r" && seen(field)) {
      event.preventDefault();
      field.focus();
      return;
    }
    const button = document.getElementById("review-" + buttons[key]);
    if (seen(button) && !button.disabled) {
      event.preventDefault();
      button.click();
    }
  });
}
"""
# A browser tab keeps its name when the page is loaded again, so its row is not kept from itself.
# What is typed loses the focus, so that the keys act at once.
TAB_JS = """(results, name, tab) => {
  let own = sessionStorage.getItem("pengadil-review-tab");
  if (!own) {
    own = Date.now().toString(36) + "-" + Math.random().toString(36).slice(2, 12);
    sessionStorage.setItem("pengadil-review-tab", own);
  }
  if (document.activeElement) document.activeElement.blur();
  return [results, name, own];
}"""

# The next row begins above what was pressed.
SCROLL_JS = """() => {
  const card = document.getElementById("review-card");
  if (card && card.getBoundingClientRect().top < 0) card.scrollIntoView();
}"""


def build(context: Context) -> None:
    """Put the tab's parts and events into the page that is being built."""
    import gradio

    say = partial(context.say, WORDS)
    desks, folder = Desks(), TemporaryDirectory(prefix="pengadil-reviews-")
    found = choices(context)
    empty = "" if found else say("no_results", folder=context.results)
    with gradio.Row():
        results = gradio.Dropdown(
            found, value=found[0][1] if found else None, label=say("results"), scale=2,
            info=empty or None,
        )  # fmt: skip
        name = gradio.Textbox(
            label=say("name"), info=say("name_info"), max_lines=1, max_length=LONGEST_NAME
        )
    tab = gradio.Textbox(visible=False)
    start = gradio.Button(say("start"), variant="primary", elem_id="review-start")
    message = gradio.HTML(js_on_load=None, elem_classes="live", elem_id="review-message")
    seat, shown = gradio.State(None), gradio.Textbox(visible="hidden", elem_id="review-shown")
    with gradio.Column(visible=False) as desk:
        card = gradio.HTML(js_on_load=KEYS_JS, elem_id="review-card", elem_classes="live")
        reasoning = gradio.Textbox(
            label=say("reasoning"), info=say("reasoning_info"), lines=3,
            elem_id="review-reasoning",
        )  # fmt: skip
        with gradio.Row():
            agree = gradio.Button(variant="primary", size="lg", elem_id="review-agree")
            overrule = gradio.Button(variant="stop", size="lg", elem_id="review-overrule")
            skip = gradio.Button(say("skip"), size="lg", elem_id="review-skip")
            undo = gradio.Button(say("undo"), size="lg", elem_id="review-undo")
        gradio.HTML(f'<p class="note">{say("keys")}</p>', js_on_load=None)
        counters = gradio.HTML(js_on_load=None, elem_id="review-counters")
    with gradio.Accordion(say("export"), open=False):
        fewest = gradio.Number(
            label=say("min_reviewers"), info=say("min_info"), value=0, precision=0, minimum=0
        )
        make = gradio.Button(say("make_files"), elem_id="review-make")
        told = gradio.HTML(js_on_load=None, elem_classes="live")
        files = gradio.Files(label=say("files"), interactive=False, visible=False)

    parts = [seat, shown, desk, card, agree, overrule, skip, reasoning, counters, message]

    def show(view: View | None) -> list[Any]:
        if view is None:
            return [gradio.skip()] * len(parts)
        row = view.row
        words = labels(context, row) if row else ("", "")
        return [
            view.seat,
            view.seat.row,
            gradio.Column(visible=True),
            view.card,
            *(gradio.Button(word, visible=row is not None) for word in words),
            gradio.Button(visible=row is not None),
            gradio.Textbox(row.reasoning if row else "", visible=row is not None),
            view.counters,
            _note(view.message),
        ]

    def started(results: str | None, name: str, tab: str) -> list[Any]:
        return show(_told(lambda: begin(context, desks, results, name, tab)))

    def pressed(key: str, seat: Seat | None, shown: str, reasoning: str) -> list[Any]:
        if seat is None:
            warn(say("reload"))
            return show(None)
        return show(_told(lambda: press(context, desks, seat, shown, key, reasoning or "")))

    def made(results: str | None, fewest: float | None) -> tuple[Any, str]:
        place = Path(folder.name) / uuid4().hex
        least = int(fewest or 0) or None

        def work() -> tuple[list[Path], str]:
            return write_files(context, desks.at(offered(context, results)), place, least)

        done = _told(work)
        if done is None:
            return gradio.skip(), ""
        written, words = done
        return gradio.Files([str(path) for path in written], visible=bool(written)), words

    # One press at a time: the next sees what this one has done.
    turn = {"concurrency_id": "review", "concurrency_limit": 1, "show_progress": "hidden"}
    gradio.on(None, lambda: gradio.Dropdown(choices(context)), outputs=results, **turn)
    gradio.on([start.click, name.submit], started, [results, name, tab], parts, js=TAB_JS, **turn)
    for key, button in ((AGREE, agree), (OVERRULE, overrule), (SKIP, skip), (UNDO, undo)):
        done = button.click(partial(pressed, key), [seat, shown, reasoning], parts, **turn)
        done.then(None, js=SCROLL_JS)
    make.click(made, [results, fewest], [files, told], show_progress="minimal")


def _told(work: Any) -> Any:
    """What the work gives; None where it failed, in words on the page."""
    try:
        return work()
    except PengadilError as error:
        warn(error)
        return None


def _note(text: str) -> str:
    from html import escape

    return f'<p class="note">{escape(text)}</p>' if text else ""
