"""Free text and reasonings as they are written, by transformers and llama.cpp."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers_tiny_models import make_tiny
from helpers_training import cpu_only
from helpers_writing import gguf, tiny
from hypothesis import given
from hypothesis import strategies as st

from pengadil.errors import PengadilError
from pengadil.forms import VERDICT
from pengadil.judges.background import in_background
from pengadil.judges.base import CHOICE_TOKENS, GENERATE, ChatJudge, Question, Sampling
from pengadil.judges.llamacpp.judge import LlamaCppJudge
from pengadil.judges.opening import open_judge
from pengadil.judges.pieces import Pieces
from pengadil.judges.sampling import SamplingProcessor, choose
from pengadil.judges.transformers_judge import TransformersJudge
from pengadil.models import packaged_gguf
from pengadil.tokens import Encoder

__all__ = ["gguf", "tiny"]

MESSAGES = [{"role": "user", "content": "Terangkan air 🦀 dalam satu ayat."}]
DRAWN = Sampling(12, temperature=1.5, seed=3)


@pytest.fixture(params=["gguf", "tiny"])
def judge(request: pytest.FixtureRequest) -> ChatJudge:
    made: ChatJudge = request.getfixturevalue(request.param)
    return made


def generated(judge: ChatJudge) -> str:
    [[(_, answer)]] = judge.answer([Question("q", MESSAGES)], VERDICT, GENERATE)
    return answer.raw


def test_greedy_writing_is_what_generate_writes(judge: ChatJudge) -> None:
    pieces = list(judge.write(MESSAGES, Sampling(CHOICE_TOKENS)))
    assert len(pieces) > 1
    assert all(pieces)
    assert "".join(pieces) == generated(judge).rstrip("\ufffd")


def test_a_seed_repeats_itself_and_another_writes_another_text(judge: ChatJudge) -> None:
    first, again = ("".join(judge.write(MESSAGES, DRAWN)) for _ in range(2))
    assert first == again
    assert first != "".join(judge.write(MESSAGES, replace(DRAWN, seed=4)))


def test_a_cold_draw_is_greedy(judge: ChatJudge) -> None:
    cold = Sampling(8, temperature=1e-4, seed=1)
    assert list(judge.write(MESSAGES, cold)) == list(judge.write(MESSAGES, Sampling(8)))


def test_both_engines_draw_the_same_of_the_same_logits() -> None:
    import torch

    logits = torch.randn(50, generator=torch.Generator().manual_seed(1))
    processor = SamplingProcessor(DRAWN)
    rows = [processor(torch.empty(1, place), logits[None]) for place in range(20)]
    drawn = [int(row.argmax()) for row in rows]
    assert drawn == [choose(logits.numpy(), DRAWN, place) for place in range(20)]
    assert len(set(drawn)) > 5


def test_tokens_are_drawn_with_their_probabilities() -> None:
    """Softmax of log(shares) / 0.5 is the squares of the shares."""
    import numpy as np

    logits = np.log(np.array([0.6, 0.3, 0.1], dtype=np.float32))
    draws = [
        choose(logits, Sampling(1, 0.5, seed), step) for seed in range(40) for step in range(100)
    ]
    found = np.bincount(draws, minlength=3) / len(draws)
    assert found == pytest.approx(np.array([0.36, 0.09, 0.01]) / 0.46, abs=0.02)


def test_a_conversation_in_other_words_is_asked_with_the_same_ids(
    small_encoder: Encoder, gguf: LlamaCppJudge
) -> None:
    talk = [
        {"role": "system", "content": "Jawab ringkas."},
        *MESSAGES,
        {"role": "assistant", "content": "<|im_end|> Air ialah H₂O."},
        {"role": "user", "content": "Lagi <|im_start|>"},
    ]
    assert small_encoder.chat(talk) == gguf.encoder.chat(talk)


@pytest.fixture
def ending(tiny: TransformersJudge) -> Callable[[int], TransformersJudge]:
    """The judge whose model also ends with a token."""
    return lambda token: replace(tiny, ends=(token,))


def test_it_stops_at_a_token_that_the_model_s_settings_name(
    tiny: TransformersJudge, ending: Callable[[int], TransformersJudge]
) -> None:
    ids = tiny._write([tiny.encoder.chat(MESSAGES)], 8)[0]
    at = next(at for at in range(1, 8) if ids[at] not in ids[:at])
    written = "".join(ending(ids[at]).write(MESSAGES, Sampling(8)))
    # What is in the model's vocabulary beside its specials is written, the end too.
    assert written == tiny.encoder.decode(ids[: at + 1]).rstrip("\ufffd")


def test_the_settings_of_a_model_folder_name_its_end_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import GenerationConfig

    cpu_only(monkeypatch)
    folder = make_tiny("gemma3_text", tmp_path / "gemma")
    GenerationConfig(eos_token_id=[5, 7]).save_pretrained(folder)
    judge = open_judge(str(folder))
    assert isinstance(judge, TransformersJudge)
    assert judge.ends == (5, 7)


def test_closing_stops_the_work(judge: ChatJudge) -> None:
    pieces = judge.write(MESSAGES, Sampling(500))
    assert next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "pengadil-writing"]
    # And the judge is free for the next.
    assert list(judge.write(MESSAGES, Sampling(2)))


def test_a_conversation_beyond_the_context_is_refused_in_words(judge: ChatJudge) -> None:
    long = [{"role": "user", "content": "air " * 9000}]
    with pytest.raises(PengadilError, match=r"the conversation \(\d+ tokens\): too long"):
        judge.write(long)


def test_an_answer_ends_where_the_context_does(gguf: LlamaCppJudge) -> None:
    room = 3
    with LlamaCppJudge(packaged_gguf(), len(gguf.encoder.chat(MESSAGES)) + room, 1) as narrow:
        text = "".join(narrow.write(MESSAGES, Sampling(50)))
        assert text == "".join(gguf.write(MESSAGES, Sampling(room)))


@pytest.mark.parametrize(
    "wrong",
    [{"most_tokens": 0}, {"temperature": -1.0}, {"temperature": float("nan")}, {"seed": -1}],
)
def test_sampling_out_of_range_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(PengadilError, match="out of range"):
        Sampling(**wrong)


@given(text=st.text(), data=st.data())
def test_pieces_are_whole_characters_and_join_up(text: str, data: st.DataObject) -> None:
    """With bytes as tokens, as many at a time as there happen to be."""

    def decode(ids: list[int]) -> str:
        return bytes(ids).decode("utf-8", errors="replace")

    text, pieces, found = text.replace("\ufffd", ""), Pieces(decode), []
    rest = text.encode()
    while rest:
        count = data.draw(st.integers(1, 3))
        found.append(pieces.add(list(rest[:count])))
        rest = rest[count:]
    assert "".join(found) == text
    assert all("\ufffd" not in piece for piece in found)


@given(text=st.text(max_size=40))
def test_pieces_of_a_real_tokenizer_join_up(text: str, small_encoder: Encoder) -> None:
    ids = small_encoder.answer(text)[:-1]
    pieces = Pieces(small_encoder.decode)
    joined = "".join(pieces.add([token]) for token in ids)
    assert joined == small_encoder.decode(ids).rstrip("\ufffd")


def test_a_fault_comes_after_what_was_found() -> None:
    def work(found: Callable[[str], None]) -> None:
        found("satu")
        found("")
        raise PengadilError("a", "b", "c")

    pieces = in_background(work)
    assert next(pieces) == "satu"
    with pytest.raises(PengadilError, match="a: b"):
        next(pieces)


def test_a_judge_that_does_not_write_says_so() -> None:
    from helpers_rating import LengthJudge

    with pytest.raises(PengadilError, match="writes no free text"):
        LengthJudge().write(MESSAGES)
