"""The page used as a person would, in Chromium, with judges that answer at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers_app import EVIL, PageJudge, fake_context, pdf
from helpers_browser import (
    Watched,
    browser,
    drop,
    low_contrast,
    needs_browser,
    open_tab,
    visit,
    wider_than_window,
    write,
)
from helpers_reviewing import contoh_results, lines_of

from pengadil.app.access import Access
from pengadil.app.context import Context
from pengadil.app.launch import Page
from pengadil.app.shelf import Shelf

pytestmark = needs_browser
__all__ = ["browser"]

LETTER = "Ali dilahirkan di Ipoh. Ali bekerja sebagai guru."
TABS = ("Hakimi", "Sembang", "Pengawal", "Semakan")
VERDICT = "#judge-verdict .verdict"
QUICK = 260  # milliseconds: a second click within a quarter of a second counts as a slip


@pytest.fixture(scope="module")
def judges() -> tuple[PageJudge, PageJudge]:
    return PageJudge("ali"), PageJudge("siti")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hasil")
    contoh_results(make(folder / "satu"))
    return folder


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def address(judges: tuple[PageJudge, PageJudge], results: Path) -> Iterator[str]:
    with Page(fake_context(*judges, results=results), Access()) as page:
        yield page.address


@pytest.fixture(scope="module")
def window(browser: Any, address: str) -> Iterator[Watched]:
    watched = Watched(browser, address)
    yield watched
    watched.window.close()


@pytest.fixture
def page(window: Watched) -> Iterator[Any]:
    """The page loaded anew in a window of usual size; at the end, what it must not have done."""
    yield window.open()
    window.check()


def judge(page: Any, document: str, statement: str) -> str:
    """The verdict's words, once there is one."""
    write(page, "judge-document", document)
    write(page, "judge-statement", statement)
    page.evaluate("document.querySelector('#judge-verdict .verdict')?.remove()")
    page.wait_for_timeout(QUICK)
    page.click("#judge-go")
    page.wait_for_selector(VERDICT)
    return str(page.inner_text(VERDICT))


def test_an_example_is_clicked_and_judged_in_colour_and_words(page: Any) -> None:
    page.click("button.example >> nth=0")
    page.click("#judge-go")
    page.wait_for_selector("#judge-verdict .verdict.differs")
    assert "Tidak selaras" in page.inner_text(VERDICT)
    assert page.locator("#judge-verdict[aria-live=polite][role=status]").count() == 1
    assert "Selaras" in judge(page, LETTER, "Ali dilahirkan di Ipoh.")
    page.wait_for_selector("#judge-verdict .verdict.agrees")
    assert page.inner_text("#judge-shown mark") == "Ali dilahirkan di Ipoh."


def test_the_page_changes_its_language_and_gradios_own_words_too(
    page: Any, address: str, window: Watched
) -> None:
    assert page.evaluate("[document.documentElement.lang, navigator.language]") == ["ms", "ms"]
    page.get_by_role("link", name="English").click()
    page.wait_for_url(address + "en")
    page.get_by_role("tab", name="Judge", exact=True).wait_for()
    assert page.evaluate("[document.documentElement.lang, navigator.language]") == ["en", "en"]
    page.get_by_role("link", name="Bahasa Melayu").click()
    page.wait_for_url(address)
    page.get_by_role("tab", name="Hakimi", exact=True).wait_for()
    window.errors.clear()  # Gradio complains of its own connection when its page is left


