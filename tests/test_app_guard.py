"""The Guard tab: what a visitor is shown, without a browser."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from helpers_guard import WordJudge

from pengadil.app.context import LANGUAGES, Context
from pengadil.app.guard_events import MOST_ANSWER, check, parted, read_threshold, with_files
from pengadil.app.guard_tab import examples
from pengadil.app.guard_words import WORDS
from pengadil.app.shelf import Shelf
from pengadil.errors import PengadilError
from pengadil.guard.thresholds import Chosen, write_chosen
from pengadil.prompts import load_prompt

DOCUMENTS = "=== surat.txt ===\nAli lahir di Ipoh.\n\n=== b ===\nSiti bekerja sebagai guru."
MODEL = "model"


def context(judge: WordJudge | None = None, model: str = MODEL, **settings: object) -> Context:
    shelf = Shelf(
        [model],
        open_one=lambda _: judge or WordJudge(),
        prompt_of=lambda _: load_prompt("verdict"),
    )
    return Context(shelf, **settings)


class Tags(HTMLParser):
    """The tags of a text, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, _: Sequence[object]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(page: Context, documents: str, answer: str, own: str = "", model: str = MODEL) -> Tags:
    *_, last = check(page, model, documents, answer, own)
    return Tags(last.shown)


def test_the_decision_the_sentences_and_their_evidence_are_shown() -> None:
    steps = list(check(context(), MODEL, DOCUMENTS, "Ali lahir di Ipoh. Siti seorang polis."))
    assert [bool(step.json) for step in steps] == [False, False, True]
    text = Tags(steps[-1].shown).text
    assert "Serahkan kepada manusia" in text
    assert "1 daripada 2 ayat tidak disokong" in text
    assert "✓ Disokong" in text
    assert "✗ Tidak disokong" in text
    assert "Disokong oleh (surat.txt): Ali lahir di Ipoh." in text
    assert "Bandingkan dengan (b): Siti bekerja sebagai guru." in text
    report = json.loads(steps[-1].json)
    assert (report["decision"], len(report["sentences"])) == ("hand_over", 2)


def test_an_answer_that_passes() -> None:
    page = shown(context(language="en"), DOCUMENTS, "Ali lahir di Ipoh.")
    assert "Pass" in page.text
    assert "not supported" not in page.text.lower()


def test_what_cannot_be_read_is_said_apart() -> None:
    page = shown(context(WordJudge(unreadable=["guru"])), DOCUMENTS, "Siti bekerja sebagai guru.")
    assert "Tidak dapat dibaca" in page.text
    assert "1 kerana jawapan model tidak dapat dibaca" in page.text


def test_html_in_texts_is_shown_as_text() -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    documents = f"=== {evil} ===\n{evil} Ali lahir di Ipoh."
    page = shown(context(), documents, f"{evil} Ali lahir di Ipoh.")
    assert not {"script", "img"} & set(page.tags)
    assert page.text.count("<script>alert(1)</script>") >= 3


def test_a_document_that_was_cut_is_named_with_its_parts() -> None:
    long = " ".join(f"Siti{number} menjual {number} biji durian." for number in range(80))
    page = shown(context(), f"=== panjang ===\n{long}", "Siti3 menjual 3 biji durian.")
    assert "Panjang dipotong kepada" in page.text
    assert "dipotong" not in shown(context(), DOCUMENTS, "Ali lahir di Ipoh.").text


def test_where_the_threshold_comes_from(tmp_path: Path) -> None:
    chosen = Chosen(
        threshold=0.05,
        mode="score",
        prompt_sha256=load_prompt("verdict").sha256,
        criterion="highest F1",
        n=321,
        rows="contoh, validation",
        sha256="",
        precision=None,
        recall=None,
    )
    answer = "Ali lahir di Muar."  # a support of 0.15
    model = str(tmp_path)
    page = context(model=model, language="en")
    assert "0.5: the middle; none was chosen" in shown(page, DOCUMENTS, answer, model=model).text
    write_chosen(tmp_path / "guard.json", chosen)
    text = shown(page, DOCUMENTS, answer, model=model).text
    assert "0.05: chosen on 321 sentences of contoh, validation" in text
    assert "Pass" in text
    served = replace(page, guard_threshold=0.7)
    text = shown(served, DOCUMENTS, answer, model=model).text
    assert "0.7: given when the page was started" in text
    assert "Hand over" in text
    text = shown(served, DOCUMENTS, answer, "0,1", model=model).text
    assert "0.1: given by you" in text


