"""Rewrites to rows: the text asked for in the prompt's words, a loss on the whole new text."""

from __future__ import annotations

from collections.abc import Sequence

from pengadil.prompts import Prompt
from pengadil.records import Rewrite
from pengadil.tokens import Encoder
from pengadil.training.rows import IGNORED, TrainingRow, fitting


def make_rewrite_rows(
    rewrites: Sequence[Rewrite],
    prompt: Prompt,
    encoder: Encoder,
    max_length: int,
    left_out: list[str] | None = None,
) -> list[TrainingRow]:
    """The rows of the rewrites, in order; of those too long for `max_length`, see `fitting`.

    Raises PengadilError for a prompt that asks for a verdict.
    """
    rows = [_make_row(rewrite, prompt, encoder) for rewrite in rewrites]
    return fitting(rows, max_length, left_out)


def _make_row(rewrite: Rewrite, prompt: Prompt, encoder: Encoder) -> TrainingRow:
    asked = encoder.chat(prompt.render_text(rewrite.original))
    answer = encoder.answer(rewrite.rewritten)
    return TrainingRow(
        id=rewrite.id,
        group=rewrite.original,
        ids=asked + answer,
        labels=[IGNORED] * len(asked) + answer,
        weights=[0.0] * len(asked) + [1.0] * len(answer),
    )
