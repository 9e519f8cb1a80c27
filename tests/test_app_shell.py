"""The page as it is served: both languages, nothing from elsewhere, no file, no door left open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from helpers_app import EVIL, PageJudge, fake_context, pdf

from pengadil.app import shell
from pengadil.app.access import Access
from pengadil.app.context import Context
from pengadil.app.launch import Page
from pengadil.app.states import trouble_html
from pengadil.app.words import MALAY
from pengadil.errors import PengadilError

httpx = pytest.importorskip("httpx")
pytestmark = pytest.mark.skipif(
    find_spec("gradio") is None, reason="gradio not installed (requirements-app.txt)"
)
PASSWORD = "kata-laluan-panjang"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with Page(fake_context(results=tmp_path_factory.mktemp("results")), Access()) as page:
        yield page


def config(address: str, path: str = "") -> dict[str, Any]:
    got: dict[str, Any] = httpx.get(f"{address}config{path}").json()
    return got


def labels(address: str, path: str = "") -> str:
    return httpx.get(address + path).text


def test_both_languages_are_served_with_all_tabs(page: Page) -> None:
    malay, english = labels(page.address), labels(page.address, "en")
    for word in ("Hakimi", "Sembang", "Pengawal", "Semakan", 'href=\\"en\\"'):
        assert word in malay
    for word in ("Judge", "Chat / rewrite", "Guard", "Review", 'href=\\"./\\"'):
        assert word in english
    assert "Pernyataan" not in english


def test_english_may_come_first_and_uploads_are_gone_when_the_page_ends(tmp_path: Path) -> None:
    context = fake_context(language="en", results=tmp_path)
    assert shell.languages(context) == ("en", "ms")
    with Page(context, Access()) as page:
        assert "Chat / rewrite" in labels(page.address)
        assert "Sembang" in labels(page.address, "ms")
        files = {"files": ("a.pdf", pdf(tmp_path / "a.pdf", "Ali.").read_bytes())}
        [kept] = httpx.post(page.address + "gradio_api/upload", files=files).json()
        assert Path(kept).is_file()
        assert Path(kept).is_relative_to(page.uploads)
    assert not Path(page.uploads).exists()


def test_the_page_names_no_address_elsewhere_that_a_browser_would_load(page: Page) -> None:
    text = labels(page.address) + httpx.get(page.address + "theme.css").text
    loaded = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?((?:https?:)?//[^"')\s>]+)""", text)
    assert [address for address in loaded if not address.startswith(page.address)] == []
    assert "fonts.googleapis" not in text


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=/etc/passwd",
        "gradio_api/file=pyproject.toml",
        "gradio_api/file=../pyproject.toml",
        "gradio_api/file=C:/Windows/win.ini",
        "monitoring",
        "docs",
        "openapi.json",
        "redoc",
        "gradio_api/runs",
    ],
)
def test_no_file_and_no_inner_page_is_served(page: Page, path: str) -> None:
    assert httpx.get(page.address + path).status_code in (403, 404)


def test_programs_find_nothing_to_call(page: Page) -> None:
    told = httpx.get(page.address + "gradio_api/info").json()
    assert told["named_endpoints"] == {}
    assert told["unnamed_endpoints"] == {}


def test_another_site_cannot_read_the_answers(page: Page) -> None:
    """A page elsewhere, open in the same browser, may not talk to this one."""
    answer = httpx.get(page.address + "config", headers={"Origin": "https://example.com"})
    assert "access-control-allow-origin" not in answer.headers


def test_a_name_that_an_attacker_points_here_is_refused(page: Page) -> None:
    """DNS rebinding: the attacker's own name, which leads to 127.0.0.1."""
    answer = httpx.get(page.address, headers={"Host": "evil.example"})
    assert answer.status_code == 400
    port = page.address.rstrip("/").split(":")[-1]
    assert httpx.get(page.address, headers={"Host": f"localhost:{port}"}).status_code == 200


def test_nothing_is_reported_and_uploads_are_limited_and_forgotten(page: Page) -> None:
    settings = config(page.address)
    assert settings["analytics_enabled"] is False
    assert settings["footer_links"] == []
    assert not settings.get("run_history")
    blocks = page.blocks
    assert blocks.allowed_paths == []
    assert blocks.delete_cache == shell.FORGET_UPLOADS
    assert blocks.max_file_size == 20_000_000
    too_much = httpx.post(
        page.address + "gradio_api/upload",
        files={"files": ("a.txt", b"a" * 20_100_000)},
        timeout=30,
    )
    assert too_much.status_code == 413


def test_every_event_runs_one_at_a_time_and_few_wait(page: Page) -> None:
    limits = {function.concurrency_limit for function in page.blocks.fns.values()}
    assert limits <= {1, "default"}
    assert page.blocks._queue.max_size == shell.MOST_WAITING
    assert page.blocks._queue.default_concurrency_limit == 1


def test_with_a_password_nothing_is_shown_without_it(tmp_path: Path) -> None:
    with Page(fake_context(results=tmp_path), Access(password=PASSWORD)) as page:
        assert httpx.get(page.address + "config").status_code == 401
        assert "Pernyataan" not in labels(page.address)
        with httpx.Client(base_url=page.address) as client:
            wrong = {"username": "pengadil", "password": PASSWORD + "x"}
            assert client.post("login", data=wrong).status_code == 400
            right = {"username": "pengadil", "password": PASSWORD}
            assert client.post("login", data=right).status_code == 200
            # The cookie of a login is for encrypted connections, but for one beside it.
            assert client.get("config").status_code == 200


def test_the_head_tells_where_models_elsewhere_are() -> None:
    here = shell.header(fake_context(language="en"), "ms")
    assert "computed on this machine" in here
    away = fake_context(PageJudge(name=f"endpoint:{EVIL}"), language="en")
    told = shell.header(away, "ms")
    assert "computed on this machine" not in told
    assert "what you write is sent to them: endpoint:&lt;script&gt;" in told
    assert "<script" not in told


def test_models_have_short_names_where_those_tell_them_apart() -> None:
    one, two, three = "/a/b/satu", "/a/dua", "/c/dua"
    context = fake_context(*map(PageJudge, (one, two, three, "runs/latest")))
    assert context.models() == [
        ("satu", one),
        (two, two),
        (three, three),
        ("runs/latest", "runs/latest"),
    ]
    assert context.label(one) == "satu"


def test_words_are_filled_and_given_in_the_pages_language() -> None:
    words = {"a": ("satu {n}", "one {n}"), "b": ("{apa adanya}", "{as it is}")}
    context: Context = fake_context()
    assert context.say(words, "a", n="{x}") == "satu {x}"
    assert context.say(words, "b") == "{apa adanya}"


def test_commands_are_named_as_the_page_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    words = {"a": ("Pilih: python eval/guard.py MODEL --choose", "")}
    error = PengadilError("x", "no threshold", "Run: python eval/guard.py MODEL --choose")
    assert "python eval/guard.py" in fake_context().say(words, "a")
    assert "python eval/guard.py" in trouble_html("Gagal", error)
    monkeypatch.setattr("sys.argv", ["pengadil app", "runs/latest"])
    assert fake_context().say(words, "a") == "Pilih: pengadil guard MODEL --choose"
    assert "Run: pengadil guard MODEL" in trouble_html("Gagal", error)
    assert "<b>" not in trouble_html("Gagal", "<b>")


def test_gradios_own_words_are_malay_in_the_form_it_takes() -> None:
    from pengadil.app.words import gradio_words

    assert gradio_words().translations_dict["ms"] == MALAY
    assert all(text for group in MALAY.values() for text in group.values())
