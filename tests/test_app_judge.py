"""The Judge tab without a browser: what is shown, from the click to the verdict and its grounds."""

from __future__ import annotations

import json
import re
from html import unescape
from itertools import pairwise

import pytest
from helpers_app import EVIL, PageJudge, fake_context
from hypothesis import given
from hypothesis import strategies as st

from pengadil.app import judge_events
from pengadil.app.context import Context
from pengadil.app.documents import MOST_CHARACTERS
from pengadil.app.judge_events import MOST_STATEMENT, Shown, choices, clean, judge
from pengadil.app.judge_show import document_html, text_html
from pengadil.app.judge_tab import examples, filler
from pengadil.app.judge_words import WORDS
from pengadil.errors import PengadilError
from pengadil.judges.base import MODES

LETTER = "Ali dilahirkan di Ipoh. Ali bekerja sebagai guru."
RIGHT, WRONG = "Ali dilahirkan di Ipoh.", "Ali dilahirkan di Muar."


def run(
    context: Context, document: str | None, statement: str | None, mode: str = "score"
) -> list[Shown]:
    return list(judge(context, context.shelf.names[0], mode, document, statement))


def text_of(shown: str | None) -> str:
    return unescape(re.sub(r"<[^>]*>", " ", shown or ""))


def marked(shown: str | None) -> str:
    found = re.search(r"<mark[^>]*>(.*?)</mark>", shown or "", re.DOTALL)
    return unescape(found[1]) if found else ""


@pytest.mark.parametrize(
    ("statement", "language", "name", "words"),
    [
        (RIGHT, "ms", "agrees", "Selaras"),
        (WRONG, "ms", "differs", "Tidak selaras"),
        (RIGHT, "en", "agrees", "Agrees"),
        (WRONG, "en", "differs", "Does not agree"),
    ],
)
def test_the_verdict_is_in_colour_and_in_words_with_its_probability(
    statement: str, language: str, name: str, words: str
) -> None:
    last = run(fake_context(language=language), LETTER, statement)[-1]
    assert f'class="verdict {name}"' in str(last.verdict)
    assert words in text_of(last.verdict)
    assert "97.0 %" in text_of(last.verdict)
    assert marked(last.document) == "Ali dilahirkan di Ipoh."
    assert "Ali bekerja sebagai guru." in text_of(last.document)


def test_first_it_says_that_the_model_is_loaded_and_only_the_first_time() -> None:
    context = fake_context()
    assert ["Memuatkan" in text_of(one.verdict) for one in run(context, LETTER, RIGHT)][:2] == [
        True,
        False,
    ]
    assert not any("Memuatkan" in text_of(one.verdict) for one in run(context, LETTER, RIGHT))


def test_the_reasoning_grows_while_it_is_written() -> None:
    reasoning = 'Dokumen kata "Ipoh" <b>\nbukan Muar.'
    context = fake_context(PageJudge(reasoning=reasoning), prompt="reasoning")
    shown = run(context, LETTER, WRONG)
    texts = [text_of(one.reasoning) for one in shown if one.reasoning]
    assert len(texts) > 10
    assert all(len(before) <= len(after) for before, after in pairwise(texts))
    assert reasoning in texts[-1]
    assert "<b>" not in "".join(str(one.reasoning) for one in shown)


def test_an_answer_without_a_verdict_is_shown_as_it_was_written() -> None:
    last = run(fake_context(), LETTER, "Entah benar.", "generate")[-1]
    assert 'class="verdict unreadable"' in str(last.verdict)
    assert "%" not in text_of(last.verdict)
    assert "entahlah" in text_of(last.reasoning)


def test_no_probability_where_the_mode_gives_none() -> None:
    last = run(fake_context(), LETTER, RIGHT, "constrained")[-1]
    assert "Selaras" in text_of(last.verdict)
    assert "%" not in text_of(last.verdict)


def test_a_long_document_is_cut_and_the_page_says_how_many_parts_and_which_decided() -> None:
    fill = "Cuaca hari ini panas dan jalan sesak. "
    document = fill * 700 + LETTER + " " + fill * 700
    shown = run(fake_context(language="en"), document, RIGHT)
    steps = [text_of(one.verdict) for one in shown if "reading" in text_of(one.verdict)]
    assert len(steps) == 4
    said = text_of(shown[-1].verdict)
    assert "Agrees" in said
    found = re.search(r"cut into (\d+) overlapping parts.*part (\d+) decided", said)
    assert found
    parts, part = map(int, found.groups())
    assert parts > 8
    assert parts // 3 < part < parts
    assert marked(shown[-1].document) == RIGHT


def test_a_short_document_is_read_whole_and_nothing_is_said_of_parts() -> None:
    assert not any("bahagian" in text_of(one.verdict) for one in run(fake_context(), LETTER, RIGHT))


def test_it_says_what_judge_document_says_of_a_long_document() -> None:
    from pengadil.guard.habits import reading_for
    from pengadil.guard.long import judge_document

    context = fake_context(language="en")
    document = " ".join(f"Ayat {number} tentang perkara {number % 7}." for number in range(1500))
    with context.shelf.borrow("palsu") as lent:
        reading = reading_for("palsu", lent.judge, lent.prompt)
        told = judge_document(lent.judge, lent.prompt, document, "Perkara 3 itu.", "score", reading)
    last = run(context, document, "Perkara 3 itu.")[-1]
    assert f"part {told.part + 1} decided" in text_of(last.verdict)
    assert told.evidence is not None
    assert marked(last.document) == told.evidence.sentence


