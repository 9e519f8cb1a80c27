"""The page as a whole: a tab for each thing one can do, once in Malay and once in English."""

from __future__ import annotations

import html
from dataclasses import replace
from types import ModuleType
from typing import Any

from pengadil.app.context import LANGUAGES, Context, Language

TITLE = "pengadil"
# One run of each event at a time, and a few that wait: a model answers one after the other anyway.
MOST_WAITING = 32
# Gradio's own copies of uploads: looked at every hour, gone after one.
FORGET_UPLOADS = (3600, 3600)

WORDS = {
    "tagline": (
        "Adakah pernyataan selaras dengan dokumen? Semuanya dikira pada komputer ini.",
        "Does a statement agree with a document? All of it is computed on this machine.",
    ),
    "tagline_away": (
        "Adakah pernyataan selaras dengan dokumen?",
        "Does a statement agree with a document?",
    ),
    "away": (
        "Model ini di luar komputer ini; apa yang anda tulis dihantar ke sana: {names}.",
        "These models are not on this machine; what you write is sent to them: {names}.",
    ),
    "other": ("English", "Bahasa Melayu"),
    "judge_tab": ("Hakimi", "Judge"),
    "chat_tab": ("Sembang", "Chat / rewrite"),
    "guard_tab": ("Pengawal", "Guard"),
    "review_tab": ("Semakan", "Review"),
}


def build(context: Context) -> Any:
    """The page as Gradio blocks: at "/" in the context's language, beside it in the other."""
    import gradio

    with gradio.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=FORGET_UPLOADS, fill_width=True
    ) as page:
        _fill(context, other_page(context.language))
    for other in languages(context)[1:]:
        with page.route(other, f"/{other}", show_in_navbar=False):
            _fill(replace(context, language=other), "./")
    for function in page.fns.values():
        # The page is for people: scripts/serve.py serves programs.
        function.api_visibility = "private"
    page.queue(max_size=MOST_WAITING, default_concurrency_limit=1, api_open=False)
    return page


def languages(context: Context) -> tuple[Language, ...]:
    """All languages, that of the address "/" first."""
    return tuple(sorted(LANGUAGES, key=lambda language: language != context.language))


def other_page(language: Language) -> Language:
    """The language of the other page, and its address beside "/"."""
    return next(other for other in LANGUAGES if other != language)


def _fill(context: Context, other_address: str) -> None:
    import gradio

    gradio.HTML(header(context, other_address), js_on_load=None)
    with gradio.Tabs():
        for tab in _tabs():
            name = tab.__name__.rpartition(".")[2]
            with gradio.Tab(context.say(WORDS, name), id=name):
                tab.build(context)


def header(context: Context, other_address: str) -> str:
    """The page's name, what it is for, where models elsewhere are, and the way to the other page.

    `other_address` is beside this page's own, whatever the two are served under.
    """
    away = [name for name in context.shelf.names if is_away(name)]
    other = other_page(context.language)
    lines = [
        '<header class="page-head">',
        f"<h1>{TITLE}</h1>",
        f"<p>{context.say(WORDS, 'tagline_away' if away else 'tagline')}</p>",
        f'<a lang="{other}" hreflang="{other}" href="{other_address}">'
        f"{context.say(WORDS, 'other')}</a>",
        "</header>",
    ]
    if away:
        names = ", ".join(html.escape(name) for name in away)
        lines.append(f'<p class="note">{context.say(WORDS, "away", names=names)}</p>')
    return "".join(lines)


def is_away(model: str) -> bool:
    """Whether rows given to this model leave for an endpoint."""
    return model.startswith(("endpoint:", "http://", "https://"))


def _tabs() -> tuple[ModuleType, ...]:
    from pengadil.app import chat_tab, guard_tab, judge_tab, review_tab

    return judge_tab, chat_tab, guard_tab, review_tab
