"""A real browser that watches: no request elsewhere, no error, nothing of a text that runs."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 20_000  # milliseconds


def browser_path() -> str | None:
    """Where a browser is, PENGADIL_CHROMIUM first; None where there is none."""
    named = os.environ.get("PENGADIL_CHROMIUM")
    return named or next(filter(None, map(shutil.which, CHROMIUM)), None)


def missing() -> str:
    """Why browser tests cannot run here, "" if they can."""
    wanted = [name for name in ("playwright", "gradio") if importlib.util.find_spec(name) is None]
    if wanted:
        return f"{' and '.join(wanted)} not installed (requirements-dev.txt, requirements-app.txt)"
    if browser_path() is None:
        return "no Chromium here: install it (apt-get install chromium), or set PENGADIL_CHROMIUM"
    return ""


needs_browser = pytest.mark.skipif(bool(missing()), reason=missing() or "-")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, for the tests of one file: while it is open no other event loop can run."""
    if missing():
        pytest.skip(missing())
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser_path(), args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


class Watched:
    """A window on the page, and what it asked for and complained of."""

    def __init__(
        self, browser: Any, address: str, width: int = 1200, scheme: str = "light"
    ) -> None:
        self.address = address
        self.window = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, locale="de-DE"
        )
        self.window.set_default_timeout(PATIENCE)
        self.page = self.window.new_page()
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", self._stopped)

    def _heard(self, told: Any) -> None:
        if told.type == "error":
            self.errors.append(f"{told.text} {told.location}")

    def _stopped(self, dialog: Any) -> None:
        self.errors.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, path: str = "") -> Any:
        """The page, loaded anew; what the one before complains of when it is left is forgotten."""
        self.page.goto("about:blank")
        self.errors.clear()
        self.page.goto(self.address + path)
        self.page.wait_for_selector("#judge-go")
        return self.page

    def check(self) -> None:
        """It asked nobody else for anything, nothing of a text has run, and all went well."""
        own = (self.address, "data:", "blob:")
        elsewhere = [url for url in self.asked if not url.startswith(own)]
        attacked = self.page.evaluate("window.attacked")
        found = (elsewhere, attacked, self.errors)
        assert found == ([], None, []), found


@contextmanager
def visit(
    browser: Any, address: str, width: int = 1200, scheme: str = "light", path: str = ""
) -> Iterator[Any]:
    """The page open in a fresh window; at the end, what it must not have done."""
    watched = Watched(browser, address, width, scheme)
    try:
        yield watched.open(path)
        watched.check()
    finally:
        watched.window.close()


def open_tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def write(page: Any, part: str, text: str) -> None:
    """Put a text into a field as a paste would."""
    page.fill(f"#{part} textarea, #{part} input[type=text]", text)


def drop(page: Any, part: str, name: str, text: str) -> None:
    """Drop a file on a field, as from a folder beside the browser."""
    page.evaluate(
        """([part, name, text]) => {
          const data = new DataTransfer();
          data.items.add(new File([text], name));
          const field = document.querySelector(`#${part} textarea`);
          for (const kind of ["dragenter", "dragover", "drop"])
            field.dispatchEvent(new DragEvent(kind, {
              dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        [part, name, text],
    )


def low_contrast(page: Any) -> list[str]:
    """The visible texts whose contrast is below that of WCAG 2.2, level AA."""
    found: list[str] = page.evaluate((Path(__file__).parent / "contrast.js").read_text("utf-8"))
    return found


def wider_than_window(page: Any) -> int:
    """By how many pixels the page scrolls sideways."""
    over: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return max(0, over)
