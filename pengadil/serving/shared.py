"""A judge that many threads may ask at once: whoever asks waits until a batch has their rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pengadil.forms import Form
from pengadil.judges.base import Fit, Judge
from pengadil.prompts import Prompt
from pengadil.records import Example, Judgement
from pengadil.serving.tickets import CURRENT
from pengadil.serving.waiting import Call, Line


class SharedJudge(Judge):
    """Stands in for `judge`, whose rows a `Worker` takes from `line`.

    What is built on a judge, such as the guard, so needs to know nothing of batches: the rows of
    all that ask at the same time are judged together.
    """

    def __init__(self, judge: Judge, line: Line) -> None:
        self.inside, self._line = judge, line
        self.name, self.destination = judge.name, judge.destination

    def notes(self) -> list[str]:
        return self.inside.notes()

    def describe(self) -> dict[str, Any]:
        return self.inside.describe()

    def check(self, form: Form, mode: str) -> None:
        self.inside.check(form, mode)

    def judge(
        self, examples: Sequence[Example], prompt: Prompt, mode: str
    ) -> Iterator[list[Judgement]]:
        """All judgements as one batch, in the examples' order, when the last of them is there.

        Raises what the judge inside raises for one of these rows; RefusedError when the request's
        time is up or its rows are too many, ClientGoneError when its client has left.
        """
        if not examples:
            return iter(())
        call = Call(list(examples), prompt, mode)
        ticket = CURRENT.get()
        if ticket is None:
            self._line.put(call)
            return iter([call.future.result()])
        ticket.enter(call.future, len(call.rows))
        self._line.put(call)
        return iter([ticket.wait(call.future)])

    def count(self, text: str) -> int | None:
        """The tokens of a text; ClientGoneError where nobody waits any more.

        A document of megabytes is counted sentence by sentence: that ends when its client leaves.
        """
        if ticket := CURRENT.get():
            ticket.check()
        return self.inside.count(text)

    def fit(self, example: Example, prompt: Prompt, mode: str) -> Fit | None:
        return self.inside.fit(example, prompt, mode)
