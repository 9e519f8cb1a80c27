"""What a tab shows where its result will be: what is under way, or why there is none."""

from __future__ import annotations

from html import escape

from pengadil.verbs import shown


def state_html(words: str) -> str:
    """What is under way."""
    return f'<p class="note">{escape(words)}</p>'


def trouble_html(title: str, words: object) -> str:
    """Why there is no result: words, or an error."""
    text = escape(shown(str(words)))
    return f'<div class="verdict unreadable"><strong>{title}</strong><p>{text}</p></div>'
