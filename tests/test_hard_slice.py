"""The hand-written slice: well-formed, balanced, and not to be solved by counting words."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from pengadil.baselines import overlap_features
from pengadil.data.bundled import FOLDER, HARD, load_bundled
from pengadil.records import Example, read_examples

NEGATION = re.compile(r"\b(tidak|bukan|belum|tiada)\b", re.IGNORECASE)


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return read_examples(FOLDER / f"{HARD}.jsonl")


def separation(examples: list[Example], scores: list[float]) -> float:
    """Area under the ROC curve: 0.5 when the score says nothing of the label."""
    labels = [example.answer for example in examples]
    ones = [score for score, label in zip(scores, labels, strict=True) if label]
    zeros = [score for score, label in zip(scores, labels, strict=True) if not label]
    wins = sum((one > zero) + (one == zero) / 2 for one in ones for zero in zeros)
    return wins / (len(ones) * len(zeros))


def best_threshold_accuracy(examples: list[Example], scores: list[float]) -> float:
    """The most that a single cut through the score can get right, in either direction."""
    labels = [example.answer for example in examples]
    cuts = [
        sum((score >= cut) == bool(label) for score, label in zip(scores, labels, strict=True))
        for cut in scores
    ]
    return max(max(cuts), len(labels) - min(cuts)) / len(labels)


def test_it_is_the_bundled_hard_slice(examples: list[Example]) -> None:
    assert load_bundled(HARD, "test") == examples


def test_size_and_balance(examples: list[Example]) -> None:
    assert len(examples) >= 60
    assert sum(example.answer for example in examples) * 2 == len(examples)


def test_each_kind_holds_both_labels_in_balance(examples: list[Example]) -> None:
    labels: defaultdict[str, list[int]] = defaultdict(list)
    for example in examples:
        labels[example.group].append(example.answer)
    assert len(labels) >= 8
    for kind, answers in labels.items():
        assert kind
        assert min(answers.count(0), answers.count(1)) >= 2, kind
        assert abs(answers.count(0) - answers.count(1)) <= 1, kind


def test_every_row_is_filled_in(examples: list[Example]) -> None:
    for number, example in enumerate(examples, start=1):
        assert example.id == f"sukar-{number:03d}"
        assert (example.language, example.source) == ("ms", HARD)
        assert example.reasoning.endswith("."), example.id


def test_the_evidence_is_one_whole_sentence_of_the_passage(examples: list[Example]) -> None:
    for example in examples:
        sentences = re.split(r"(?<=[.!?]) (?=[A-Z])", example.passage)
        assert 2 <= len(sentences) <= 5, example.id
        assert example.evidence in sentences, example.id


def test_no_text_stands_twice(examples: list[Example]) -> None:
    for texts in (
        [example.passage for example in examples],
        [example.question for example in examples],
        [example.reasoning for example in examples],
    ):
        assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("share of words found", lambda example: overlap_features(example)[0]),
        ("words not found", lambda example: overlap_features(example)[3]),
        ("length of the statement", lambda example: float(len(example.question))),
        ("length of the passage", lambda example: float(len(example.passage))),
        ("a negation", lambda example: float(bool(NEGATION.search(example.question)))),
        ("a question mark", lambda example: float(example.question.endswith("?"))),
    ],
)
def test_no_surface_mark_separates_the_labels(examples: list[Example], name: str, score) -> None:
    scores = [score(example) for example in examples]
    assert 0.35 <= separation(examples, scores) <= 0.65, name
    assert best_threshold_accuracy(examples, scores) <= 0.65, name
