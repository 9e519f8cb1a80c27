"""The guard: every sentence of an answer against documents, and what is decided."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from itertools import count

import pytest
from helpers_guard import WordJudge

import pengadil
from pengadil.errors import PengadilError
from pengadil.guard.guard import TOGETHER, Guard
from pengadil.guard.report import Evidence
from pengadil.judges.base import GENERATE
from pengadil.prompts import load_prompt

DOCUMENT = "Ali lahir di Ipoh. Ali bekerja sebagai guru."


def guard(judge: WordJudge | None = None, **settings: object) -> Guard:
    return Guard(judge or WordJudge(), **settings)


def test_each_sentence_is_judged_and_the_unsupported_one_hands_over() -> None:
    answer = "Ali lahir di Ipoh. Ali bekerja sebagai nelayan."
    report = guard().check(answer, DOCUMENT)
    assert [one.supported for one in report.sentences] == [True, False]
    assert [answer[one.start : one.end] for one in report.sentences] == [
        "Ali lahir di Ipoh.",
        "Ali bekerja sebagai nelayan.",
    ]
    assert report.decision == "hand_over"
    assert [one.sentence for one in report.unsupported] == ["Ali bekerja sebagai nelayan."]
    assert report.sentences[0].evidence == Evidence(0, "Ali lahir di Ipoh.", 0, 18)
    assert report.sentences[1].evidence == Evidence(0, "Ali bekerja sebagai guru.", 19, 44)
    assert report.seconds == 1.0
    assert report.model == "word-judge"


def test_an_answer_that_stands_passes_and_names_the_document_of_its_evidence() -> None:
    report = guard().check("Ali bekerja sebagai guru.", ["Siti lahir di Muar.", DOCUMENT])
    assert report.decision == "pass"
    assert report.sentences[0].evidence == Evidence(1, "Ali bekerja sebagai guru.", 19, 44)
    assert [one.parts for one in report.documents] == [1, 1]


def test_what_cannot_be_read_is_not_supported_and_counted_apart() -> None:
    judge = WordJudge(unreadable=["guru"])
    report = guard(judge).check("Ali lahir di Ipoh. Ali bekerja sebagai guru.", DOCUMENT)
    assert report.decision == "hand_over"
    assert [one.verdict for one in report.sentences] == [1, None]
    assert report.unreadable == report.unsupported == report.sentences[1:]
    assert report.as_dict()["counts"] == {"sentences": 2, "unsupported": 1, "unreadable": 1}


@pytest.mark.parametrize(("threshold", "decision"), [(0.1, "pass"), (0.5, "hand_over")])
def test_the_threshold_decides(threshold: float, decision: str) -> None:
    # Four of five words are found: a support of 0.16.
    report = guard(threshold=threshold).check("Ali lahir di Ipoh semalam.", DOCUMENT)
    assert report.sentences[0].probability == pytest.approx(0.16)
    assert report.decision == decision
    assert (report.threshold, report.threshold_source) == (threshold, "given")


def test_a_mode_without_probabilities_goes_by_the_verdict() -> None:
    report = guard(mode=GENERATE).check("Ali lahir di Ipoh. Ali lahir di Muar.", DOCUMENT)
    assert [one.probability for one in report.sentences] == [None, None]
    assert [one.supported for one in report.sentences] == [True, False]
    assert "generate" in report.threshold_source


def test_the_marks_of_a_list_are_no_part_of_a_sentence() -> None:
    answer = "1. **Ali** lahir di Ipoh.\n- Ali bekerja sebagai guru.\n***\n"
    report = guard().check(answer, DOCUMENT)
    assert [one.sentence for one in report.sentences] == [
        "**Ali** lahir di Ipoh.",
        "Ali bekerja sebagai guru.",
    ]
    assert report.decision == "pass"


def test_many_answers_are_judged_in_one_call_and_come_in_their_order() -> None:
    judge = WordJudge()
    answers = [f"Ali lahir di Ipoh. Ali ada {number} ekor kucing." for number in range(6)]
    reports = list(guard(judge).check_many((answer, DOCUMENT) for answer in answers))
    assert [report.answer for report in reports] == answers
    assert judge.calls == [12]


def test_pairs_are_taken_only_as_they_are_needed() -> None:
    endless = (("Ali lahir di Ipoh.", DOCUMENT) for _ in count())
    judge = WordJudge()
    assert next(guard(judge).check_many(endless)).decision == "pass"
    assert judge.calls == [TOGETHER]


def test_checks_may_be_awaited_together() -> None:
    async def both() -> list[pengadil.Guard]:
        one = guard()
        return await asyncio.gather(
            one.acheck("Ali lahir di Ipoh.", DOCUMENT), one.acheck("Ali lahir di Muar.", DOCUMENT)
        )

    assert [report.decision for report in asyncio.run(both())] == ["pass", "hand_over"]


@pytest.mark.parametrize("answer", ["", "  \n ", "***\n1.\n"])
def test_an_answer_without_a_sentence_is_refused(answer: str) -> None:
    with pytest.raises(PengadilError, match="there is no sentence in it"):
        guard().check(answer, DOCUMENT)


@pytest.mark.parametrize("documents", ["", [], ["", " \n"]])
def test_documents_without_text_are_refused(documents: str | list[str]) -> None:
    with pytest.raises(PengadilError, match="there is no text in them"):
        guard().check("Ali lahir di Ipoh.", documents)


def test_an_empty_document_beside_others_has_no_part() -> None:
    report = guard().check("Ali lahir di Ipoh.", ["", DOCUMENT])
    assert report.decision == "pass"
    assert [one.parts for one in report.documents] == [0, 1]


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_that_is_no_share_is_refused(threshold: float) -> None:
    with pytest.raises(PengadilError, match="not from 0 to 1"):
        guard(threshold=threshold)


def test_a_prompt_may_be_named_or_given() -> None:
    assert guard(prompt="verdict-en").prompt == load_prompt("verdict-en")
    assert guard(prompt=load_prompt("verdict-en")).prompt.name == "verdict-en"
    assert guard().prompt.name == "verdict"


def test_the_report_is_json_with_letters_as_they_are() -> None:
    report = guard().check("Ali lahir di “Ipoh”.", "Ali lahir di “Ipoh”.")
    text = report.to_json()
    assert "“Ipoh”" in text
    assert json.loads(text) == json.loads(json.dumps(report.as_dict()))
    assert json.loads(text)["decision"] == "pass"


def test_importing_the_package_loads_no_guard_until_it_is_asked_for() -> None:
    code = (
        "import sys, pengadil\n"
        "assert not [name for name in sys.modules if name.startswith('pengadil.')]\n"
        "from pengadil import Guard\n"
        "assert Guard.__module__ == 'pengadil.guard.guard'\n"
        "assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'Gard'"):
        pengadil.Gard  # noqa: B018
