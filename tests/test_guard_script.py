"""eval/guard.py: answers made from rows, a threshold chosen on some, measured on others."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers_guard import WordJudge

from pengadil.data.bundled import EASY, MIDDLE, load_bundled
from pengadil.errors import PengadilError
from pengadil.guard import command
from pengadil.guard.answers import make_answers
from pengadil.guard.guard import Guard
from pengadil.guard.measuring import ANSWERS, TOGETHER, check_answers, read_checked, row_supports
from pengadil.records import Example, write_jsonl

SCRIPT = Path(__file__).parent.parent / "eval" / "guard.py"
ROWS = load_bundled(EASY, "test", 60)


def script() -> Any:
    spec = importlib.util.spec_from_file_location("guard_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the script with a judge of words on the bundled sample; returns its summary.json."""
    monkeypatch.chdir(tmp_path)
    # It finds the words of a statement that is right in its document more often than not.
    judge = WordJudge(context=None)
    monkeypatch.setattr(command, "open_chosen", lambda _: judge)
    model = tmp_path / "model"
    model.mkdir()

    def run(*arguments: str) -> dict[str, Any]:
        judge.calls.clear()
        script().main([str(model), "--limit", "40", "--out", "out", *arguments])
        return json.loads(Path("out", "summary.json").read_text(encoding="utf-8"))

    run.judge, run.model = judge, model
    return run


def test_every_row_stands_in_one_answer_at_its_span() -> None:
    answers = make_answers(ROWS, seed=1)
    rows = [row for one in answers for row in one.rows]
    assert sorted(row.id for row in rows) == sorted(row.id for row in ROWS)
    assert {len(one.rows) for one in answers} == {1, 2, 3}
    for one in answers:
        spans = [one.answer[start:end] for start, end in one.spans]
        assert spans == [row.question for row in one.rows]
        assert {row.passage for row in one.rows} <= set(one.documents)
        assert one.right == all(row.answer for row in one.rows)
    assert {len(one.documents) for one in answers} == {3}
    assert {one.right for one in answers} == {True, False}
    assert make_answers(ROWS, seed=1) == answers
    assert make_answers(ROWS, seed=2) != answers


@pytest.mark.parametrize("grade", [EASY, MIDDLE])
def test_the_documents_of_an_answer_speak_of_others_than_its_statements(grade: str) -> None:
    subjects = {row.id: row.reasoning.split(", ")[0] for row in load_bundled(grade, "test")}
    for one in make_answers(load_bundled(grade, "test"), seed=3):
        for row in one.rows:
            subject = subjects[row.id].removeprefix("Pernyataan: ")
            others = [text for text in one.documents if text != row.passage]
            if subject in row.passage and subject[0].isupper():
                assert not [text for text in others if subject in text]


def test_documents_can_be_joined_into_a_long_one() -> None:
    one = make_answers(ROWS, seed=1, documents=8, joined=True)[0]
    assert len(one.documents) == 1
    assert all(row.passage in one.documents[0] for row in one.rows)
    with pytest.raises(PengadilError, match="too few"):
        make_answers(ROWS, seed=1, documents=0)


def test_rows_too_much_alike_make_short_answers() -> None:
    rows = [Example(str(number), "Ali lahir.", "Ali lahir.", 1) for number in range(4)]
    assert [len(one.rows) for one in make_answers(rows, seed=1)] == [1, 1, 1, 1]


def test_stopped_work_goes_on_and_gives_the_same(tmp_path: Path) -> None:
    answers = make_answers(ROWS, seed=1)
    judge = WordJudge(context=None)
    whole = check_answers(Guard(judge), answers, tmp_path / "a", {"model": 1}, _ignore)
    file = tmp_path / "a" / ANSWERS
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:TOGETHER]) + lines[TOGETHER][:30], encoding="utf-8")
    calls = len(judge.calls)
    again = check_answers(Guard(judge), answers, tmp_path / "a", {"model": 1}, _ignore)
    assert again == whole == read_checked(file)
    assert len(judge.calls) - calls == calls - 1
    assert len(row_supports(whole)) == len(ROWS)
    with pytest.raises(PengadilError, match="results of another model"):
        check_answers(Guard(judge), answers, tmp_path / "a", {"model": 2}, _ignore)


