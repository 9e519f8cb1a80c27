"""One text on a llama.cpp lane that is shown while it is written."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pengadil.judges.base import Answer, Sampling
from pengadil.judges.llamacpp.lane import Lane
from pengadil.judges.llamacpp.model import GgufModel
from pengadil.judges.llamacpp.writing import Writer, logits_of
from pengadil.judges.pieces import Pieces
from pengadil.judges.sampling import choose

# The lane is held for one step at a time: between two the caller may close iterator and judge.


def answer_pieces(
    writer: Writer, lane: Lane, beginning: Sequence[int], ids: Sequence[int]
) -> Iterator[str | Answer]:
    """The text of an answer in pieces, then the answer; its seconds are those of the work."""
    pieces = Pieces(writer.model.encoder.decode)
    started = time.perf_counter()
    with lane.busy:
        lane.begin(beginning)
    steps, seconds, answer = writer.steps(lane, ids), time.perf_counter() - started, None
    while answer is None:
        started, piece = time.perf_counter(), ""
        with lane.busy:
            try:
                piece = pieces.add([next(steps)])
            except StopIteration as end:
                answer = end.value
        seconds += time.perf_counter() - started
        if piece:
            yield piece
    yield replace(answer, seconds=seconds)


def written_pieces(
    model: GgufModel, lane: Lane, ids: Sequence[int], most: int, sampling: Sampling
) -> Iterator[str]:
    """What the model writes after these ids, at most so many tokens, up to an end token."""
    pieces, row = Pieces(model.encoder.decode), list(ids)
    for _ in range(most):
        with lane.busy:
            token = choose(logits_of(model, lane, row), sampling, len(row))
        if model.ends(token):
            return
        row.append(token)
        if piece := pieces.add([token]):
            yield piece
