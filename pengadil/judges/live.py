"""One document and one statement, the reasoning shown while it is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pengadil.judges.base import ChatJudge, Judge, Question, judgement
from pengadil.judges.single import REASONING_START, judge_one, reasoning_of
from pengadil.prompts import Prompt
from pengadil.records import Example, Judgement

# What stands in a JSON string so far, cut before an escape that is not whole yet. A character
# beyond 16 bits is two escapes.
INSIDE = re.compile(
    r"""(?:[^"\\] | \\["\\/bfnrt] | \\u[dD][89abAB]..\\u[dD][c-fC-F]..
        | \\u(?![dD][89a-fA-F])[0-9a-fA-F]{4})*""",
    re.VERBOSE,
)


def judge_live(
    judge: Judge,
    prompt: Prompt,
    document: str,
    statement: str,
    mode: str,
    name: str = "document",
) -> Iterator[str | Judgement]:
    """Pieces of the reasoning while it is written, last the Judgement that `judge_one` gives.

    No pieces where no reasoning is asked for, or where the judge is not a chat model. The pieces
    are `reasoning_of` the judgement's `raw`, but for an answer whose JSON is broken. Closing the
    iterator stops the work. Raises PengadilError as `judge_one` does.
    """
    if not isinstance(judge, ChatJudge) or not prompt.form.reasoning:
        yield judge_one(judge, prompt, document, statement, mode, name)
        return
    example = Example(name, document, statement, answer=0)
    question = Question(name, prompt.render(example), prompt.shared(example))
    raw, shown = "", ""
    for item in judge.answer_live(question, prompt.form, mode, prompt.opening):
        if isinstance(item, str):
            raw += item
            reasoning = reasoning_so_far(raw)
        else:
            raw, reasoning = item.raw, reasoning_of(item.raw)
        if reasoning.startswith(shown) and len(reasoning) > len(shown):
            yield reasoning[len(shown) :]
            shown = reasoning
        if not isinstance(item, str):
            yield judgement(example, item)


def reasoning_so_far(raw: str) -> str:
    """The reasoning in an answer that is still written, without a space or an escape at its end."""
    start = REASONING_START.search(raw)
    if not start:
        return ""
    inside = INSIDE.match(raw, start.end())
    assert inside is not None
    return str(json.loads(f'"{inside[0]}"', strict=False)).strip()