def test_the_least_support_of_a_statements_sentences_counts(tmp_path: Path) -> None:
    rows = [Example("a", "Ali lahir di Ipoh.", "Ali lahir di Ipoh. Ali lahir di Muar.", 0)]
    rows.append(Example("b", "Siti seorang guru.", "Siti seorang guru.", 1))
    judge = WordJudge(context=None, unreadable=["guru"])
    done = check_answers(Guard(judge), make_answers(rows, 1), tmp_path, {}, _ignore)
    found = {row.id: row for one in done for row in one.rows}
    assert found["a"].support == pytest.approx(0.15)
    assert found["b"].support is None
    assert all(one.support.caught(0.0) == (one.support.support is None) for one in done)


def test_the_threshold_is_chosen_kept_and_measured(measure: Any, capsys: Any) -> None:
    summary = measure("--choose", "--validation-rows", "60", "--criterion", "f1")
    kept = json.loads((measure.model / "guard.json").read_text(encoding="utf-8"))
    assert kept["threshold"] == summary["threshold"]
    assert kept["n"] == 60
    assert kept == json.loads(Path("out", "guard.json").read_text(encoding="utf-8"))
    assert len(kept["sha256"]) == 64
    assert Guard(WordJudge(), named=str(measure.model)).level.chosen.n == 60
    sentences = summary["test"]["sentences"]
    assert sentences["n"] == 40
    assert sentences["recall_interval"][0] <= sentences["recall"] <= 1
    assert summary["test"]["answers"]["n"] < 40
    for name in ("guard.md", "guard.html", "threshold.png"):
        assert Path("out", name).stat().st_size > 500
    assert "<script" not in Path("out", "guard.html").read_text(encoding="utf-8")
    printed = capsys.readouterr().out
    assert "What is caught" in printed
    assert "chosen on 60 sentences of contoh, validation" in printed


def test_the_same_command_again_judges_nothing(measure: Any) -> None:
    first = measure("--choose", "--validation-rows", "60")
    again = measure("--choose", "--validation-rows", "60")
    assert measure.judge.calls == []
    assert again["test"] == first["test"]
    assert measure("--threshold", "0.99")["test"]["sentences"]["recall"] == 1
    assert measure.judge.calls == []
    with pytest.raises(PengadilError, match="--fresh"):
        measure("--documents", "2")
    measure("--documents", "2", "--fresh")
    assert measure.judge.calls


def test_rows_of_the_user_are_chosen_on_and_those_of_the_test_refused(measure: Any) -> None:
    write_jsonl(Path("mine.jsonl"), load_bundled(EASY, "validation", 50, seed=9))
    summary = measure("--choose", "--rows", "mine.jsonl")
    assert summary["validation"]["sentences"]["n"] == 50
    assert "mine.jsonl" in summary["threshold_source"]
    write_jsonl(Path("test.jsonl"), ROWS[:3])
    with pytest.raises(PengadilError, match="stands in the test contoh too"):
        measure("--choose", "--rows", "test.jsonl", "--fresh")


def test_a_slice_without_validation_rows_asks_for_them(measure: Any) -> None:
    write_jsonl(Path("mine.jsonl"), ROWS[:6])
    with pytest.raises(PengadilError, match="--rows"):
        measure("--choose", "--slice", "mine.jsonl")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--choose", "--mode", "generate"], "no probability"),
        (["--choose", "--criterion", "best"], "no such criterion"),
        (["--slice", "contoj"], "no such slice"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(
    measure: Any, arguments: Sequence[str], said: str
) -> None:
    with pytest.raises(PengadilError, match=said):
        measure(*arguments)


@pytest.mark.parametrize(
    "arguments", [["--choose", "--threshold", "0.5"], ["--rows", "mine.jsonl"], []]
)
def test_options_that_do_not_go_together_are_refused(arguments: Sequence[str]) -> None:
    model = ["model"] if arguments else []
    with pytest.raises(SystemExit) as ended:
        script().main([*model, *arguments])
    assert ended.value.code == 2


def _ignore(_done: int, _answers: int) -> None:
    pass
