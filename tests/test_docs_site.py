"""The documentation as pages: built without a warning, and with nothing from elsewhere."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from helpers_docs import ROOT

pytest.importorskip("mkdocs", reason="see requirements-docs.txt")

# What a browser fetches by itself when it shows a page.
FETCHED = {
    "link": "href",
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "object": "data",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The built pages. In strict mode a warning ends the build: a page, a link or an anchor that
    is not there, or a page that the navigation leaves out."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder))
        assert config.strict
        config.plugins.on_startup(command="build", dirty=False)
        heard = Heard()
        logging.getLogger("mkdocs").addHandler(heard)
        try:
            build(config)
        except BaseException as error:
            pytest.fail(f"{error}: {heard.said}", pytrace=False)
        finally:
            logging.getLogger("mkdocs").removeHandler(heard)
        yield folder


class Heard(logging.Handler):
    """Keeps the warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


class Fetched(HTMLParser):
    """Collects what a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.classes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.classes.update((given.get("class") or "").split())
        address = given.get(FETCHED.get(tag, ""))
        if address:
            self.found.append(address)


def test_every_page_is_built(site: Path) -> None:
    built = {page.relative_to(site).as_posix() for page in site.rglob("*.html")}
    sources = {page.with_suffix(".html").name for page in (ROOT / "docs").glob("*.md")}
    assert built >= sources | {"index.html", "recipes.html", "benchmarks.html"}
    assert not list(site.rglob("*.py"))


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        fetched = Fetched()
        fetched.feed(page.read_text(encoding="utf-8"))
        outside = [one for one in fetched.found if re.match(r"(?:\w+:)?//", one)]
        assert not outside, page.name
        # The theme's script would fetch what draws these from a CDN.
        assert "mermaid" not in fetched.classes
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", text), sheet.name


def test_pages_can_be_read_from_a_disk(site: Path) -> None:
    """Links name files, and marks for the tests are not shown."""
    text = (site / "index.html").read_text(encoding="utf-8")
    assert 'href="limits.html"' in text
    start = (site / "start.html").read_text(encoding="utf-8")
    assert "needs: account" not in re.sub(r"<!--.*?-->", "", start, flags=re.DOTALL)
    assert "kaggle/push.py" in start
