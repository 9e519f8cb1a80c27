"""Files that visitors give: read as text, or refused in words, and deleted either way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers_app import EVIL, fake_context, pdf
from hypothesis import given
from hypothesis import strategies as st

from pengadil.app import documents
from pengadil.app.documents import WORDS, DocumentError, opened, read_file

LETTER = "Ali dilahirkan di Ipoh."


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("surat.txt", f"\n {LETTER}\r\n".encode()),
        ("surat.md", b"\xef\xbb\xbf" + LETTER.encode()),
        ("SURAT.TXT", LETTER.encode()),
    ],
)
def test_text_is_read(tmp_path: Path, name: str, content: bytes) -> None:
    assert read_file(write(tmp_path, name, content)) == LETTER


def test_markup_and_script_are_text_like_any_other(tmp_path: Path) -> None:
    assert read_file(write(tmp_path, "a.txt", EVIL.encode())) == EVIL.strip()


def test_a_pdf_is_read_page_after_page(tmp_path: Path) -> None:
    assert read_file(pdf(tmp_path / "a.pdf", LETTER, "Ali guru.")) == f"{LETTER}\n\nAli guru."


def test_a_pdf_that_is_locked_against_changes_only_is_read(tmp_path: Path) -> None:
    path = pdf(tmp_path / "a.pdf", LETTER, password="rahsia", readable=True)
    assert read_file(path) == LETTER


@pytest.mark.parametrize(
    ("key", "make"),
    [
        ("kind", lambda folder: write(folder, "surat.docx", LETTER.encode())),
        ("kind", lambda folder: write(folder, "surat", LETTER.encode())),
        ("kind", lambda folder: write(folder, "laman.html", LETTER.encode())),
        ("gone", lambda folder: folder / "tiada.txt"),
        ("empty", lambda folder: write(folder, "a.txt", b"")),
        ("empty", lambda folder: write(folder, "a.md", b" \n\t ")),
        ("empty", lambda folder: write(folder, "a.pdf", b"")),
        ("encoding", lambda folder: write(folder, "a.txt", "harga café".encode("latin-1"))),
        ("encoding", lambda folder: write(folder, "a.txt", LETTER.encode("utf-16"))),
        ("encoding", lambda folder: write(folder, "a.txt", b"PK\x03\x04\x00\x00")),
        ("encrypted", lambda folder: pdf(folder / "a.pdf", LETTER, password="rahsia")),
        ("scanned", lambda folder: pdf(folder / "a.pdf", "", "")),
        ("broken", lambda folder: write(folder, "a.pdf", LETTER.encode())),
        ("broken", lambda folder: write(folder, "a.pdf", b"%PDF-1.7\n" + b"\xff" * 500)),
    ],
)
def test_what_cannot_be_read_is_refused_in_both_languages(
    tmp_path: Path, key: str, make: Callable[[Path], Path]
) -> None:
    path = make(tmp_path)
    with pytest.raises(DocumentError) as refused:
        read_file(path)
    assert refused.value.key == key
    for words in WORDS[key]:
        assert path.name in words.format(**refused.value.values)


def test_what_is_too_large_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MOST_BYTES", 40)
    assert read_file(write(tmp_path, "a.txt", b"a" * 40)) == "a" * 40
    with pytest.raises(DocumentError) as refused:
        read_file(write(tmp_path, "a.txt", b"a" * 41))
    assert refused.value.key == "large"


def test_a_pdf_that_unpacks_to_too_much_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MOST_CHARACTERS", 50)
    with pytest.raises(DocumentError) as refused:
        read_file(pdf(tmp_path / "a.pdf", *[LETTER] * 4))
    assert refused.value.key == "large"


@given(st.binary(max_size=400), st.sampled_from([".txt", ".md", ".pdf", ".exe"]))
def test_any_bytes_are_text_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    try:
        text = read_file(path)
    except DocumentError as refused:
        text = WORDS[refused.key][0].format(**refused.values)
    assert text.encode()
    assert text == text.strip()


@pytest.mark.parametrize(("language", "said"), [("ms", "kosong"), ("en", "is empty")])
def test_the_page_says_why_in_its_language_and_the_upload_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, said: str
) -> None:
    told: list[str] = []
    monkeypatch.setattr(documents, "warn", told.append)
    context = fake_context(language=language)
    good, bad = write(tmp_path, "a.txt", LETTER.encode()), write(tmp_path, "b.txt", b"")
    assert opened(good, context) == LETTER
    assert told == []
    assert opened(bad, context) is None
    assert len(told) == 1
    assert said in told[0]
    assert list(tmp_path.iterdir()) == []
    assert opened(None, context) is None


def test_a_refusal_that_quotes_a_name_is_shown_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradio shows its messages as HTML."""
    import gradio

    shown: list[str] = []
    monkeypatch.setattr(gradio, "Warning", shown.append)
    assert opened(write(tmp_path, "<img src=x onerror=alert(1)>.exe", b"a"), fake_context()) is None
    assert "<" not in shown[0]
    assert "&lt;img" in shown[0]
