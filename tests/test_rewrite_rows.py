"""Rows of rewrites: a loss on the whole new text, and long ones left out aloud."""

from __future__ import annotations

import pytest

from pengadil.data.bundled import load_bundled
from pengadil.errors import PengadilError
from pengadil.prompts import load_prompt
from pengadil.records import Rewrite
from pengadil.tokens import Encoder
from pengadil.training.rewrite_rows import make_rewrite_rows
from pengadil.training.rows import IGNORED, make_rows

PROMPT = load_prompt("rewrite")
TEXT = Rewrite("a", "Pada hakikatnya, hujan turun.", "Hujan.", "s")


def test_the_loss_is_on_all_of_the_new_text_and_its_end(small_encoder: Encoder) -> None:
    [row] = make_rewrite_rows([TEXT], PROMPT, small_encoder, 200)
    asked = small_encoder.chat(PROMPT.render_text(TEXT.original))
    answer = [*small_encoder.encode("Hujan."), small_encoder.eos_id]
    assert row.ids == asked + answer
    assert row.labels == [IGNORED] * len(asked) + answer
    assert row.weights == [0.0] * len(asked) + [1.0] * len(answer)
    assert (row.id, row.group, row.size) == ("a", TEXT.original, len(row.ids))
    assert TEXT.original in small_encoder.decode(asked)


def test_long_rows_are_an_error_or_left_out_with_their_ids(small_encoder: Encoder) -> None:
    texts = [Rewrite(str(n), "Hujan. " * n, "Ya.") for n in range(1, 30)]
    rows = make_rewrite_rows(texts, PROMPT, small_encoder, 1000)
    limit = rows[19].size
    with pytest.raises(PengadilError, match=r"9 rows: 21 \(.*and 4 more: longer than data\.max_"):
        make_rewrite_rows(texts, PROMPT, small_encoder, limit)
    left_out: list[str] = ["of another source"]
    assert make_rewrite_rows(texts, PROMPT, small_encoder, limit, left_out) == rows[:20]
    assert left_out == ["of another source", *(str(n) for n in range(21, 30))]


def test_long_rows_of_examples_are_left_out_alike(small_encoder: Encoder) -> None:
    examples = load_bundled("contoh-sederhana", "train", 24)
    rows = make_rows(examples, load_prompt("verdict"), small_encoder, 512, "verdict")
    limit = sorted(row.size for row in rows)[11]
    left_out: list[str] = []
    kept = make_rows(
        examples, load_prompt("verdict"), small_encoder, limit, "verdict", left_out=left_out
    )
    assert kept == [row for row in rows if row.size <= limit]
    assert left_out == [row.id for row in rows if row.size > limit]
    assert left_out


def test_a_judges_prompt_is_refused(small_encoder: Encoder) -> None:
    with pytest.raises(PengadilError, match="asks for a verdict, not for a text to be rewritten"):
        make_rewrite_rows([TEXT], load_prompt("verdict"), small_encoder, 200)


def test_a_rewriters_prompt_judges_nothing(small_encoder: Encoder) -> None:
    examples = load_bundled("contoh", "train", 2)
    with pytest.raises(PengadilError, match="a judge gives verdicts"):
        make_rows(examples, PROMPT, small_encoder, 512, "completion")
