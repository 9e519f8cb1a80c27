"""Where the sentences of a text stand."""

from __future__ import annotations

from pengadil.language import sentences

Span = tuple[int, int]


def sentence_spans(text: str) -> list[Span]:
    """(start, end) in characters of each sentence, without the space around it."""
    spans: list[Span] = []
    end = 0
    for sentence in sentences(text):
        # Only white space lies between two sentences, so this is the sentence itself.
        start = text.index(sentence, end)
        end = start + len(sentence)
        spans.append((start, end))
    return spans
