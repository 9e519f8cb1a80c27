"""A judgement whose reasoning is shown while it is written; and the room that a judge has."""

from __future__ import annotations

import ctypes
import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

import pytest
from helpers_judges import FakeJudge
from helpers_llamacpp import PLAIN, REASONING, asked, rows
from helpers_writing import gguf, tiny
from hypothesis import given
from hypothesis import strategies as st

from pengadil.forms import REASONED_VERDICT, VERDICT
from pengadil.judges import base
from pengadil.judges.base import CONSTRAINED, GENERATE, MODES, SCORE, Answer, ChatJudge
from pengadil.judges.live import judge_live, reasoning_so_far
from pengadil.judges.llamacpp.judge import LlamaCppJudge
from pengadil.judges.llamacpp.speaking import answer_pieces
from pengadil.judges.llamacpp.writing import Writer
from pengadil.judges.room import count_tokens, room_for
from pengadil.judges.single import judge_one, reasoning_of
from pengadil.models import packaged_gguf
from pengadil.prompts import Prompt
from pengadil.records import Judgement

__all__ = ["gguf", "tiny"]

DOCUMENT, STATEMENT = "Ali lahir di Ipoh 🦀 pada 1990.", "Ali lahir di Muar."


@pytest.fixture(params=["gguf", "tiny"])
def judge(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ChatJudge:
    monkeypatch.setattr(base, "REASONING_TOKENS", 24)
    made: ChatJudge = request.getfixturevalue(request.param)
    return made


def lived(judge: base.Judge, prompt: Prompt, mode: str) -> tuple[str, Judgement]:
    *pieces, last = judge_live(judge, prompt, DOCUMENT, STATEMENT, mode)
    assert isinstance(last, Judgement)
    assert all(isinstance(piece, str) and piece for piece in pieces)
    return "".join(map(str, pieces)), last


@pytest.mark.parametrize("mode", MODES)
def test_the_last_is_what_judge_one_gives(judge: ChatJudge, mode: str) -> None:
    text, last = lived(judge, REASONING, mode)
    alone = judge_one(judge, REASONING, DOCUMENT, STATEMENT, mode)
    assert replace(last, seconds=0) == replace(alone, seconds=0)
    assert last.seconds > 0
    if mode == CONSTRAINED:  # the others of these small models write no JSON
        assert text == reasoning_of(last.raw) != ""


@pytest.mark.parametrize("mode", [SCORE, GENERATE])
def test_where_no_reasoning_is_asked_for_there_is_the_judgement_alone(
    judge: ChatJudge, mode: str
) -> None:
    text, last = lived(judge, PLAIN, mode)
    alone = judge_one(judge, PLAIN, DOCUMENT, STATEMENT, mode)
    assert text == ""
    assert replace(last, seconds=0) == replace(alone, seconds=0)


def test_a_judge_that_is_no_chat_model_gives_its_judgement() -> None:
    text, last = lived(FakeJudge(), REASONING, SCORE)
    assert (text, last.rule) == ("", SCORE)


def test_the_pieces_of_any_answer_are_its_text(judge: ChatJudge) -> None:
    question = asked("Apakah air? 🦀")
    *pieces, answer = judge.answer_live(question, VERDICT, GENERATE)
    assert isinstance(answer, Answer)
    [[(_, alone)]] = judge.answer([question], VERDICT, GENERATE)
    assert replace(answer, seconds=0) == replace(alone, seconds=0)
    assert len(pieces) > 1
    assert "".join(map(str, pieces)) == answer.raw.rstrip("\ufffd")


class Parrot:
    """Stands in for a lane: writes a text token for token, then ends."""

    def __init__(self, judge: LlamaCppJudge, text: str) -> None:
        self.script = [*judge.encoder.encode(text), judge.encoder.eos_id]
        self.size, self.step, self.busy = judge.model.vocabulary, 0, Lock()

    def begin(self, ids: Sequence[int]) -> None:
        pass

    def logits(self, ids: Sequence[int]) -> Any:
        self.made = (ctypes.c_float * self.size)()
        self.made[self.script[min(self.step, len(self.script) - 1)]] = 5
        self.step += 1
        return ctypes.cast(self.made, ctypes.POINTER(ctypes.c_float))


def test_a_reasoning_comes_word_for_word(
    gguf: LlamaCppJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasoning = 'Dokumen: "Ali lahir di Ipoh 🦀".\nBukan Muar.'
    lane: Any = Parrot(gguf, REASONED_VERDICT.text(0, reasoning))
    writer = Writer(gguf.model, REASONED_VERDICT, SCORE)
    monkeypatch.setattr(
        gguf, "answer_live", lambda *_: answer_pieces(writer, lane, [], [1]), raising=False
    )
    *pieces, last = judge_live(gguf, REASONING, DOCUMENT, STATEMENT, SCORE)
    assert "".join(map(str, pieces)) == reasoning
    assert len(pieces) > 10
    assert isinstance(last, Judgement)
    assert last.verdict == 0


reasonings = st.text(st.sampled_from('ab 🦀é"\\\n\t/{}:,u0') | st.characters(codec="utf-8"))


@given(reasoning=reasonings, plain=st.booleans())
def test_a_reasoning_grows_up_to_the_whole(reasoning: str, plain: bool) -> None:
    raw = json.dumps({"reasoning": reasoning, "consistency": 1}, ensure_ascii=plain)
    grown = [reasoning_so_far(raw[:end]) for end in range(len(raw) + 1)]
    assert all(after.startswith(before) for before, after in itertools.pairwise(grown))
    assert grown[-1] == reasoning_of(raw) == reasoning.strip()


@given(raw=st.text(st.sampled_from('{"reasoning": \\u\ud83d\n0D8x}')))
def test_any_text_so_far_is_read(raw: str) -> None:
    assert isinstance(reasoning_so_far('{"reasoning": "' + raw), str)


def test_closing_stops_a_judgement(judge: ChatJudge) -> None:
    going = judge_live(judge, REASONING, DOCUMENT, STATEMENT, CONSTRAINED)
    assert isinstance(next(going), str)
    going.close()  # type: ignore[attr-defined]
    assert isinstance(judge_one(judge, PLAIN, DOCUMENT, STATEMENT, SCORE), Judgement)


@pytest.mark.parametrize("prompt", [PLAIN, REASONING], ids=["verdict", "reasoning"])
@pytest.mark.parametrize("mode", [SCORE, GENERATE])
def test_the_room_is_what_the_judge_takes(gguf: LlamaCppJudge, prompt: Prompt, mode: str) -> None:
    room = room_for(gguf, prompt, STATEMENT, mode)
    assert room.tokens is not None
    passage = "air " * (room.tokens // 2)
    fit = gguf.fit(replace(rows(1)[0], passage=passage, question=STATEMENT), prompt, mode)
    assert fit is not None
    for context, fits in ((fit.tokens, True), (fit.tokens - 1, False)):
        with LlamaCppJudge(packaged_gguf(), context, threads=1) as judge:
            assert room_for(judge, prompt, STATEMENT, mode)(passage) is fits
            examples = [replace(rows(1)[0], passage=passage, question=STATEMENT)]
            if fits:
                judge.judge(examples, prompt, mode)
            else:
                with pytest.raises(base.PengadilError, match="too long"):
                    judge.judge(examples, prompt, mode)


@given(words=st.lists(st.sampled_from(["air", " Ipoh.", "\n", "🦀", "<|im_end|>", " 1990"])))
def test_a_passage_of_no_more_tokens_fits(gguf: LlamaCppJudge, words: list[str]) -> None:
    passage = "".join(words)
    room = room_for(gguf, PLAIN, STATEMENT, SCORE)
    tokens, count = room.tokens, count_tokens(gguf, passage)
    assert tokens is not None
    assert count is not None
    example = replace(rows(1)[0], passage=passage, question=STATEMENT)
    fit = gguf.fit(example, PLAIN, SCORE)
    assert fit is not None
    assert fit.tokens - fit.context <= count - tokens


def test_a_judge_that_does_not_know_takes_any_passage() -> None:
    room = room_for(FakeJudge(), PLAIN, STATEMENT, SCORE)
    assert room("air " * 100_000)
    assert room.tokens is None
    assert count_tokens(FakeJudge(), "air") is None
