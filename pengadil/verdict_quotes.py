"""Where a text quotes and where its objects are, however broken the text is.

For `pengadil.verdict`: what a judge quotes is not what it says.
"""

from __future__ import annotations

import re
from bisect import bisect_left

Span = tuple[int, int]

# Quotations and JSON strings. A quote opens only where one can open and closes only where one
# can close, so a stray one (5" pipe, Ali's) does not turn the rest of the text inside out; the
# single kind stops at braces, for '{"consistency": 1}' is an answer in quotes.
_QUOTED = re.compile(
    r"""
    " (?<![\w\\]") (?: (?<=[:,{\[]") | (?<=[:,]\s") | (?=[^\s,:}\]]) )
        (?: [^"\\] | \\. )*+ "(?!\w)
    | " (?: (?<=:") | (?<=:\s") ) (?: [^"\\] | \\. )*+ \\?\Z      # a JSON string cut off
    | ' (?<![\w\\]') (?=[^\s,:}\]]) [^'\\\n{}]*+ '(?!\w)
    | “[^“”]*+” | ‘[^‘’\n]*+’ | «[^«»]*+»
    """,
    re.VERBOSE | re.DOTALL,
)
_BRACE = re.compile(r"[{}]")
_BLOCK_QUOTE = re.compile(r"^[ \t]*+>.*", re.MULTILINE)
_CLOSING = re.compile(r"[\s}]{0,4}([\"'])(?!\w)")
_ENCLOSED = 100  # characters before an object in which its quotation may have opened

# A quotation right after one of these is the judge's own answer: Jawapan: "konsisten".
_CUES = tuple(
    cue + end
    for cue in ("jawapan", "kesimpulan", "keputusan", "verdict", "answer", "conclusion", "label")
    for end in ("", "nya", " akhir", " is", " ialah", " adalah", "nya ialah", "nya adalah")
)


def is_quotation(text: str) -> bool:
    """True if the whole text is one quotation, its marks included."""
    return text[:1] in ('"', "'", "“", "‘", "«") and _QUOTED.fullmatch(text) is not None


def is_enclosed(text: str, start: int, end: int) -> bool:
    """True if quotation marks stand around text[start:end] that is itself full of them.

    As in: Dokumen berkata "Jawab {"consistency": 1}". Not the judge's own Jawapan: "{...}".
    """
    closing = _CLOSING.match(text, end)
    if closing is None:
        return False
    opening = text.rfind(closing[1], max(0, start - _ENCLOSED), start)
    return opening > 0 and text[opening - 1] in " \t\n([:" and not _is_own(text, opening)


def _is_own(text: str, opening: int) -> bool:
    return text[max(0, opening - 40) : opening].rstrip(" \t\n:*").lower().endswith(_CUES)


class Quotes:
    """What a text quotes: strings, quotations and block quotes.

    A quotation right after "Jawapan:" is the judge's own answer and is none.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        spans = [
            match.span() for match in _QUOTED.finditer(text) if not _is_own(text, match.start())
        ]
        if ">" in text:
            blocks = [match.span() for match in _BLOCK_QUOTE.finditer(text)]
            spans = _merged(sorted(spans + blocks)) if blocks else spans
        self._spans = spans
        self._starts = [start for start, _ in spans]

    def holds(self, position: int) -> bool:
        """True if the character there is quoted; the opening mark itself is not."""
        index = bisect_left(self._starts, position) - 1
        return index >= 0 and position < self._spans[index][1]

    def blank(self, begin: int) -> str:
        """The text from `begin`, what it quotes replaced by as many signs that mean nothing."""
        text, parts, last = self._text, list[str](), begin
        for start, end in self._spans:
            if start >= begin:
                parts += [text[last:start], "□" * (end - start)]
                last = end
        return "".join([*parts, text[last:]])

    def objects(self) -> Objects:
        """The objects of the text; a brace in a quotation belongs to none."""
        return Objects(
            [brace for brace in _BRACE.finditer(self._text) if not self.holds(brace.start())]
        )


class Objects:
    """The outermost pairs of braces, and the braces that never close."""

    def __init__(self, braces: list[re.Match[str]]) -> None:
        self._open: list[int] = []
        self._closed: list[Span] = []
        for brace in braces:
            if brace[0] == "{":
                self._open.append(brace.start())
            elif self._open:
                start = self._open.pop()
                while self._closed and self._closed[-1][0] > start:
                    self._closed.pop()
                self._closed.append((start, brace.end()))
        self._starts = [start for start, _ in self._closed]

    def around(self, position: int) -> Span | None:
        """The outermost pair of braces around a position."""
        index = bisect_left(self._starts, position) - 1
        if index >= 0 and position < self._closed[index][1]:
            return self._closed[index]
        return None

    def unclosed_before(self, position: int) -> int | None:
        """The last brace before a position that never closes."""
        index = bisect_left(self._open, position) - 1
        return self._open[index] if index >= 0 else None


def _merged(spans: list[Span]) -> list[Span]:
    merged = spans[:1]
    for start, end in spans[1:]:
        if start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