@pytest.mark.parametrize("empty", ["", " \n", None])
def test_an_empty_document_or_statement_is_refused_without_a_model(empty: str | None) -> None:
    fake = PageJudge()
    context = fake_context(fake)
    for document, statement in ((empty, RIGHT), (LETTER, empty)):
        [only] = run(context, document, statement)
        assert "kosong" in text_of(only.verdict)
    assert fake.asked == 0
    assert context.shelf.loaded == ()


def test_what_is_too_long_is_refused_without_a_model() -> None:
    fake = PageJudge()
    [only] = run(fake_context(fake), "a" * (MOST_CHARACTERS + 1), RIGHT)
    assert "terlalu besar" in text_of(only.verdict)
    [only] = run(fake_context(fake), LETTER, "a" * (MOST_STATEMENT + 1))
    assert "terlalu panjang" in text_of(only.verdict)
    assert fake.asked == 0


def test_markup_and_script_are_shown_as_text_everywhere() -> None:
    judge = PageJudge(name=f"m{EVIL}", reasoning=EVIL)
    for context in (fake_context(judge, prompt="reasoning"), fake_context(judge)):
        for mode in MODES:
            for statement in (EVIL, f"entah {EVIL}"):
                for one in run(context, f"{EVIL} Ayat lain.", statement, mode):
                    for part in (one.verdict, one.reasoning, one.document):
                        assert not re.search("<(script|img|svg|/textarea)", part or "")


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_ends_in_a_verdict_or_in_words(document: str, statement: str) -> None:
    last = run(fake_context(), document, statement)[-1]
    assert 'class="verdict ' in str(last.verdict)
    for part in (last.verdict, last.reasoning, last.document):
        assert set(re.findall(r"<(/?\w+)", part or "")) <= {
            *("div", "/div", "p", "/p", "strong", "/strong", "span", "/span", "mark", "/mark"),
            *("h3", "/h3"),
        }


def test_half_characters_that_a_browser_may_send_become_question_marks() -> None:
    assert clean(" a\ud83d ") == "a?"
    last = run(fake_context(), LETTER + "\ud83d", "Ali\udc00.")[-1]
    assert 'class="verdict differs"' in str(last.verdict)


def test_what_goes_wrong_is_told_in_words_and_the_model_is_given_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Broken(PageJudge):
        error: Exception = PengadilError("<b>palsu</b>", "too long", "Shorten it.")

        def answer(self, *_: object, **__: object):  # type: ignore[no-untyped-def]
            raise self.error

    broken = Broken()
    context = fake_context(broken)
    last = run(context, LETTER, RIGHT)[-1]
    assert "<b>palsu</b>: too long. Shorten it." in text_of(last.verdict)
    assert "<b>" not in str(last.verdict)
    broken.error = RuntimeError("secret path")
    last = run(context, LETTER, RIGHT)[-1]
    assert "RuntimeError" in text_of(last.verdict)
    assert "secret path" not in text_of(last.verdict)
    assert "secret path" in capsys.readouterr().err
    with context.shelf.borrow("palsu", patience=1):
        pass


def test_stopping_ends_the_work_and_gives_the_model_back() -> None:
    fake = PageJudge(reasoning="panjang " * 50)
    context = fake_context(fake, prompt="reasoning")
    under_way = judge(context, "palsu", "score", LETTER, RIGHT)
    while not next(under_way).reasoning:
        pass
    under_way.close()  # type: ignore[attr-defined]
    assert fake.closed == 1
    with context.shelf.borrow("palsu", patience=1):
        pass


def test_only_what_is_around_the_mark_is_shown_of_a_very_long_document() -> None:
    document = "a " * 30_000 + "INI" + " b" * 30_000
    start = document.index("INI")
    shown = document_html(fake_context(), document, (start, start + 3), 1)
    assert marked(shown) == "INI"
    assert len(shown) < 12_000
    assert f"{len(document):,}" in text_of(shown)


def test_a_document_without_evidence_says_so() -> None:
    assert "Tiada satu ayat" in document_html(fake_context(), LETTER, None, 0)
    assert text_html("Alasan", "") == ""


def test_a_text_can_be_scrolled_by_keyboard_and_has_a_name() -> None:
    assert 'tabindex="0" role="region" aria-label="Alasan"' in text_html("Alasan", "x")


@pytest.mark.parametrize("language", ["ms", "en"])
def test_the_examples_are_rows_of_the_sample_in_the_pages_language(language: str) -> None:
    rows = examples(language)
    assert len(rows) == 3
    assert {row.language for row in rows} == {language}
    assert {row.answer for row in rows} == {0, 1}
    for row in rows:
        code = filler(row)
        assert json.loads(code.removeprefix("() => ")) == [row.passage, row.question]


def test_every_mode_has_its_words() -> None:
    for language in ("ms", "en"):
        assert [mode for _, mode in choices(fake_context(language=language))] == list(MODES)


def test_all_words_are_there_in_both_languages_with_the_same_places() -> None:
    for malay, english in WORDS.values():
        assert malay
        assert set(re.findall(r"\{\w+\}", malay)) == set(re.findall(r"\{\w+\}", english))


def test_nothing_is_imported_from_gradio() -> None:
    assert "gradio" not in vars(judge_events)
