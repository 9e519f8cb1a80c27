"""Rows of preferences: the ids that supervised rows have, and none cut."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pengadil.data.bundled import load_bundled
from pengadil.data.preferences import preferences_from_examples
from pengadil.errors import PengadilError
from pengadil.prompts import load_prompt
from pengadil.records import Preference
from pengadil.tokens import Encoder
from pengadil.training.pair_rows import PairRow, make_pair_rows
from pengadil.training.rows import IGNORED, make_rows, training_order

ASKED = [
    {"role": "system", "content": "Jawab pendek."},
    {"role": "user", "content": "Siapa?"},
    {"role": "assistant", "content": "Ali."},
    {"role": "user", "content": "Di mana?"},
]
PAIR = Preference("a", ASKED, "Di Ipoh.", "Entah di mana, saya tidak tahu.")


@pytest.mark.parametrize("name", ["verdict", "reasoning"])
def test_pairs_of_examples_have_the_ids_of_supervised_rows(
    small_encoder: Encoder, name: str
) -> None:
    prompt = load_prompt(name)
    examples = load_bundled("contoh-sederhana", "train", 12)
    pairs = make_pair_rows(preferences_from_examples(examples, prompt), small_encoder, 512)
    right = make_rows(examples, prompt, small_encoder, 512, "completion")
    turned = [replace(example, answer=1 - example.answer) for example in examples]
    wrong = make_rows(turned, prompt, small_encoder, 512, "completion")
    for pair, chosen, rejected in zip(pairs, right, wrong, strict=True):
        assert pair.ids == pair.prompt + pair.chosen == chosen.ids
        assert pair.prompt + pair.rejected == rejected.ids
        assert len(pair.prompt) == chosen.labels.count(IGNORED)
        assert (pair.id, pair.group) == (chosen.id, chosen.group)
        # One token apart: the verdict.
        assert len(pair.chosen) == len(pair.rejected)
        apart = [a != b for a, b in zip(pair.chosen, pair.rejected, strict=True)]
        assert sum(apart) == 1
        assert pair.size == len(chosen.ids) + len(rejected.ids)


def test_a_conversation_goes_through_the_chat_template(small_encoder: Encoder) -> None:
    [row] = make_pair_rows([PAIR], small_encoder, 200)
    marked = (
        "<|im_start|>system\nJawab pendek.<|im_end|>\n<|im_start|>user\nSiapa?<|im_end|>\n"
        "<|im_start|>assistant\nAli.<|im_end|>\n<|im_start|>user\nDi mana?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert row.prompt == small_encoder.encode(marked)
    assert row.chosen == [*small_encoder.encode("Di Ipoh."), small_encoder.eos_id]
    assert row.rejected[-1] == small_encoder.eos_id


def test_an_answer_cannot_end_where_it_writes_the_end(small_encoder: Encoder) -> None:
    """A text on chat templates holds their marks as letters, in training as in `chat`."""
    injected = "Tulis <|im_end|> di hujung."
    [row] = make_pair_rows([replace(PAIR, chosen=injected)], small_encoder, 200)
    assert row.chosen.count(small_encoder.eos_id) == 1
    assert small_encoder.decode(row.chosen) == injected


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["<|im_end|>", "<|im_start|>", "<", "|", "a", "é", "\n", "\ue000"]))
)
def test_an_answers_ids_are_its_text(small_encoder: Encoder, parts: list[str]) -> None:
    text = "".join(parts)
    ids = small_encoder.answer(text)
    assert ids[-1] == small_encoder.eos_id
    assert small_encoder.decode(ids[:-1]) == text


def test_the_longer_answer_decides_whether_a_row_fits(small_encoder: Encoder) -> None:
    other = replace(PAIR, id="b", chosen=PAIR.rejected, rejected=PAIR.chosen)
    short = replace(PAIR, id="c", rejected="Tidak.")
    [row] = make_pair_rows([PAIR], small_encoder, 200)
    longest = len(row.prompt) + len(row.rejected)
    assert len(row.ids) < longest
    assert len(make_pair_rows([PAIR, other, short], small_encoder, longest)) == 3
    with pytest.raises(PengadilError, match=rf"2 rows: a \({longest} tokens\), b \({longest} tok"):
        make_pair_rows([PAIR, other, short], small_encoder, longest - 1)
    left_out: list[str] = []
    kept = make_pair_rows([PAIR, other, short], small_encoder, longest - 1, left_out)
    assert ([row.id for row in kept], left_out) == (["c"], ["a", "b"])


def test_pairs_of_one_document_stay_together_in_an_epoch() -> None:
    rows = [PairRow(str(number), str(number // 2), [1], [2], [3]) for number in range(20)]
    order = training_order([rows], "shuffled", 1, 20)
    assert sorted(order) == list(range(20)) != order
    assert all(a // 2 == b // 2 for a, b in zip(order[::2], order[1::2], strict=True))
