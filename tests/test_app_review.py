"""The Review tab without a browser: what a press does, and that texts stay texts."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from helpers_reviewing import contoh_results, lines_of, own_results
from hypothesis import given
from hypothesis import strategies as st

from pengadil.app import review_session as session
from pengadil.app.context import Context
from pengadil.app.review_files import write_files
from pengadil.app.review_session import AGREE, OVERRULE, SKIP, UNDO, Desks, Seat, View, begin
from pengadil.app.review_tab import KEYS, KEYS_JS, build
from pengadil.app.review_view import counters_html, document_html, row_html
from pengadil.app.review_words import WORDS
from pengadil.app.shelf import Shelf
from pengadil.errors import PengadilError
from pengadil.records import Example, Judgement, read_examples
from pengadil.reviewing.marking import marked
from pengadil.reviewing.rows import Row


class Seen(HTMLParser):
    """The tags and the text of a piece of HTML."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.chdir(tmp_path)  # no runs of others
    own_results(tmp_path / "results" / "hasil")
    return Context(Shelf(["smollm2-135m"]), results=Path("results"))


def sit(context: Context, desks: Desks, name: str = "Aina") -> View:
    return begin(context, desks, "results/hasil", name, f"tab-of-{name}")


def press(context: Context, desks: Desks, seat: Seat, key: str, reasoning: str = "") -> View:
    view = session.press(context, desks, seat, seat.row, key, reasoning)
    assert view is not None
    return view


def test_a_press_saves_and_goes_to_the_next_row(context: Context) -> None:
    desks = Desks()
    first = sit(context, desks)
    assert first.seat.row == "sendiri-4"  # unreadable: S says that it agrees
    second = press(context, desks, first.seat, AGREE)
    third = press(context, desks, second.seat, OVERRULE, "Saya kata.")
    fourth = press(context, desks, third.seat, SKIP)
    saved = [line for line in lines_of(Path("results/hasil/reviews")) if line["act"] != "given"]
    assert [(line["row"], line["act"], line["answer"], line["reasoning"]) for line in saved] == [
        ("sendiri-4", "answered", 1, None),
        ("sendiri-3", "answered", 1, "Saya kata."),
        ("sendiri-2", "skipped", None, None),
    ]
    assert "2 daripada 6 baris selesai, 1 dilangkau" in fourth.counters
    assert fourth.message == "Dilangkau: sendiri-2."
    back = press(context, desks, fourth.seat, UNDO)
    assert back.seat.row == "sendiri-2"


def test_a_press_on_a_row_that_nobody_has_seen_does_nothing(context: Context) -> None:
    desks = Desks()
    first = sit(context, desks)
    second = press(context, desks, first.seat, AGREE)
    # The page still showed the first row when this one was pressed.
    assert session.press(context, desks, second.seat, first.seat.row, AGREE, "") is None
    assert desks.at("results/hasil").progress("Aina").done == 1


def test_when_all_is_done_it_says_so_and_undo_still_works(context: Context) -> None:
    desks = Desks()
    view = sit(context, desks)
    for _ in range(6):
        view = press(context, desks, view.seat, AGREE)
    assert view.row is None
    assert "Semua 6 baris" in view.card
    assert session.press(context, desks, view.seat, "", AGREE, "") is None
    assert press(context, desks, view.seat, UNDO).row is not None


def test_results_that_are_evaluated_again_are_opened_again(context: Context) -> None:
    desks = Desks()
    view = press(context, desks, sit(context, desks).seat, AGREE)
    own_results(Path("results/hasil"), model="hakim-lain")
    again = sit(context, desks)
    assert again.seat.row == "sendiri-4"
    assert "1 semakan adalah tentang penilaian yang terdahulu" in again.counters
    assert view.seat.row != again.seat.row


@pytest.mark.parametrize(
    ("results", "name"), [("results/hasil", " "), ("../luar", "Aina"), (None, "Aina")]
)
def test_only_what_is_offered_is_opened_and_only_by_name(
    context: Context, results: str | None, name: str
) -> None:
    with pytest.raises(PengadilError):
        begin(context, Desks(), results, name, "tab-of-aina")
    assert not Path("results/hasil/reviews").exists()


def test_buttons_say_what_they_say_of_the_row(context: Context) -> None:
    rows = Desks().at("results/hasil").work.by_id
    english = replace(context, language="en")
    assert session.labels(english, rows["sendiri-1"]) == (
        "Judge is right (S): it does not agree",
        "Judge is wrong (T): it agrees",
    )
    assert session.labels(context, rows["sendiri-4"]) == ("Selaras (S)", "Tidak selaras (T)")


