"""An answer without a document: checked against further answers of the same model."""

from __future__ import annotations

import pytest
from helpers_guard import WordJudge
from helpers_judges import FakeJudge

from pengadil.errors import PengadilError
from pengadil.guard.guard import Guard
from pengadil.guard.report import Evidence

ANSWER = "Ali lahir di Ipoh. Ali ada 3 ekor kucing."
SAMPLES = [
    "Ali lahir di Ipoh. Ali ada 5 ekor kucing.",
    "Ali ada 3 ekor kucing. Ali lahir di Ipoh.",
    "Ali lahir di Ipoh. Ali ada 7 ekor kucing.",
]


def test_what_the_samples_do_not_say_again_is_held_back() -> None:
    judge = WordJudge()
    report = Guard(judge).self_check(ANSWER, SAMPLES)
    assert report.against == "samples"
    assert report.decision == "hand_over"
    assert [one.supported for one in report.sentences] == [True, False]
    # 0.9 by the second, and 0.2 of 4 in 5 words by the other two.
    assert [one.probability for one in report.sentences] == [
        pytest.approx(0.9),
        pytest.approx((0.9 + 2 * 0.16) / 3, abs=1e-6),
    ]
    assert report.sentences[1].evidence == Evidence(0, "Ali ada 5 ekor kucing.", 19, 41)
    assert judge.calls == [6]
    assert len(report.documents) == 3


def test_the_middle_is_the_threshold_unless_one_is_given() -> None:
    assert Guard(WordJudge()).self_check(ANSWER, SAMPLES).threshold == 0.5
    report = Guard(WordJudge(), threshold=0.95).self_check(ANSWER, SAMPLES)
    assert (report.threshold, report.threshold_source) == (0.95, "given")
    assert not any(one.supported for one in report.sentences)


def test_samples_that_cannot_be_read_support_nothing() -> None:
    report = Guard(WordJudge(unreadable=["kucing"])).self_check(ANSWER, SAMPLES)
    assert [one.verdict for one in report.sentences] == [1, None]
    assert report.unreadable == report.sentences[1:]
    assert report.decision == "hand_over"


@pytest.mark.parametrize(
    ("samples", "wrong"), [([], "there are none"), (["a", " "], "it is empty"), ("abc", "none")]
)
def test_samples_without_text_are_refused(samples: list[str], wrong: str) -> None:
    with pytest.raises(PengadilError, match=wrong):
        Guard(WordJudge()).self_check(ANSWER, samples)


def test_a_model_writes_the_answer_and_the_samples() -> None:
    writer = WordJudge(written=[f" {ANSWER}\n", *SAMPLES])
    report = Guard(WordJudge()).sample_and_check(
        "Siapakah Ali?", writer, samples=3, temperature=0.8, most_tokens=64, seed=5
    )
    assert report.answer == ANSWER
    assert report.decision == "hand_over"
    assert [(one.temperature, one.most_tokens) for one in writer.samplings] == [
        (0.0, 64),
        (0.8, 64),
        (0.8, 64),
        (0.8, 64),
    ]
    assert [one.seed for one in writer.samplings[1:]] == [5, 6, 7]


def test_the_judge_itself_writes_where_no_writer_is_named() -> None:
    judge = WordJudge(written=["Ali lahir di Ipoh."])
    report = Guard(judge).sample_and_check([{"role": "user", "content": "Siapa?"}], samples=2)
    assert report.decision == "pass"
    assert len(judge.samplings) == 3


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"samples": 0}, "too few"),
        ({"temperature": 0}, "would be the same"),
        ({"writer": WordJudge(written=[" "])}, "wrote nothing"),
        ({"writer": FakeJudge()}, "writes no free text"),
    ],
)
def test_what_cannot_be_sampled_is_refused(settings: dict[str, object], wrong: str) -> None:
    with pytest.raises(PengadilError, match=wrong):
        Guard(WordJudge(written=["Ali."])).sample_and_check("Siapa?", **settings)
