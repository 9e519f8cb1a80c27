"""What every tab of the page is given: the models, the language and where results lie."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pengadil.app.shelf import Shelf
from pengadil.verbs import shown

Language = Literal["ms", "en"]
LANGUAGES: tuple[Language, ...] = ("ms", "en")
Words = Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Context:
    """One page: all its tabs in one language.

    `results` is the folder whose results the Review tab offers. `guard_threshold` is the share
    of support a sentence needs, None for the one that the guard chooses itself.
    """

    shelf: Shelf
    language: Language = "ms"
    results: Path = Path("results")
    guard_threshold: float | None = None

    def models(self) -> list[tuple[str, str]]:
        """(label, name) of each model: of a path from the root its end, where that tells it apart.

        The page is narrow, and where others see it the machine's folders are not their business.
        """
        names = self.shelf.names
        short = [Path(name).name if Path(name).is_absolute() else name for name in names]
        return [
            (label if short.count(label) == 1 else name, name)
            for label, name in zip(short, names, strict=True)
        ]

    def label(self, name: str) -> str:
        """What the page calls a model."""
        return next((label for label, known in self.models() if known == name), name)

    def say(self, words: Words, key: str, **values: object) -> str:
        """The text called `key` in this page's language, its {places} filled with `values`."""
        text = shown(words[key][LANGUAGES.index(self.language)])
        return text.format(**values) if values else text


def warn(text: object) -> None:
    """Show a text (or an error's words) in the corner of the page.

    Gradio shows such a message as HTML, so it is escaped here: it may quote the user.
    """
    import gradio

    gradio.Warning(html.escape(shown(str(text))))
