"""The Judge tab: a document, a statement, and what the model says of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from pengadil.app.context import Context
from pengadil.app.documents import opened
from pengadil.app.judge_events import Shown, choices, judge, waiting_html
from pengadil.app.judge_words import WORDS
from pengadil.judges.base import SCORE
from pengadil.records import Example

# A plain one that agrees, one that does not, and a hard one: (grade, id), by language.
EXAMPLES = {
    "ms": (
        ("contoh", "contoh-test-00001"),
        ("contoh", "contoh-test-00004"),
        ("contoh-sukar", "sukar-002"),
    ),
    "en": (
        ("contoh", "contoh-test-00005"),
        ("contoh", "contoh-test-00010"),
        ("contoh-sederhana", "contoh-sederhana-test-00005"),
    ),
}
EXAMPLE_ROWS = 10
# On a phone the verdict comes up below what one sees.
TO_VERDICT = """() => {
  const verdict = document.getElementById("judge-verdict");
  if (verdict.getBoundingClientRect().bottom > innerHeight) verdict.scrollIntoView();
}"""


def build(context: Context) -> None:
    """Put the tab into the page."""
    import gradio

    def say(key: str) -> str:
        return context.say(WORDS, key)

    with gradio.Row():
        with gradio.Column(min_width=280), gradio.Group(elem_classes="takes-file"):
            document = gradio.Textbox(
                label=say("document"),
                placeholder=say("document_hint"),
                lines=10,
                max_lines=18,
                elem_id="judge-document",
            )
            file = gradio.UploadButton(say("file"), size="sm", elem_id="judge-file")
        with gradio.Column(min_width=280):
            statement = gradio.Textbox(
                label=say("statement"), placeholder=say("statement_hint"), elem_id="judge-statement"
            )
            model = gradio.Dropdown(
                context.models(),
                value=context.shelf.names[0],
                label=say("model"),
                elem_id="judge-model",
            )
            mode = gradio.Radio(
                choices(context), value=SCORE, label=say("mode"), elem_id="judge-mode"
            )
            with gradio.Row():
                go = gradio.Button(say("judge"), variant="primary", elem_id="judge-go")
                stop = gradio.Button(say("stop"), elem_id="judge-stop")
    gradio.HTML(f'<p class="note">{say("examples")}</p>', js_on_load=None)
    with gradio.Row():
        for row in examples(context.language):
            button = gradio.Button(row.question, size="sm", elem_classes="example")
            button.click(None, None, [document, statement], js=filler(row))
    gradio.HTML(f"<h2>{say('result')}</h2>", js_on_load=None)
    verdict = gradio.HTML(
        waiting_html(context), elem_id="judge-verdict", elem_classes="live", js_on_load=None
    )
    reasoning = gradio.HTML(elem_id="judge-reasoning", js_on_load=None)
    shown = gradio.HTML(elem_id="judge-shown", js_on_load=None)

    file.upload(lambda path: _opened(path, context), file, document, show_progress="minimal")
    judging = gradio.on(
        [go.click, statement.submit],
        _judging(context),
        [model, mode, document, statement],
        [verdict, reasoning, shown],
        trigger_mode="once",
        show_progress="hidden",
    )
    judging.then(None, js=TO_VERDICT)
    stop.click(lambda: waiting_html(context), None, verdict, cancels=judging, queue=False)


@cache
def examples(language: str) -> tuple[Example, ...]:
    """Rows of the bundled sample to try, in one language."""
    from pengadil.data.bundled import HARD, load_bundled

    found: list[Example] = []
    for grade, name in EXAMPLES[language]:
        rows = load_bundled(grade, "test", None if grade == HARD else EXAMPLE_ROWS)
        found += [row for row in rows if row.id == name]
    return tuple(found)


def filler(row: Example) -> str:
    """JavaScript that gives the row's document and statement: no need to ask the server."""
    import json

    return f"() => {json.dumps([row.passage, row.question])}"


def _opened(path: str | None, context: Context) -> Any:
    import gradio

    text = opened(path, context)
    return gradio.skip() if text is None else text


def _judging(context: Context) -> Any:
    """`judge` as Gradio calls it: what it leaves as it is is skipped."""
    import gradio

    def event(model: str, mode: str, document: str, statement: str) -> Iterator[tuple[Any, ...]]:
        for now in judge(context, model, mode, document, statement):
            yield tuple(gradio.skip() if part is None else part for part in parts(now))

    return event


def parts(shown: Shown) -> tuple[str | None, str | None, str | None]:
    """In the order of the page."""
    return shown.verdict, shown.reasoning, shown.document
