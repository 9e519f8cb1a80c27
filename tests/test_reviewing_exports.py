"""What people said, as labels, as rows and pairs to train on, and as figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers_reviewing import contoh_results, examples, judged_file, own_results, results_folder
from helpers_reviewing import judgements as said_by_judge

from pengadil.comparison.agreement import agreement
from pengadil.comparison.people import read_human_verdicts
from pengadil.data.bundled import load_bundled
from pengadil.data.preferences import load_preferences
from pengadil.data.slices import load_slice
from pengadil.data.sources import load_rows
from pengadil.errors import PengadilError
from pengadil.folders import find
from pengadil.models import file_sha256
from pengadil.prompts import load_prompt
from pengadil.recipe import load_recipe
from pengadil.records import read_examples, read_judgements, write_jsonl
from pengadil.reviewing.desk import Desk
from pengadil.reviewing.exports import people_lines, preference_pairs, prompt_of, training_rows
from pengadil.reviewing.kappas import judge_pairs, people_pairs
from pengadil.reviewing.labels import Labels, labels_of
from pengadil.reviewing.tested import test_slice_of as slice_of
from pengadil.reviewing.tested import warnings_on
from pengadil.training.plan import read_data


def labels(desk: Desk, min_reviewers: int | None = None) -> Labels:
    return labels_of(desk.work, desk.standings(), min_reviewers)


def say(desk: Desk, person: str, answers: dict[int, int], reasoning: str = "") -> None:
    for number, answer in answers.items():
        desk.answer(person, person, f"sendiri-{number}", answer, reasoning)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk.at(own_results(tmp_path / "hasil"))


def test_a_row_has_a_label_where_everybody_who_answered_agrees(desk: Desk) -> None:
    say(desk, "Aina", {0: 1, 1: 1, 2: 0})
    say(desk, "Badrul", {1: 1, 2: 1})
    desk.skip("Badrul", "b", "sendiri-0")
    found = labels(desk)
    assert {label.row.id: (label.answer, label.reviewers) for label in found.labels} == {
        "sendiri-0": (1, 1),
        "sendiri-1": (1, 2),
    }
    assert (found.divided, found.too_few) == (["sendiri-2"], [])


def test_with_a_number_of_reviewers_their_majority_decides(desk: Desk) -> None:
    say(desk, "Aina", {0: 1, 1: 1, 2: 0, 3: 1})
    say(desk, "Badrul", {0: 1, 1: 0, 2: 0})
    say(desk, "Chong", {0: 0, 2: 0})
    found = labels(desk, 2)
    assert {label.row.id: label.answer for label in found.labels} == {
        "sendiri-0": 1,
        "sendiri-2": 0,
    }
    assert (found.divided, found.too_few) == (["sendiri-1"], ["sendiri-3"])
    with pytest.raises(PengadilError, match="below 1"):
        labels(desk, 0)


def test_the_reasoning_is_the_persons_else_the_judges_else_none(tmp_path: Path) -> None:
    verdicts = [(1, 0.9), (1, 0.9), (0, 0.1)]
    desk = Desk.at(own_results(tmp_path / "h", verdicts, reasoning="Hakim.", prompt="reasoning"))
    say(desk, "Aina", {0: 1, 1: 0, 2: 1})
    assert [label.reasoning for label in labels(desk).labels] == ["Hakim.", "", ""]
    say(desk, "Aina", {1: 0}, "Aina.")
    say(desk, "Badrul", {0: 1, 1: 0}, "Badrul.")
    assert {label.row.id: label.reasoning for label in labels(desk).labels} == {
        "sendiri-0": "Badrul.",
        "sendiri-1": "Badrul.",  # the latest
        "sendiri-2": "",
    }


def test_rows_are_read_back_by_the_readers_of_the_project(desk: Desk, tmp_path: Path) -> None:
    say(desk, "Aina", {0: 1, 1: 1}, "Kerana angka sama.")
    say(desk, "Badrul", {1: 1})
    file = tmp_path / "reviewed.jsonl"
    rows = training_rows(desk.work, labels(desk).labels)
    write_jsonl(file, rows)
    assert read_examples(file) == load_rows(str(file)) == rows
    by_id = {row.id: row for row in rows}
    first = by_id["sendiri-1"]
    assert (first.answer, first.source) == (1, "kedai, 2 reviewers")
    assert (first.passage, first.reasoning) == (examples(2)[1].passage, "Kerana angka sama.")
    assert by_id["sendiri-0"].source == "kedai, 1 reviewer"


def test_training_takes_rows_of_our_own(desk: Desk, tmp_path: Path) -> None:
    say(desk, "Aina", {0: 1, 1: 1, 2: 0})
    file = tmp_path / "reviewed.jsonl"
    write_jsonl(file, training_rows(desk.work, labels(desk).labels))
    recipe = load_recipe("smoke", ["--data.train", str(file)])
    tests = [load_slice(name, find("eval", "slices")) for name in recipe.evaluation.slices]
    data = read_data(recipe, load_prompt(recipe.data.prompt), tests)
    assert [row.id for row in data.sources[str(file)]] == ["sendiri-2", "sendiri-1", "sendiri-0"]


def test_rows_of_a_test_slice_are_told_marked_and_refused_by_training(tmp_path: Path) -> None:
    desk = Desk.at(contoh_results(tmp_path / "hasil"))
    for row in desk.work.rows[:2]:
        desk.answer("Aina", "a", row.id, 1)
    rows = training_rows(desk.work, labels(desk).labels)
    [warning] = warnings_on(desk.work, rows)
    assert slice_of(desk.work) == "contoh"
    assert "2 rows are of the test slice contoh" in warning
    assert "judge.py" in warning
    assert {row.source for row in rows} == {"test slice contoh, 1 reviewer"}
    file = tmp_path / "reviewed.jsonl"
    write_jsonl(file, rows)
    recipe = load_recipe("smoke", ["--data.train", str(file)])
    tests = [load_slice("contoh", find("eval", "slices"))]
    with pytest.raises(PengadilError, match="test slice contoh"):
        read_data(recipe, load_prompt(recipe.data.prompt), tests)


def test_test_rows_in_a_file_of_our_own_are_found(tmp_path: Path) -> None:
    rows = [*examples(2), *load_bundled("contoh", "test")[:1]]
    file = tmp_path / "campur.jsonl"
    write_jsonl(file, rows)
    said = said_by_judge(rows, [(1, 0.6), (0, 0.4), (1, 0.5)])
    folder = results_folder(tmp_path / "hasil", rows, said, file.name, file_sha256(file))
    desk = Desk.at(folder)
    for row in desk.work.rows:
        desk.answer("Aina", "a", row.id, 1)
    [warning] = warnings_on(desk.work, training_rows(desk.work, labels(desk).labels))
    assert warning.startswith(f"1 of 3 rows stand in the test slice contoh ({rows[2].id})")
    assert slice_of(desk.work) == ""
    assert warnings_on(desk.work, examples(2)) == warnings_on(desk.work, []) == []


def test_evidence_of_another_label_is_not_kept(tmp_path: Path) -> None:
    desk = Desk.at(contoh_results(tmp_path / "hasil"))
    for row in desk.work.rows[:2]:
        flip = row is desk.work.rows[0]
        desk.answer("Aina", "a", row.id, abs(row.example.answer - flip))
    other, same = training_rows(desk.work, labels(desk).labels)
    assert other.evidence == ""
    assert same.evidence == desk.work.rows[1].example.evidence != ""


def test_pairs_prefer_the_person_to_the_judge_they_overruled(desk: Desk, tmp_path: Path) -> None:
    say(desk, "Aina", {0: 0, 1: 0, 4: 1})  # overruled, agreed, and an unreadable answer
    prompt = prompt_of(desk.work)
    pairs = preference_pairs(desk.work, labels(desk).labels, prompt)
    assert (pairs.no_reasoning, pairs.no_answer) == ([], [])
    assert {pair.id: (pair.chosen, pair.rejected) for pair in pairs.preferences} == {
        "sendiri-0": ('{"consistency": 0}', '{"consistency": 1}'),
        "sendiri-4": ('{"consistency": 1}', "Entahlah."),
    }
    file = tmp_path / "pairs.jsonl"
    write_jsonl(file, pairs.preferences)
    assert load_preferences(str(file), prompt) == list(pairs.preferences)
    recipe = load_recipe("smoke-orpo", ["--data.train", str(file)])
    tests = [load_slice("contoh", find("eval", "slices"))]
    found = read_data(recipe, prompt, tests)
    assert len(found.sources[str(file)]) == 2


def test_pairs_of_a_reasoning_judge_have_both_reasonings(tmp_path: Path) -> None:
    verdicts = [(1, 0.9), (1, 0.9), (1, 0.8)]
    desk = Desk.at(own_results(tmp_path / "h", verdicts, reasoning="Hakim.", prompt="reasoning"))
    say(desk, "Aina", {0: 0, 1: 0})
    say(desk, "Aina", {2: 0}, "Aina.")
    pairs = preference_pairs(desk.work, labels(desk).labels, prompt_of(desk.work))
    [pair] = pairs.preferences
    assert json.loads(pair.chosen) == {"reasoning": "Aina.", "consistency": 0}
    assert json.loads(pair.rejected) == {"reasoning": "Hakim.", "consistency": 1}
    assert pairs.no_reasoning == ["sendiri-0", "sendiri-1"]
    plain = preference_pairs(desk.work, labels(desk).labels, prompt_of(desk.work, "verdict"))
    assert {pair.rejected for pair in plain.preferences} == {'{"consistency": 1}'}


def test_pairs_and_rows_of_a_file_that_judge_py_wrote(tmp_path: Path) -> None:
    desk = Desk.at(judged_file(tmp_path / "judged.jsonl", reasoning="Hakim."))
    for row in desk.work.rows:
        desk.answer("Aina", "a", row.id, 1, "Aina.")
    rows = training_rows(desk.work, labels(desk).labels)
    assert {row.answer for row in rows} == {1}
    assert {row.source for row in rows} == {"judged, 1 reviewer"}
    pairs = preference_pairs(desk.work, labels(desk).labels, prompt_of(desk.work))
    assert [json.loads(pair.rejected)["reasoning"] for pair in pairs.preferences] == ["Hakim."] * 2


def test_a_prompt_that_is_another_now_is_refused(tmp_path: Path) -> None:
    folder = own_results(tmp_path / "hasil")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    summary["prompt"]["sha256"] = "lain"
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    work = Desk.at(folder).work
    with pytest.raises(PengadilError, match="no longer the one"):
        prompt_of(work)
    assert prompt_of(work, "verdict").name == "verdict"


def test_kappa_is_what_the_hand_computes(desk: Desk) -> None:
    """Judge 1 0 1 0, Aina 1 0 0 0: agreement 3/4, by chance 1/2 x 1/4 + 1/2 x 3/4 = 1/2."""
    say(desk, "Aina", {0: 1, 1: 0, 2: 0, 3: 0})
    say(desk, "Badrul", {2: 1, 3: 0, 4: 1})
    [aina, badrul] = judge_pairs(desk.work, desk.standings())
    assert (aina.kappa.n, aina.kappa.agreement, aina.kappa.expected) == (4, 0.75, 0.5)
    assert aina.kappa.value == pytest.approx(0.5)
    low, high = aina.kappa.interval
    assert low < 0.5 < high
    # The unreadable answer agrees with nobody: 2 of 3.
    assert badrul.kappa.n == 3
    assert badrul.kappa.agreement == pytest.approx(2 / 3)
    [both] = people_pairs(desk.standings())
    # Aina 0 0, Badrul 1 0: they agree by chance as often as they do.
    assert (both.kappa.n, both.kappa.agreement, both.kappa.value) == (2, 0.5, pytest.approx(0.0))


def test_people_as_agreement_takes_them(desk: Desk, tmp_path: Path) -> None:
    say(desk, "Aina", {0: 1, 1: 0, 2: 0, 3: 0})
    desk.skip("Aina", "Aina", "sendiri-4")
    file = tmp_path / "people.jsonl"
    write_jsonl(file, people_lines(desk.standings()))
    people = read_human_verdicts(file)
    assert people.left_open == 1
    judged = read_judgements(tmp_path / "hasil" / "results.jsonl")
    found = agreement("hakim", judged, people)
    [mine] = judge_pairs(desk.work, desk.standings())
    assert found.with_people[0].kappa == mine.kappa
