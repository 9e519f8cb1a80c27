"""The Guard tab: documents, a chatbot's answer, and which of its sentences they support."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from pengadil.app.context import Context
from pengadil.app.guard_events import check, with_files
from pengadil.app.guard_words import WORDS
from pengadil.app.states import state_html
from pengadil.records import Example

# Rows of the bundled sample that the examples are made of, and documents in the long one.
EXAMPLE_ROWS, LONG = 120, 16
# The report is made a file in the browser: none is left on this machine.
DOWNLOAD = """(text) => {
  if (!text) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "guard-report.json";
  link.click();
  URL.revokeObjectURL(link.href);
}"""


def build(context: Context) -> None:
    """Put the tab into the page."""
    import gradio

    def say(key: str) -> str:
        return context.say(WORDS, key)

    gradio.HTML(f'<p class="note">{say("what")}</p>', js_on_load=None)
    with gradio.Row():
        with gradio.Column(min_width=280), gradio.Group(elem_classes="takes-file"):
            documents = gradio.Textbox(
                label=say("documents"),
                placeholder=say("documents_hint"),
                lines=10,
                max_lines=18,
                elem_id="guard-documents",
            )
            with gradio.Row():
                files = gradio.UploadButton(
                    say("files"), file_count="multiple", size="sm", elem_id="guard-files"
                )
                clear = gradio.Button(say("clear"), size="sm", elem_id="guard-clear")
        with gradio.Column(min_width=280):
            answer = gradio.Textbox(
                label=say("answer"),
                placeholder=say("answer_hint"),
                lines=4,
                max_lines=12,
                elem_id="guard-answer",
            )
            model = gradio.Dropdown(
                context.models(),
                value=context.shelf.names[0],
                label=say("model"),
                elem_id="guard-model",
            )
            # Not gradio.Number: an empty one says 0, at which every sentence would pass.
            threshold = gradio.Textbox(
                label=say("own"), placeholder=say("own_hint"), elem_id="guard-threshold"
            )
            with gradio.Row():
                go = gradio.Button(say("check"), variant="primary", elem_id="guard-go")
                stop = gradio.Button(say("stop"), elem_id="guard-stop")
    gradio.HTML(f'<p class="note">{say("examples")}</p>', js_on_load=None)
    with gradio.Row():
        for name, (shown, claimed) in examples(context.language).items():
            button = gradio.Button(say(f"example_{name}"), size="sm", elem_classes="example")
            filler = f"() => {json.dumps([shown, claimed])}"
            button.click(None, None, [documents, answer], js=filler)
    gradio.HTML(f"<h2>{say('result')}</h2>", js_on_load=None)
    result = gradio.HTML(
        state_html(say("waiting")), elem_id="guard-result", elem_classes="live", js_on_load=None
    )
    report = gradio.Textbox(visible=False)
    download = gradio.Button(say("report"), size="sm", visible=False, elem_id="guard-report")

    files.upload(
        lambda text, paths: with_files(context, text, paths),
        [documents, files],
        documents,
        show_progress="minimal",
    )
    clear.click(None, None, documents, js='() => ""')
    checking = go.click(
        _checking(context),
        [model, documents, answer, threshold],
        [result, report, download],
        trigger_mode="once",
        show_progress="hidden",
    )
    stop.click(lambda: state_html(say("waiting")), None, result, cancels=checking, queue=False)
    download.click(None, report, None, js=DOWNLOAD)


@cache
def examples(language: str) -> dict[str, tuple[str, str]]:
    """By name: documents, and an answer about them; of the bundled sample, in one language."""
    from pengadil.data.bundled import EASY, load_bundled

    rows = [
        row
        for row in load_bundled(EASY, "test", EXAMPLE_ROWS)
        if row.language == language and not row.question.endswith("?")
    ]
    right = [row for row in rows if row.answer]
    wrong = [row for row in rows if not row.answer]
    mixed, agreeing = [right[0], wrong[0]], right[1:3]
    long = " ".join(row.passage for row in rows[:LONG])
    return {
        "mixed": (_headed(mixed), _claimed(mixed)),
        "right": (_headed(agreeing), _claimed(agreeing)),
        "long": (long, _claimed(mixed)),
    }


def _headed(rows: list[Example]) -> str:
    named = enumerate(rows, start=1)
    return "\n\n".join(f"=== {number}.txt ===\n{row.passage}" for number, row in named)


def _claimed(rows: list[Example]) -> str:
    return " ".join(row.question for row in rows)


def _checking(context: Context) -> Any:
    """`check` as Gradio calls it; the download is shown with a report."""
    import gradio

    def event(
        model: str, documents: str, answer: str, threshold: str
    ) -> Iterator[tuple[str, str, Any]]:
        for now in check(context, model, documents, answer, threshold):
            yield now.shown, now.json, gradio.update(visible=bool(now.json))

    return event