def test_a_file_is_opened_or_dropped_and_a_wrong_one_refused_in_words(
    page: Any, tmp_path: Path
) -> None:
    field = "#judge-document textarea"

    def give(name: str, content: bytes) -> None:
        (tmp_path / name).write_bytes(content)
        page.set_input_files("input[type=file] >> nth=0", tmp_path / name)

    def refused(words: str) -> None:
        toast = page.get_by_text(words)
        toast.first.wait_for()
        page.locator(".toast-close").first.click()
        toast.first.wait_for(state="detached")

    pdf(tmp_path / "a.pdf", "Ali dari PDF.")
    page.set_input_files("input[type=file] >> nth=0", tmp_path / "a.pdf")
    page.wait_for_function("document.querySelector('#judge-document textarea').value")
    assert page.input_value(field) == "Ali dari PDF."
    for name, content, words in (
        ("surat.docx", b"PK", "jenis fail ini tidak dapat dibaca"),
        ("kosong.txt", b"", "fail ini kosong"),
        ("latin.txt", "café".encode("latin-1"), "bukan teks UTF-8"),
        ("imbas.pdf", pdf(tmp_path / "b.pdf", "").read_bytes(), "mungkin imbasan"),
        ("<img src=x onerror=window.attacked=7>.exe", b"x", "jenis fail ini"),
    ):
        give(name, content)
        refused(words)
    assert page.input_value(field) == "Ali dari PDF."
    drop(page, "judge-document", "jatuh.txt", "Siti dari fail yang dijatuhkan.")
    page.wait_for_function(
        "document.querySelector('#judge-document textarea').value.startsWith('Siti')"
    )


def test_nothing_is_judged_without_a_document(page: Any) -> None:
    assert "Dokumen kosong" in judge(page, "  ", "Ali.")
    assert "Pernyataan kosong" in judge(page, LETTER, "")


def test_markup_and_script_are_shown_as_text_in_every_tab(page: Any) -> None:
    shown = "<script>window.attacked=1</script>"
    judge(page, f"{EVIL} Ayat.", EVIL)
    assert shown in page.inner_text("#judge-shown")
    open_tab(page, "Sembang")
    write(page, "chat-message", EVIL)
    page.click("#chat-send")
    page.wait_for_function(
        "[...document.querySelectorAll('#chat-talk .said')].at(-1)?.innerText.includes('{{')"
    )
    assert page.inner_text("#chat-talk").count(shown) == 2
    open_tab(page, "Pengawal")
    write(page, "guard-documents", EVIL)
    write(page, "guard-answer", EVIL)
    page.click("#guard-go")
    page.wait_for_selector("#guard-result .verdict")
    assert shown in page.inner_text("#guard-result")
    open_tab(page, "Semakan")
    page.get_by_label("Nama anda").fill(EVIL[:40])
    page.click("#review-start")
    page.wait_for_timeout(300)


def test_a_document_of_five_megabytes_is_read_in_parts(page: Any, tmp_path: Path) -> None:
    fill = "Cuaca hari ini panas dan jalan sesak dengan kereta yang banyak itu. "
    text = fill * 36_000 + LETTER + " " + fill * 36_000
    assert len(text) > 4_800_000
    (tmp_path / "besar.txt").write_text(text, encoding="utf-8")
    page.set_default_timeout(60_000)
    page.set_input_files("input[type=file] >> nth=0", tmp_path / "besar.txt")
    page.wait_for_function("document.querySelector('#judge-document textarea').value.length > 4e6")
    write(page, "judge-statement", "Ali dilahirkan di Ipoh.")
    page.click("#judge-go")
    page.wait_for_selector("#judge-verdict .verdict.agrees")
    assert "bahagian yang bertindih" in page.inner_text(VERDICT)
    assert page.inner_text("#judge-shown mark") == "Ali dilahirkan di Ipoh."
    assert page.evaluate("document.querySelector('#judge-shown').innerText.length") < 20_000


def test_a_hundred_quick_clicks_do_not_pile_up_work(
    page: Any, judges: tuple[PageJudge, PageJudge]
) -> None:
    ali = judges[0]
    judge(page, LETTER, "Ali dilahirkan di Ipoh.")
    ali.seconds, before = 0.3, ali.asked
    page.evaluate(
        "() => { for (let i = 0; i < 60; i++) document.querySelector('#judge-go').click() }"
    )
    for _ in range(40):
        page.click("#judge-go")
    page.wait_for_timeout(300)
    ali.seconds = 0.0
    assert 1 <= ali.asked - before <= 10
    assert max(ali.at_once) == 1
    assert "Tidak selaras" in judge(page, LETTER, "Ali dilahirkan di Muar.")


