"""Rows: a loss where the recipe says and nowhere else, and every row in its place in an epoch."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pengadil.data.bundled import load_bundled
from pengadil.errors import PengadilError
from pengadil.prompts import Prompt, load_prompt
from pengadil.records import Example
from pengadil.tokens import Encoder
from pengadil.training.rows import (
    IGNORED,
    TrainingRow,
    epoch_order,
    make_rows,
    training_order,
)

LOSSES = ("verdict", "completion", "weighted")
# A token a character, so that every place can be reckoned.
LETTERS = Encoder(
    encode=lambda text: [ord(letter) + 10 for letter in text],
    decode=lambda ids: "".join(chr(token - 10) for token in ids if token > 1),
    template="<{{ messages[0].content }}>",
    bos="",
    eos="",
    eos_id=1,
)
VERDICT = Prompt("verdict", "verdict", "ms", "$passage|$question")
REASONING = Prompt("reasoning", "reasoning", "ms", "$passage|$question")
ALI = Example("ali", "Ali lahir di Ipoh.", "Ali lahir pada 10?", 1, reasoning="1 lawan 0, 01.")
PASSAGES = st.text(st.characters(codec="utf-8"), max_size=20)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_row_is_prompt_and_answer_with_no_loss_on_the_prompt(loss: str) -> None:
    prompt = VERDICT if loss == "verdict" else REASONING
    [row] = make_rows([ALI], prompt, LETTERS, 200, loss, 5.0)
    asked = LETTERS.prompt(prompt, ALI)
    assert row.ids[: len(asked)] == asked
    assert LETTERS.decode(asked) == "<Ali lahir di Ipoh.|Ali lahir pada 10?>"
    answer = json.loads(LETTERS.decode(row.ids[len(asked) :]))
    assert answer == ({} if loss == "verdict" else {"reasoning": ALI.reasoning}) | {
        "consistency": 1
    }
    assert row.ids[-1] == LETTERS.eos_id
    assert row.labels[: len(asked)] == [IGNORED] * len(asked)
    assert row.weights[: len(asked)] == [0.0] * len(asked)
    assert (row.id, row.group) == ("ali", ALI.passage)


@pytest.mark.parametrize("answer", [0, 1])
def test_the_verdict_loss_is_on_the_verdict_alone(answer: int) -> None:
    [row] = make_rows([replace(ALI, answer=answer)], VERDICT, LETTERS, 200, "verdict", 5.0)
    [place] = [place for place, label in enumerate(row.labels) if label != IGNORED]
    assert LETTERS.decode([row.labels[place]]) == str(answer)
    assert LETTERS.decode(row.ids[place:]) == f"{answer}}}"
    assert [weight for weight in row.weights if weight] == [1.0] == [row.weights[place]]


@pytest.mark.parametrize("loss", ["completion", "weighted"])
def test_the_completion_loss_is_on_all_of_the_answer_and_its_end(loss: str) -> None:
    [row] = make_rows([ALI], REASONING, LETTERS, 200, loss, 5.0)
    start = len(LETTERS.prompt(REASONING, ALI))
    assert row.labels[start:] == row.ids[start:]
    assert row.labels[-1] == LETTERS.eos_id
    heavy = [place for place, weight in enumerate(row.weights) if weight == 5.0]
    assert set(row.weights[start:]) == ({1.0, 5.0} if heavy else {1.0})
    if loss == "completion":
        assert heavy == []
    else:
        [place] = heavy
        assert LETTERS.decode(row.ids[place:]) == "1}"


@settings(deadline=None)
@given(
    passage=PASSAGES,
    reasoning=st.text('01 "\\{}:consistency', min_size=1),
    answer=st.integers(0, 1),
    loss=st.sampled_from(LOSSES),
)
def test_digits_before_it_never_hide_the_verdict(
    passage: str, reasoning: str, answer: int, loss: str
) -> None:
    example = Example("a", passage, "x", answer, reasoning=reasoning)
    [row] = make_rows([example], REASONING, LETTERS, 10_000, loss, 7.0)
    assert len(row.ids) == len(row.labels) == len(row.weights)
    places = [place for place, weight in enumerate(row.weights) if weight]
    if loss == "weighted":
        places = [place for place, weight in enumerate(row.weights) if weight == 7.0]
    if loss == "completion":
        assert places == list(range(len(LETTERS.prompt(REASONING, example)), len(row.ids)))
    else:
        assert LETTERS.decode(row.ids[places[0] :]) == f"{answer}}}"
        assert len(places) == 1
    assert all(
        label in (IGNORED, token) and (label == IGNORED) == (weight == 0)
        for token, label, weight in zip(row.ids, row.labels, row.weights, strict=True)
    )


@pytest.mark.parametrize("name", ["verdict", "reasoning"])
def test_real_rows_of_the_sample_label_the_verdict(small_encoder: Encoder, name: str) -> None:
    prompt = load_prompt(name)
    loss = {"verdict": "verdict", "reasoning": "weighted"}[name]
    examples = load_bundled("contoh-sederhana", "train", 24)
    for row, example in zip(
        make_rows(examples, prompt, small_encoder, 512, loss, 9.0), examples, strict=True
    ):
        place = row.weights.index(max(row.weights))
        assert small_encoder.decode(row.ids[place:]) == f"{example.answer}}}"
        assert row.labels[place] == row.ids[place]
        assert row.ids[-1] == small_encoder.eos_id
        assert example.passage in small_encoder.decode(row.ids)


def test_rows_too_long_are_refused_all_at_once_with_ids() -> None:
    examples = [replace(ALI, id=f"r{number}", passage="x" * number) for number in range(1, 101)]
    lengths = [len(row.ids) for row in make_rows(examples, VERDICT, LETTERS, 1000, "verdict")]
    assert lengths == list(range(lengths[0], lengths[0] + 100))
    assert len(make_rows(examples, VERDICT, LETTERS, lengths[-1], "verdict")) == 100
    with pytest.raises(PengadilError) as refused:
        make_rows(examples, VERDICT, LETTERS, lengths[-3], "verdict")
    assert refused.value.found == (
        f"2 rows: r99 ({lengths[-2]} tokens), r100 ({lengths[-1]} tokens)"
    )
    assert f"data.max_length = {lengths[-3]}" in refused.value.wrong
    with pytest.raises(PengadilError, match=r"100 rows: r1 .* r5 \(\d+ tokens\) and 95 more"):
        make_rows(examples, VERDICT, LETTERS, 10, "verdict")


def test_rows_without_the_reasoning_that_is_asked_for_are_refused() -> None:
    examples = [ALI, replace(ALI, id="siti", reasoning="")]
    with pytest.raises(PengadilError, match="1 rows: siti: no reasoning to train on"):
        make_rows(examples, REASONING, LETTERS, 200, "completion")
    assert len(make_rows(examples, VERDICT, LETTERS, 200, "completion")) == 2


def rows_of(*groups: str) -> list[TrainingRow]:
    return [TrainingRow(str(n), group, [1], [1], [1.0]) for n, group in enumerate(groups)]


SOURCES = st.lists(st.lists(st.sampled_from("abcdefgh").map(str), max_size=12), max_size=3).map(
    lambda sources: [rows_of(*groups) for groups in sources]
)


@given(SOURCES, st.sampled_from(["shuffled", "listed"]), st.integers(0, 99))
def test_an_epoch_has_every_row_once_and_documents_together(
    sources: list[list[TrainingRow]], order: str, seed: int
) -> None:
    indices = epoch_order(sources, order, seed)
    rows = [(number, row) for number, source in enumerate(sources) for row in source]
    assert sorted(indices) == list(range(len(rows)))
    assert indices == epoch_order(sources, order, seed)
    if order == "listed":
        seen = [rows[index][0] for index in indices]
        assert seen == sorted(seen)
        documents = [(rows[index][0], rows[index][1].group) for index in indices]
    else:
        documents = [(0, rows[index][1].group) for index in indices]
    runs = [document for document, _ in groupby(documents)]
    assert len(runs) == len(set(runs))


def test_documents_are_shuffled_anew_by_each_seed_and_epoch() -> None:
    rows = [rows_of(*(str(number // 2) for number in range(40)))]
    orders = [epoch_order(rows, "shuffled", seed) for seed in range(4)]
    assert len({tuple(order) for order in orders}) == 4
    assert all(order != sorted(order) for order in orders)
    twice = training_order(rows, "shuffled", 0, 100)
    assert twice == orders[0] + orders[1] + orders[2][:20]
    assert training_order(rows, "shuffled", 0, 7) == orders[0][:7]


def test_listed_sources_come_one_after_the_other_in_each_epoch() -> None:
    easy, hard = rows_of(*"aabb"), rows_of(*"ccdd")
    order = training_order([easy, hard], "listed", 1, 16)
    assert [index // 4 for index in order] == [0] * 4 + [1] * 4 + [0] * 4 + [1] * 4
