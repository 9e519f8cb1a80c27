"""The rows that a classifier trains on are the pairs that it judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers_classifier import make_random
from hypothesis import given, settings
from hypothesis import strategies as st

from pengadil.data.bundled import load_bundled
from pengadil.errors import PengadilError
from pengadil.judges.base import SCORE
from pengadil.judges.encoder import EncoderJudge
from pengadil.loading import load_tokenizer
from pengadil.models import LocalModel
from pengadil.prompts import load_prompt
from pengadil.records import Example
from pengadil.training.classifier_rows import make_classifier_rows

LONG = Example("long", "Ali tinggal di Ipoh. " * 30, "Ali guru.", 0)
SHORT = Example("short", "Ali tinggal di Ipoh.", "Ali guru.", 1)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Large weights, so that the answers differ by row.
    folder = tmp_path_factory.mktemp("bert")
    return make_random(folder, "bert", head=True, initializer_range=0.5)


@pytest.fixture(scope="module")
def tokenizer(classifier: Path) -> Any:
    return load_tokenizer(classifier)


def test_a_row_is_what_the_judge_computes(classifier: Path, tokenizer: Any) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification

    examples = load_bundled("contoh", "train", 12, 1)
    judge = EncoderJudge.open(LocalModel("tiny", classifier, ""), dtype="float32")
    judged = judge.judge(examples, load_prompt("verdict"), SCORE)
    found = {row.id: row for batch in judged for row in batch}
    model = AutoModelForSequenceClassification.from_pretrained(classifier).eval()
    rows = make_classifier_rows(examples, tokenizer, 128)
    for row, example in zip(rows, examples, strict=True):
        inputs = {name: torch.tensor([ids]) for name, ids in row.inputs.items()}
        with torch.inference_mode():
            one = float(model(**inputs).logits[0].softmax(dim=0)[1])
        assert found[row.id].probability == pytest.approx(one, abs=1e-5)
        assert found[row.id].prompt_tokens == row.size == len(row.ids)
        assert (row.id, row.group, row.label) == (example.id, example.passage, example.answer)
    assert len({row.probability for row in found.values()}) > 6


def test_the_tokenizer_tells_passage_and_question_apart(tokenizer: Any) -> None:
    [row] = make_classifier_rows([SHORT], tokenizer, 128)
    types = row.inputs["token_type_ids"]
    assert types == sorted(types)
    at = types.index(1)
    assert row.ids[:at] == tokenizer(SHORT.passage)["input_ids"]
    assert row.ids[at:] == tokenizer(SHORT.question)["input_ids"][1:]


def test_without_token_types_a_row_has_none(tokenizer: Any, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    other = load_tokenizer(tmp_path)
    other.model_input_names = ["input_ids", "attention_mask"]
    [row] = make_classifier_rows([SHORT], other, 128)
    assert row.inputs.keys() == {"input_ids", "attention_mask"}


@settings(max_examples=40, deadline=None)
@given(passage=st.text(min_size=1, max_size=60), question=st.text(min_size=1, max_size=30))
def test_whatever_the_texts_no_token_is_lost(passage: str, question: str, tokenizer: Any) -> None:
    [row] = make_classifier_rows([Example("a", passage, question, 1)], tokenizer, 512)
    alone = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in (passage, question)]
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    assert row.ids == [first, *alone[0], last, *alone[1], last]
    assert {len(values) for values in row.inputs.values()} == {row.size}


def test_rows_that_are_too_long_are_refused_or_left_out_and_never_cut(tokenizer: Any) -> None:
    with pytest.raises(
        PengadilError, match=r"long \(\d+ tokens\).*data\.max_length = 32"
    ) as caught:
        make_classifier_rows([SHORT, LONG], tokenizer, 32)
    assert "short" not in caught.value.found
    assert "answer would be cut" not in str(caught.value)
    left_out: list[str] = []
    rows = make_classifier_rows([SHORT, LONG], tokenizer, 32, left_out)
    assert ([row.id for row in rows], left_out) == (["short"], ["long"])
    [whole] = make_classifier_rows([LONG], tokenizer, 500)
    assert whole.size > 128


def test_a_row_is_no_longer_than_the_model_reads(tokenizer: Any) -> None:
    longer = Example("longer", LONG.passage * 3, "Ali guru.", 0)
    with pytest.raises(PengadilError, match=r"longer than the 512 tokens that the model reads"):
        make_classifier_rows([SHORT, longer], tokenizer, 10_000)
    left_out: list[str] = []
    make_classifier_rows([SHORT, longer], tokenizer, 10_000, left_out)
    assert left_out == ["longer"]


def test_a_tokenizer_without_padding_is_refused(tokenizer: Any, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    other = load_tokenizer(tmp_path)
    other.pad_token = None
    with pytest.raises(PengadilError, match="no padding"):
        make_classifier_rows([SHORT], other, 128)