def test_a_verdict_that_is_stopped_or_left_does_not_hold_the_model(
    browser: Any, address: str, page: Any, judges: tuple[PageJudge, PageJudge]
) -> None:
    ali = judges[0]
    ali.seconds = 0.8
    with visit(browser, address) as other:
        for one in (page, other):
            write(one, "judge-document", LETTER)
            write(one, "judge-statement", "Ali dilahirkan di Ipoh.")
            one.click("#judge-go")
            one.get_by_text("Sedang menghakimi").wait_for()
            if one is page:
                page.click("#judge-stop")
                page.get_by_text("Keputusan akan muncul di sini.").wait_for()
    ali.seconds = 0.0
    assert "Selaras" in judge(page, LETTER, "Ali dilahirkan di Ipoh.")


def test_the_model_is_switched_and_the_conversation_kept_side_by_side(page: Any) -> None:
    open_tab(page, "Sembang")
    for name, message in (("ali", "Apa khabar?"), ("siti", "Dan esok?")):
        for other in ("ali", "siti"):
            page.get_by_label(other, exact=True).set_checked(other == name)
        write(page, "chat-message", message)
        page.click("#chat-send")
        page.get_by_text(f"{name} reads").first.wait_for()
        page.wait_for_timeout(QUICK)
    assert "siti reads 3: Dan esok?" in page.inner_text("#chat-talk")
    assert "ali reads 1: Apa khabar?" in page.inner_text("#chat-talk")
    page.get_by_label("ali", exact=True).check()
    write(page, "chat-message", "Kedua-duanya?")
    page.click("#chat-send")
    page.get_by_text("ali reads 5").wait_for()
    page.get_by_text("siti reads 5").wait_for()


def test_the_guard_marks_what_the_documents_do_not_say(page: Any) -> None:
    open_tab(page, "Pengawal")
    write(page, "guard-documents", LETTER)
    write(page, "guard-answer", "Ali dilahirkan di Ipoh. Ali tinggal di Muar.")
    page.click("#guard-go")
    page.wait_for_selector("#guard-result .verdict")
    assert page.inner_text("#guard-result mark.differs") == "Ali tinggal di Muar."
    assert page.inner_text("#guard-result mark.agrees") == "Ali dilahirkan di Ipoh."


def test_two_people_review_by_key_and_nothing_is_lost(
    browser: Any, address: str, results: Path
) -> None:
    def sit(page: Any, name: str) -> None:
        open_tab(page, "Semakan")
        page.get_by_label("Nama anda").fill(name)
        page.click("#review-start")
        row_other_than(page, "")

    def row_other_than(page: Any, before: str) -> None:
        now = "document.querySelector('#review-shown textarea, #review-shown input').value"
        page.wait_for_function(f"before => {now} !== before", arg=before)

    def press(page: Any, key: str) -> None:
        before = page.input_value("#review-shown textarea, #review-shown input")
        page.keyboard.press(key)
        row_other_than(page, before)

    def saved() -> list[str]:
        folders = {file.parent for file in results.rglob("by-*.jsonl")}
        lines = [line for folder in folders for line in lines_of(folder)]
        return [line["person"] for line in lines if line["act"] == "answered"]

    with visit(browser, address) as one, visit(browser, address) as two:
        sit(one, "Aminah")
        sit(two, "Bala")
        for page, key in ((one, "s"), (two, "t"), (one, "t"), (two, "s")):
            press(page, key)
        assert sorted(saved()) == ["Aminah", "Aminah", "Bala", "Bala"]