def test_every_key_has_its_button_and_is_named_on_the_page() -> None:
    for key, act in KEYS.items():
        assert f'{key}: "{act}"' in KEYS_JS
        for words in WORDS["keys"]:
            assert f"{key.upper()} " in words


def row(passage: str, question: str = "x", raw: str = "", evidence: str = "") -> Row:
    example = Example("r", passage, question, 1, evidence=evidence)
    return Row(example, Judgement("r", None, None, "none", raw=raw))


@given(st.text(), st.text(), st.text())
def test_texts_are_shown_as_they_are_and_never_as_markup(
    passage: str, question: str, evidence: str
) -> None:
    markup = document_html(row(passage, question, evidence=evidence))
    seen = Seen(markup.replace("\r", "&#13;").replace("\x00", "\ufffd"))
    assert set(seen.tags) <= {"mark", "b"}
    assert seen.text == passage.replace("\x00", "\ufffd")


def test_html_in_texts_is_shown_as_text(context: Context) -> None:
    bad = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    seen = Seen(row_html(context, row(bad, bad, bad)))
    assert not {"script", "img"} & set(seen.tags)
    assert seen.text.count(bad) == 3


def test_the_counters_show_kappa_with_its_interval_and_n(context: Context) -> None:
    desks = Desks()
    desk = desks.at("results/hasil")
    for person in ("<b>Aina</b>", "Badrul"):
        for number, answer in ((0, 1), (1, 0), (2, 0), (3, 0)):
            desk.answer(person, person, f"sendiri-{number}", answer)
    shown = counters_html(replace(context, language="en"), desk, "Badrul")
    assert "Kappa of hakim and Badrul: 0.50 (95 % interval" in shown
    assert "n = 4; they agree on 75.0 %" in shown
    assert "<b>Aina" not in shown
    assert "Kappa of &lt;b&gt;Aina&lt;/b&gt; and Badrul: 1.00" in shown


def test_the_marked_sentence_is_the_evidence_or_the_one_nearest_the_statement() -> None:
    text = "Ali lahir di Ipoh. Siti lahir di Muar. Kedai itu tutup."
    for evidence, wanted in (("", "Siti lahir di Muar."), ("Kedai itu tutup.",) * 2):
        pieces = marked(text, "Siti dilahirkan di Muar.", evidence)
        assert "".join(piece.text for piece in pieces) == text
        assert "".join(piece.text for piece in pieces if piece.sentence) == wanted
        assert {piece.text for piece in pieces if piece.word} == {"Siti", "Muar"}
    assert not any(piece.sentence for piece in marked(text, "Zoo negara"))


def test_files_for_download_and_the_warning_of_a_test_slice(
    context: Context, tmp_path: Path
) -> None:
    contoh_results(Path("results/contoh"))
    desk = Desks().at("results/contoh")
    assert write_files(context, desk, tmp_path / "a", None)[0] == []
    desk.answer("Aina", "a", desk.work.rows[0].id, 1)
    files, told = write_files(context, desk, tmp_path / "b", None)
    assert [file.name for file in files] == ["rows.jsonl", "pairs.jsonl", "people.jsonl"]
    assert len(read_examples(files[0])) == 1
    assert "slice ujian contoh" in told


def test_all_words_are_in_both_languages() -> None:
    for key, (malay, english) in WORDS.items():
        assert malay.strip(), key
        assert english.strip(), key
        assert malay.count("{") == english.count("{"), key


def test_the_tab_is_built_and_its_events_work(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradio = pytest.importorskip("gradio")
    told: list[str] = []
    monkeypatch.setattr(gradio, "Warning", told.append)
    with gradio.Blocks() as page:
        build(context)
    functions = {
        getattr(event.fn, "func", event.fn).__name__: event.fn
        for event in page.fns.values()
        if event.fn
    }
    first = functions["started"]("results/hasil", "Aina", "tab-of-aina")
    seat, shown = first[:2]
    assert shown == "sendiri-4"
    pressed = functions["pressed"].func
    assert pressed(AGREE, seat, shown, "")[1] == "sendiri-3"
    functions["started"]("results/hasil", "", "tab-of-aina")
    pressed(AGREE, None, "", "")
    assert len(told) == 2
    assert "kosong" in told[0]
    assert "lama" in told[1]
    assert "rows.jsonl: 1 baris latihan" in functions["made"]("results/hasil", 0)[1]
    functions["made"]("../luar", 0)
    assert len(told) == 3
