"""Token ids that come one by one, as text that is whole at every step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pengadil.tokens import Encoder

if TYPE_CHECKING:
    from torch import Tensor

HALF = "\ufffd"  # what a decoder writes for bytes that are no character, or not yet


class Pieces:
    """Turns ids into pieces of text; together they are the text of all ids.

    A character whose bytes are spread over several tokens comes with the last of them; one that
    never becomes whole is left out. Only the ids since the last whole character are decoded, with
    the piece before them: some tokenizers write a word's space only where another precedes it.
    """

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._before = 0  # of the ids at hand, those whose text is out already

    def add(self, ids: Sequence[int]) -> str:
        """The text that these ids make whole, "" for none yet."""
        self._ids += ids
        out = self._decode(self._ids[: self._before])
        text = self._decode(self._ids)
        if text.endswith(HALF) or len(text) <= len(out):
            return ""
        self._ids, self._before = self._ids[self._before :], len(self._ids) - self._before
        return text[len(out) :]


class Watcher:
    """Told by transformers' `generate` of the ids of one row, it tells `found` of their text."""

    def __init__(self, encoder: Encoder, found: Callable[[str], None]) -> None:
        self._pieces, self._found = Pieces(encoder.decode), found
        self._started = False

    def put(self, ids: Tensor) -> None:
        """Take the prompt first, then each new token; an empty text is told of too.

        For then the work can be stopped at each token.
        """
        if self._started:
            self._found(self._pieces.add(ids.flatten().tolist()))
        self._started = True

    def end(self) -> None:
        """Nothing is held back that could still become a character."""


def text_tokens(encoder: Encoder, text: str) -> int:
    """How many tokens a text is, its "<|im_end|>" read as letters as they are in a message."""
    return len(encoder.answer(text)) - 1