def test_the_keyboard_alone_is_enough(page: Any) -> None:
    """Tab and Enter from the top: an example, the verdict, the next tab; the focus is seen."""

    def go_to(wanted: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate(f"document.activeElement.matches({wanted!r})"):
                outline = "getComputedStyle(document.activeElement).outlineStyle"
                assert page.evaluate(outline) == "solid"
                return
        pytest.fail(f"Tab never reaches {wanted}")

    go_to("a[href]")
    go_to("button[role=tab]")
    go_to("#judge-document textarea")
    page.keyboard.type(LETTER)
    go_to("#judge-file, #judge-file *")
    go_to("#judge-statement textarea, #judge-statement input")
    page.keyboard.type("Ali bekerja sebagai guru.")
    go_to("#judge-model input")
    go_to("#judge-mode input")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    go_to("#judge-go")
    page.keyboard.press("Enter")
    page.wait_for_selector("#judge-verdict .verdict.agrees")
    assert "%" not in page.inner_text(VERDICT)  # written under a grammar, as chosen
    go_to("button.example")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#judge-document textarea').value != ''")
    page.get_by_role("tab", name="Hakimi").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#chat-message:visible")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast_enough(browser: Any, address: str, scheme: str) -> None:
    with visit(browser, address, scheme=scheme) as page:
        dark = page.evaluate("document.body.classList.contains('dark')")
        assert dark == (scheme == "dark")
        found = {name: shown_tab(page, name) or low_contrast(page) for name in TABS}
        open_tab(page, "Hakimi")
        judge(page, LETTER, "Entah.")
        found["unreadable"] = low_contrast(page)
        assert {name: texts for name, texts in found.items() if texts} == {}


def test_nothing_scrolls_sideways_on_a_phone(browser: Any, address: str) -> None:
    with visit(browser, address, width=390) as page:
        for name in TABS:
            shown_tab(page, name, "kata" * 60)
            assert wider_than_window(page) == 0, name


def shown_tab(page: Any, name: str, more: str = "") -> None:
    """Open a tab and have it show a result."""
    open_tab(page, name)
    if name == "Hakimi":
        judge(page, f"{LETTER} {more}", "Ali dilahirkan di Ipoh.")
    elif name == "Sembang":
        write(page, "chat-message", f"Apa khabar? {more}")
        page.click("#chat-send")
        page.get_by_text("ali reads").first.wait_for()
    elif name == "Pengawal":
        write(page, "guard-documents", LETTER)
        write(page, "guard-answer", f"Ali dilahirkan di Ipoh. Ali di Muar. {more}")
        page.click("#guard-go")
        page.wait_for_selector("#guard-result .verdict")
    else:
        page.get_by_label("Nama anda").fill("Cikgu")
        page.click("#review-start")
        page.wait_for_selector("#review-agree:visible")


def test_every_field_has_a_name_for_screen_readers(page: Any) -> None:
    for name in TABS:
        shown_tab(page, name)
        nameless = page.evaluate(
            """() => [...document.querySelectorAll("button, a, input, textarea, select")]
              .filter((part) => part.checkVisibility() && part.type !== "file")
              .filter((part) => !(part.innerText?.trim() || part.ariaLabel || part.title
                || part.getAttribute("aria-labelledby") || part.labels?.length))
              .map((part) => part.outerHTML.slice(0, 200))"""
        )
        assert nameless == [], name


def test_the_packaged_model_judges_in_the_browser(browser: Any, tmp_path: Path) -> None:
    """Nothing made up: the packaged SmolLM2, untrained, loaded by the first click."""
    context = Context(Shelf(["smollm2-135m"]), "en", tmp_path)
    with Page(context, Access()) as served, visit(browser, served.address) as page:
        page.set_default_timeout(90_000)
        page.click("button.example >> nth=0")
        page.click("#judge-go")
        page.get_by_text("Loading the model smollm2-135m").wait_for()
        page.wait_for_selector(VERDICT)
        assert "by the model" in page.inner_text(VERDICT)
        assert page.locator("#judge-shown mark").count() == 1
