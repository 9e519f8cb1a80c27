"""The bundled sample keeps its promises: exact labels, unseen names and patterns, no giveaway.

Labels are checked from the text alone: `helpers_sample` reads every sentence back, and what the
statement claims is held against what the document says.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from itertools import combinations

import pytest
from helpers_sample import (
    CLAIMS,
    KINDS,
    WORDS,
    Said,
    has_word,
    readings,
    sentences,
)

from pengadil.baselines import overlap_baseline
from pengadil.data.bundled import EASY, GRADES, HARD, MIDDLE, SEEN, UNSEEN, load_bundled
from pengadil.data.sources import leaks, rows_sha256
from pengadil.errors import PengadilError
from pengadil.records import Example

NAMES = ("person", "place_name", "shop_name", "team_name")
MADE = (EASY, MIDDLE)
SPLITS = {"train": 3000, "validation": 200, "test": 200}
ALL = [(grade, split) for grade in MADE for split in SPLITS]


@cache
def rows(grade: str, split: str) -> list[Example]:
    return load_bundled(grade, split, SPLITS[split])


def read(sentence: str, forms: Sequence[str], row: Example) -> Said:
    """The one meaning of a sentence."""
    found = readings(sentence, tuple(forms), row.language)
    assert len(found) == 1, (sentence, found)
    return found[0]


def facts(row: Example) -> dict[tuple[str, str], Said]:
    """What the document says, by kind of fact and subject."""
    said = [read(sentence, ("document",), row) for sentence in sentences(row.passage)]
    found = {(fact.kind, fact.subject): fact for fact in said}
    assert len(found) == len(said)
    return found


def claim(row: Example) -> Said:
    return read(row.question, CLAIMS, row)


@pytest.mark.parametrize(("grade", "split"), ALL)
def test_every_label_is_what_the_document_says(grade: str, split: str) -> None:
    for row in rows(grade, split):
        document, claimed = facts(row), claim(row)
        truth = document[claimed.kind, claimed.subject]
        assert truth.domain == claimed.domain
        assert row.answer == int(claimed.value == truth.value), row


@pytest.mark.parametrize(("grade", "split"), ALL)
def test_every_evidence_sentence_decides(grade: str, split: str) -> None:
    for row in rows(grade, split):
        assert row.evidence in sentences(row.passage)
        claimed, evidence = claim(row), read(row.evidence, ("document",), row)
        assert evidence.kind == claimed.kind
        of_subject = evidence.subject == claimed.subject
        # A borrowed value is refuted where it belongs, a new one where the true one stands.
        assert of_subject != (row.answer == 0 and evidence.value == claimed.value)
        assert (of_subject and evidence.value == claimed.value) == bool(row.answer)


@pytest.mark.parametrize(("grade", "split"), ALL)
def test_every_reasoning_quotes_compares_and_concludes(grade: str, split: str) -> None:
    for row in rows(grade, split):
        claimed, evidence = claim(row), read(row.evidence, ("document",), row)
        assert f"'{row.evidence}'" in row.reasoning
        assert f"Pernyataan: {claimed.subject}, {claimed.value}" in row.reasoning
        assert f"Dokumen: {evidence.subject}, {evidence.value}" in row.reasoning
        assert row.reasoning.endswith("Sama." if row.answer else "Berbeza.")


@pytest.mark.parametrize(("grade", "split"), ALL)
def test_documents_tell_all_subjects_apart(grade: str, split: str) -> None:
    """The same kinds of fact for each subject, and no value of a kind twice."""
    for row in rows(grade, split):
        document = facts(row)
        kinds = {kind for kind, _ in document}
        subjects = {subject for _, subject in document}
        assert len(subjects) == (1 if grade == EASY else 2)
        assert len(document) == len(kinds) * len(subjects)
        assert 2 <= len(kinds) <= 3
        assert len({(kind, fact.value) for (kind, _), fact in document.items()}) == len(document)
        assert not subjects & {fact.value for fact in document.values()}


@pytest.mark.parametrize(("grade", "split"), ALL)
def test_rows_are_balanced_different_and_named(grade: str, split: str) -> None:
    made = rows(grade, split)
    assert len(made) == SPLITS[split]
    assert sum(row.answer for row in made) * 2 == len(made)
    assert len({row.id for row in made}) == len(made)
    assert len({(row.passage, row.question) for row in made}) == len(made)
    assert {row.source for row in made} == {grade}


@pytest.mark.parametrize("grade", MADE)
def test_training_asks_each_fact_twice_so_that_only_the_value_tells(grade: str) -> None:
    made = rows(grade, "train")
    for right, wrong in zip(made[::2], made[1::2], strict=True):
        first, second = claim(right), claim(wrong)
        assert (right.answer, wrong.answer) == (1, 0)
        assert right.passage == wrong.passage
        assert (first.kind, first.subject) == (second.kind, second.subject)
        assert first.pattern == second.pattern


@pytest.mark.parametrize("grade", MADE)
def test_test_rows_are_independent_of_each_other(grade: str) -> None:
    made = rows(grade, "test")
    assert len({row.passage for row in made}) == len(made) == 200


@pytest.mark.parametrize(("grade", "split"), ALL)
def test_a_fifth_is_english(grade: str, split: str) -> None:
    shares = Counter(row.language for row in rows(grade, split))
    assert set(shares) == {"ms", "en"}
    assert shares["en"] / shares.total() == pytest.approx(0.2, abs=0 if split == "test" else 0.04)


@pytest.mark.parametrize(("grade", "split"), ALL)
def test_languages_and_groups_have_both_labels_in_equal_parts(grade: str, split: str) -> None:
    parts: dict[str, list[int]] = defaultdict(list)
    for row in rows(grade, split):
        for part in (row.language, row.group):
            parts[part].append(row.answer)
    for labels in parts.values():
        assert abs(2 * sum(labels) - len(labels)) <= 2


def test_easy_one_subject_one_pattern_and_an_absent_value() -> None:
    for row in (row for split in SPLITS for row in rows(EASY, split)):
        assert all(fact.easy for fact in facts(row).values())
        assert claim(row).easy
        assert row.group == ""
        assert has_word(row.passage, claim(row).value) == bool(row.answer)


def test_middle_kinds_and_patterns_are_many() -> None:
    seen = {
        (fact.domain, fact.kind) for row in rows(MIDDLE, "train") for fact in facts(row).values()
    }
    assert seen == set(KINDS)
    assert len(seen) >= 12
    for language in ("ms", "en"):
        patterns = [p for kind in KINDS.values() for p in kind[language]["document"]]
        assert len(patterns) == len(set(patterns))
        assert len(patterns) >= 40


@pytest.mark.parametrize("split", SPLITS)
def test_middle_half_of_the_contradictions_borrow_a_value(split: str) -> None:
    contradictions = [row for row in rows(MIDDLE, split) if not row.answer]
    elsewhere = [has_word(row.passage, claim(row).value) for row in contradictions]
    assert 0.45 <= sum(elsewhere) / len(elsewhere) <= 0.55
    borrowed = [
        any(fact.value == claim(row).value for fact in facts(row).values())
        for row in contradictions
    ]
    assert 0.45 <= sum(borrowed) / len(borrowed) <= 0.55


def test_middle_a_third_of_the_test_rows_has_patterns_never_trained_on() -> None:
    groups: dict[str, list[Example]] = defaultdict(list)
    for row in rows(MIDDLE, "test"):
        groups[row.group].append(row)
    assert set(groups) == {SEEN, UNSEEN}
    assert len(groups[UNSEEN]) / SPLITS["test"] == pytest.approx(1 / 3, abs=0.01)
    for group, made in groups.items():
        held_out = [said.held_out for row in made for said in (claim(row), *facts(row).values())]
        assert set(held_out) == {group == UNSEEN}


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize("grade", MADE)
def test_held_out_patterns_are_in_no_training_row(grade: str, split: str) -> None:
    for row in rows(grade, split):
        assert not claim(row).held_out, row
        assert not any(fact.held_out for fact in facts(row).values()), row


def test_pools_of_names_have_no_name_in_common() -> None:
    pools = {split: {name for pool in NAMES for name in WORDS[pool][split]} for split in SPLITS}
    for one, other in combinations(pools.values(), 2):
        assert not one & other
    shared = {item for pool in WORDS.values() for item in pool.get("all", [])}
    assert not shared & pools["test"]


@pytest.mark.parametrize("grade", MADE)
def test_names_of_the_test_rows_are_in_no_training_row(grade: str) -> None:
    tested = [name for pool in NAMES for name in WORDS[pool]["test"]]
    trained = "\n".join(f"{row.passage} {row.question}" for row in rows(grade, "train"))
    assert [name for name in tested if has_word(trained, name)] == []
    used = "\n".join(row.passage for row in rows(grade, "test"))
    assert sum(has_word(used, name) for name in tested) > len(tested) / 2


@pytest.mark.parametrize("grade", MADE)
def test_no_training_row_stands_in_a_test_slice(grade: str) -> None:
    for test in (*MADE, HARD):
        assert leaks(rows(grade, "train"), load_bundled(test, "test")) == []


@pytest.mark.parametrize(("grade", "low", "high"), [(EASY, 0.9, 1.0), (MIDDLE, 0.0, 0.7)])
def test_word_overlap_solves_the_easy_grade_and_not_the_middle(
    grade: str, low: float, high: float
) -> None:
    made = rows(grade, "test")
    guesses = overlap_baseline(rows(grade, "train"), made)
    right = sum(guess == row.answer for guess, row in zip(guesses, made, strict=True))
    assert low <= right / len(made) <= high


def test_rows_are_the_same_every_time_and_in_every_process() -> None:
    code = (
        "from pengadil.data.bundled import load_bundled\n"
        "from pengadil.data.sources import rows_sha256\n"
        "for grade in ('contoh', 'contoh-sederhana'):\n"
        "    for split in ('train', 'validation', 'test'):\n"
        "        print(rows_sha256(load_bundled(grade, split, 200)))"
    )
    made = [rows_sha256(rows(grade, split)[:200]) for grade, split in ALL]
    assert made == [rows_sha256(load_bundled(grade, split, 200)) for grade, split in ALL]
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == made


@pytest.mark.parametrize("grade", MADE)
def test_the_seed_changes_training_rows_and_never_the_test_slice(grade: str) -> None:
    assert load_bundled(grade, "test", seed=5) == rows(grade, "test")
    for split in ("train", "validation"):
        one, other = (load_bundled(grade, split, 40, seed) for seed in (0, 1))
        assert one == rows(grade, split)[:40]
        assert not {row.passage for row in one} & {row.passage for row in other}


def test_a_number_of_rows_takes_the_first() -> None:
    assert load_bundled(EASY, "test", 7) == rows(EASY, "test")[:7]
    assert len(load_bundled(HARD, "test", 3)) == 3
    assert len(load_bundled(EASY, "train", 5)) == 5
    assert load_bundled(MIDDLE, "train") == rows(MIDDLE, "train")[:800]


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(PengadilError, match="Did you mean contoh-sederhana"):
        load_bundled("contoh-sederhna", "test")
    with pytest.raises(PengadilError, match=r"tset: no such split\. Did you mean test"):
        load_bundled(EASY, "tset")
    for split in ("train", "validation"):
        with pytest.raises(PengadilError, match="for testing only"):
            load_bundled(HARD, split)
    assert GRADES == (EASY, MIDDLE, HARD)


@pytest.mark.parametrize("language", ["ms", "en"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=["-".join(name) for name in KINDS])
def test_every_pattern_has_one_subject_and_one_value(
    kind: dict[str, dict[str, list[str]]], language: str
) -> None:
    for form in ("document", *CLAIMS):
        patterns = kind[language][form]
        assert len(set(patterns)) == len(patterns) >= 2  # one to train on, one held out
        for pattern in patterns:
            assert pattern.count("$s") == pattern.count("$v") == 1
            assert pattern.count("$") == 2
            assert pattern.endswith("?" if form == "question" else ".")
