"""Documents that a visitor gives as files: text, or a refusal in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pengadil.app.context import Context, warn

if TYPE_CHECKING:
    from pypdf import PdfReader

MEGABYTE = 1_000_000
MOST_BYTES = 10 * MEGABYTE
# What a page shows, a browser holds and a judge reads in a lifetime: a PDF may unpack to far more
# than its size.
MOST_CHARACTERS = 6_000_000
TEXT_SUFFIXES = (".txt", ".md")
PDF_SUFFIX = ".pdf"
SUFFIXES = (*TEXT_SUFFIXES, PDF_SUFFIX)

WORDS = {
    "kind": (
        "{name}: jenis fail ini tidak dapat dibaca. Beri fail .txt, .md atau .pdf.",
        "{name}: this kind of file cannot be read. Give a .txt, .md or .pdf file.",
    ),
    "gone": (
        "{name}: fail tidak dapat dibuka. Muat naik sekali lagi.",
        "{name}: the file cannot be opened. Upload it again.",
    ),
    "large": (
        "{name}: terlalu besar. Paling banyak {megabytes} MB dan {characters} aksara; "
        "ambil bahagian yang diperlukan sahaja.",
        "{name}: too large. At most {megabytes} MB and {characters} characters; take only the "
        "part that is needed.",
    ),
    "empty": (
        "{name}: fail ini kosong, tiada teks untuk dihakimi.",
        "{name}: the file is empty, there is no text to judge.",
    ),
    "encoding": (
        "{name}: bukan teks UTF-8 (bait {byte}). Simpan semula sebagai teks UTF-8.",
        "{name}: not UTF-8 text (byte {byte}). Save it again as UTF-8 text.",
    ),
    "encrypted": (
        "{name}: PDF ini dikunci dengan kata laluan. Simpan salinan tanpa kata laluan.",
        "{name}: this PDF is locked with a password. Save a copy without one.",
    ),
    "scanned": (
        "{name}: PDF ini tiada teks, mungkin imbasan. Jalankan OCR dahulu, atau tampal teksnya.",
        "{name}: this PDF has no text, it may be a scan. Run OCR on it first, or paste its text.",
    ),
    "broken": (
        "{name}: PDF ini rosak atau bukan PDF. Simpan semula, atau tampal teksnya.",
        "{name}: this PDF is broken, or is no PDF. Save it again, or paste its text.",
    ),
}


class DocumentError(Exception):
    """A document that cannot be used: `key` names the words in WORDS, `values` fill them."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key, self.values = key, values


def opened(path: str | Path | None, context: Context) -> str | None:
    """The text of an uploaded file, which is deleted; None, and why on the page, if refused."""
    if not path:
        return None
    try:
        return read_file(Path(path))
    except DocumentError as refused:
        warn(context.say(WORDS, refused.key, **refused.values))
        return None
    finally:
        Path(path).unlink(missing_ok=True)


def read_file(path: Path) -> str:
    """The text of a .txt, .md or .pdf file, without the space around it.

    Raises DocumentError for another kind of file, and for one without text that can be read.
    """
    name = path.name
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DocumentError("kind", name=name)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise _too_large(name)
        text = _pdf_text(path) if suffix == PDF_SUFFIX else _plain_text(path)
    except OSError:
        raise DocumentError("gone", name=name) from None
    if not text.strip():
        raise DocumentError("scanned" if suffix == PDF_SUFFIX else "empty", name=name)
    if len(text) > MOST_CHARACTERS:
        raise _too_large(name)
    return text.strip()


def _plain_text(path: Path) -> str:
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError("encoding", name=path.name, byte=error.start + 1) from None
    if "\0" in text:  # valid UTF-8, and yet no text: a program, a picture, UTF-16
        raise DocumentError("encoding", name=path.name, byte=content.index(b"\0") + 1)
    return text


def _pdf_text(path: Path) -> str:
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, FileNotDecryptedError, WrongPasswordError

    if not path.stat().st_size:
        raise DocumentError("empty", name=path.name)
    try:
        with path.open("rb") as file:
            reader = PdfReader(file)
            # Many PDFs are locked against changes only, with an empty password to read them.
            if reader.is_encrypted and not reader.decrypt(""):
                raise DocumentError("encrypted", name=path.name)
            return _all_pages(reader, path.name)
    except (DocumentError, OSError):
        raise
    except (DependencyError, FileNotDecryptedError, WrongPasswordError):
        raise DocumentError("encrypted", name=path.name) from None
    except Exception:
        # A broken PDF ends in errors of every kind (KeyError, RecursionError, struct.error ...).
        raise DocumentError("broken", name=path.name) from None


def _all_pages(reader: PdfReader, name: str) -> str:
    pages: list[str] = []
    characters = 0
    for page in reader.pages:
        pages.append(page.extract_text())
        characters += len(pages[-1])
        if characters > MOST_CHARACTERS:
            raise _too_large(name)
    # Half characters that a PDF's own tables give could be neither hashed nor sent.
    return "\n\n".join(pages).encode("utf-8", "replace").decode("utf-8")


def _too_large(name: str) -> DocumentError:
    megabytes, characters = MOST_BYTES // MEGABYTE, f"{MOST_CHARACTERS:,}"
    return DocumentError("large", name=name, megabytes=megabytes, characters=characters)
