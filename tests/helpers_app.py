"""The page with judges that answer at once: a statement agrees if it stands in the document."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from pengadil.app.context import Context, Language
from pengadil.app.shelf import Shelf
from pengadil.forms import Form
from pengadil.judges.base import (
    DEFAULT_SAMPLING,
    SCORE,
    Answer,
    ChatJudge,
    Fit,
    Question,
    Sampling,
    check_mode,
)
from pengadil.prompts import Prompt, load_prompt
from pengadil.records import Example

# Run by a browser that takes it for HTML: the tests look whether `window.attacked` is set.
EVIL = (
    "<script>window.attacked=1</script><img src=x onerror='window.attacked=2'>"
    "<svg onload=window.attacked=3> **b** [x](javascript:window.attacked=4) ${window.attacked=5} "
    "{{window.attacked=6}} </textarea></div>"
)


@dataclass
class PageJudge(ChatJudge):
    """Reads one word a token. `reasoning` is what it writes before a verdict, where asked to."""

    name: str = "palsu"
    reasoning: str = "Kerana begitu."
    context: int = 10_000
    seconds: float = 0.0
    asked: int = 0
    at_once: list[int] = field(default_factory=lambda: [0])
    closed: int = 0
    _now: int = 0
    _lock: Any = field(default_factory=Lock)

    def describe(self) -> dict[str, Any]:
        return {"kind": "fake"}

    def check(self, form: Form, mode: str) -> None:
        check_mode(mode)

    def count(self, text: str) -> int:
        return len(text.split())

    def fit(self, example: Example, prompt: Prompt, mode: str) -> Fit:
        return Fit(self.count(example.passage) + self.count(example.question) + 20, self.context)

    def answer(
        self, questions: Sequence[Question], form: Form, mode: str, opening: str = ""
    ) -> Iterator[list[tuple[int, Answer]]]:
        for index, question in enumerate(questions):
            with self._lock:
                self.asked += 1
                self._now += 1
                self.at_once.append(self._now)
            time.sleep(self.seconds)
            with self._lock:
                self._now -= 1
            yield [(index, self._said(question, form, mode))]

    def answer_live(
        self, question: Question, form: Form, mode: str, opening: str = ""
    ) -> Iterator[str | Answer]:
        [[(_, said)]] = self.answer([question], form, mode, opening)
        try:
            yield from said.raw
            yield said
        finally:
            self.closed += 1

    def write(
        self, messages: Sequence[dict[str, str]], sampling: Sampling = DEFAULT_SAMPLING
    ) -> Iterator[str]:
        for piece in f"{self.name} reads {len(messages)}: {messages[-1]['content']}".split(" "):
            time.sleep(self.seconds / 20)
            yield piece + " "

    def _said(self, question: Question, form: Form, mode: str) -> Answer:
        import json

        text = question.messages[-1]["content"]
        document, _, statement = text.rpartition("\nPernyataan: ")
        claim = statement.strip().rstrip(".").casefold()
        if "entah" in claim:
            return Answer(None, "unreadable", None, "entahlah", self.seconds)
        verdict = int(claim in document.casefold())
        record: dict[str, Any] = {"reasoning": self.reasoning} if form.reasoning else {}
        raw = json.dumps({**record, "consistency": verdict}, ensure_ascii=False)
        probabilities = (0.97, 0.03) if verdict == 0 else (0.03, 0.97)
        return Answer(
            verdict, mode, probabilities if mode == SCORE else None, raw, self.seconds, 30, 10
        )


def fake_context(
    *judges: PageJudge,
    prompt: str = "verdict",
    language: Language = "ms",
    results: Path = Path("results"),
) -> Context:
    """A page whose models are these judges, by their names."""
    by_name = {judge.name: judge for judge in judges or (PageJudge(),)}
    shelf = Shelf(
        tuple(by_name),
        kept=len(by_name),
        open_one=by_name.__getitem__,
        prompt_of=lambda _: load_prompt(prompt),
    )
    return Context(shelf, language, results)


def pdf(path: Path, *pages: str, password: str | None = None, readable: bool = False) -> Path:
    """A PDF with a page for each text ("" for none); locked with `password` unless None.

    A `readable` one is locked against changes only.
    """
    from io import BytesIO

    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    name = NameObject
    font = DictionaryObject(
        {
            name("/Type"): name("/Font"),
            name("/Subtype"): name("/Type1"),
            name("/BaseFont"): name("/Helvetica"),
        }
    )
    writer = PdfWriter()
    for text in pages:
        page = writer.add_blank_page(400, 400)
        fonts = DictionaryObject({name("/F1"): font})
        page[name("/Resources")] = DictionaryObject({name("/Font"): fonts})
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 300 Td ({text}) Tj ET".encode("latin-1"))
        if text:
            page[name("/Contents")] = writer._add_object(stream)
    if password is not None:
        writer.encrypt("" if readable else password, password, algorithm="RC4-128")
    content = BytesIO()
    writer.write(content)
    path.write_bytes(content.getvalue())
    return path
