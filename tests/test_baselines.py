"""The overlap baseline learns from words that are missing, and from nothing else."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pengadil.baselines import overlap_baseline, overlap_features
from pengadil.errors import PengadilError
from pengadil.records import Example

TOWNS = ("Ipoh", "Kangar", "Muar", "Sibu", "Kuantan", "Melaka")


def example(passage: str, question: str, answer: int = 1) -> Example:
    return Example("x", passage, question, answer)


def towns(count: int, seed: int, borrowed: bool = False) -> list[Example]:
    """Half of the rows swap the birthplace: for an absent town, or for the other person's."""
    choose = random.Random(seed)
    rows = []
    for index in range(count):
        ali, siti, absent = choose.sample(TOWNS, 3)
        wrong = siti if borrowed else absent
        rows.append(
            Example(
                f"{seed}-{index}",
                f"Ali lahir di {ali} pada 1990. Siti lahir di {siti} pada 1985.",
                f"Ali berasal dari {ali if index % 2 else wrong}.",
                index % 2,
            )
        )
    return rows


def accuracy(train: list[Example], test: list[Example]) -> float:
    labels = overlap_baseline(train, test)
    return sum(label == row.answer for label, row in zip(labels, test, strict=True)) / len(test)


def test_features_count_words_numbers_and_names_found_in_any_order_and_case():
    features = overlap_features(
        example("Pada 1990, Ali lahir di Ipoh.", "ali lahir di Muar pada 1990 dan 1991")
    )
    # ali lahir di pada 1990 are found; Muar, dan, 1991 are not
    assert features == [5 / 8, 1 / 2, 0.0, 3.0]


def test_features_of_a_statement_with_nothing_to_find_say_that_nothing_is_missing():
    assert overlap_features(example("Ali.", "???")) == [1.0, 1.0, 1.0, 0.0]


def test_prices_and_hyphenated_words_stay_whole():
    whole = overlap_features(example("Anak-anak membayar RM12.50.", "anak-anak RM12.50"))
    part = overlap_features(example("Anak membayar RM12.", "anak-anak RM12.50"))
    assert whole[0] == 1.0
    assert part[:2] == [1 / 3, 0.0]


def test_it_solves_contradictions_by_an_absent_word():
    assert accuracy(towns(120, 1), towns(60, 2)) >= 0.95


def test_it_cannot_solve_contradictions_by_a_borrowed_word():
    assert accuracy(towns(120, 1, borrowed=True), towns(100, 2, borrowed=True)) <= 0.65


def test_word_order_changes_nothing():
    train, test = towns(60, 1), towns(40, 2)
    choose = random.Random(3)

    def shuffled(row: Example) -> Example:
        first, *rest = row.question.rstrip(".").split()
        choose.shuffle(rest)
        passage = row.passage.replace(".", "").split()
        choose.shuffle(passage)
        return Example(row.id, " ".join(passage), " ".join([first, *rest]), row.answer)

    mixed = [shuffled(row) for row in test]
    assert overlap_baseline(train, test) == overlap_baseline(train, mixed)


def test_it_is_the_same_every_time():
    train, test = towns(60, 1, borrowed=True), towns(60, 2, borrowed=True)
    assert overlap_baseline(train, test) == overlap_baseline(train, test)


def test_one_label_only_and_no_test_rows():
    agreeing = [example("Ali.", "Ali."), example("Siti.", "Siti.")]
    assert overlap_baseline(agreeing, towns(3, 1)) == [1, 1, 1]
    assert overlap_baseline(towns(4, 1), []) == []


def test_nothing_to_learn_from_is_an_error():
    with pytest.raises(PengadilError, match="no rows to learn from"):
        overlap_baseline([], towns(2, 1))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1), st.integers(0, 1)), min_size=1))
def test_any_text_gets_a_label(rows):
    examples = [example(passage, question, answer) for passage, question, answer in rows]
    labels = overlap_baseline(examples, examples)
    assert len(labels) == len(examples)
    assert set(labels) <= {0, 1}
    for row in examples:
        words, numbers, names, missing = overlap_features(row)
        assert 0 <= min(words, numbers, names) <= max(words, numbers, names) <= 1
        assert missing >= 0