@pytest.mark.parametrize(
    ("documents", "answer", "own", "said"),
    [
        ("", "Ali.", "", "Tiada dokumen"),
        ("=== a ===\n \n=== b ===", "Ali.", "", "Tiada dokumen"),
        ("Ali.", " ", "", "Jawapan kosong"),
        ("Ali.", "***", "", "Jawapan kosong"),
        ("Ali.", "Ali. " * MOST_ANSWER, "", "terlalu panjang"),
        ("Ali.", "Ali.", "1.5", "bukan nombor dari 0 hingga 1"),
        ("Ali.", "Ali.", "banyak", "bukan nombor dari 0 hingga 1"),
        ("Ali.", "Ali.", "nan", "bukan nombor dari 0 hingga 1"),
    ],
)
def test_what_cannot_be_checked_is_said_in_words(
    documents: str, answer: str, own: str, said: str
) -> None:
    page = shown(context(), documents, answer, own)
    assert said in page.text
    assert "Tiada keputusan" in page.text


def test_errors_become_words_and_never_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(WordJudge):
        def judge(self, *_: object) -> object:
            raise self.fault

    judge = Broken()
    judge.fault = PengadilError("row 1", "too <b>long</b>", "Shorten it.")
    assert "too <b>long</b>" in shown(context(judge), DOCUMENTS, "Ali.").text
    judge.fault = ValueError("secret")
    text = shown(context(judge), DOCUMENTS, "Ali.").text
    assert "ValueError" in text
    assert "secret" not in text
    assert "secret" in capsys.readouterr().err


def test_documents_are_parted_at_their_headings() -> None:
    page = context()
    assert parted(page, "Ali.\n---\nAbu.") == (["dokumen 1"], ["Ali.\n---\nAbu."])
    names, texts = parted(page, "Pertama.\n=== ===\nKedua.\n==== c d.md ====\n\nKetiga.\n")
    assert names == ["dokumen 1", "dokumen 2", "c d.md"]
    assert texts == ["Pertama.", "Kedua.", "Ketiga."]


def test_files_are_added_under_their_names_and_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr("pengadil.app.documents.warn", warned.append)
    files = [tmp_path / name for name in ("a=b.txt", "c.md", "d.exe", "e.txt")]
    for file, content in zip(files, (b"Ali.", b"# Siti", b"MZ", b" "), strict=True):
        file.write_bytes(content)
    text = with_files(context(), "Sudah ada.", [str(file) for file in files])
    assert text == "Sudah ada.\n\n=== a b.txt ===\nAli.\n\n=== c.md ===\n# Siti"
    assert parted(context(), text)[0] == ["dokumen 1", "a b.txt", "c.md"]
    assert len(warned) == 2
    assert not any(file.exists() for file in files)
    assert with_files(context(), None, None) == ""


@pytest.mark.parametrize(
    ("text", "share"), [("", None), (" ", None), (None, None), ("0,25", 0.25), (" 1 ", 1.0)]
)
def test_a_threshold_may_be_written_with_a_comma(text: str | None, share: float | None) -> None:
    assert read_threshold(text) == share


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_examples_are_whole_and_do_what_they_say(language: str) -> None:
    for documents, answer in examples(language).values():
        names, texts = parted(context(), documents)
        assert len(names) == len(texts)
        assert len(answer) > 20
    assert len(parted(context(), examples(language)["mixed"][0])[1]) == 2
    assert len(examples(language)["long"][0]) > 800


def test_every_text_stands_in_both_languages() -> None:
    for malay, english in WORDS.values():
        assert malay
        assert english
        assert malay.count("{") == english.count("{")
