"""The llama.cpp judge, on the packaged SmolLM2."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pengadil.data.bundled import load_bundled
from pengadil.errors import PengadilError
from pengadil.judges.base import GENERATE, REASONING_TOKENS, SCORE, VERDICT_TOKENS
from pengadil.judges.llamacpp import BATCH_ROWS, LlamaCppJudge
from pengadil.models import gguf_tokenizer, packaged_gguf
from pengadil.prompts import load_prompt
from pengadil.records import Example, Judgement
from pengadil.tokens import REASONING_CLOSING, Encoder
from pengadil.verdict import read_verdict

VERDICT, REASONING = load_prompt("verdict"), load_prompt("reasoning")


@pytest.fixture(scope="module")
def judge() -> Iterator[LlamaCppJudge]:
    # One thread: two wait for each other where other tests run beside these.
    with LlamaCppJudge(packaged_gguf(), context=1024, threads=1) as judge:
        yield judge


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return gguf_tokenizer(packaged_gguf())


@pytest.fixture(scope="module")
def encoder(tokenizer: Any) -> Encoder:
    return Encoder.of_tokenizer(tokenizer)


def rows(count: int) -> list[Example]:
    """Two statements about each document, so that passages are shared."""
    return load_bundled("contoh", "validation", count)


def all_of(batches: Iterator[list[Judgement]]) -> dict[str, Judgement]:
    return {row.id: row for batch in batches for row in batch}


def test_a_scored_row_carries_its_example_and_a_probability(judge: LlamaCppJudge) -> None:
    example = rows(2)[1]
    row = all_of(judge.judge([example], VERDICT, SCORE))[example.id]
    assert (row.gold, row.language, row.source, row.group) == (
        example.answer,
        example.language,
        example.source,
        example.group,
    )
    assert row.rule == "score"
    assert row.raw == ""
    assert row.seconds > 0
    assert row.probability is not None
    assert 0 < row.probability < 1
    assert row.verdict == int(row.probability > 0.5)


def test_every_row_is_judged_once_in_small_batches(judge: LlamaCppJudge) -> None:
    examples = rows(BATCH_ROWS + 2)
    batches = list(judge.judge(examples, VERDICT, SCORE))
    assert [len(batch) for batch in batches] == [BATCH_ROWS, 2]
    assert sorted(row.id for batch in batches for row in batch) == sorted(e.id for e in examples)


def test_shared_beginnings_are_computed_once_and_change_nothing(
    judge: LlamaCppJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = rows(4)
    computed = 0
    real_eval = judge._llama.eval

    def count_and_eval(ids: Sequence[int]) -> None:
        nonlocal computed
        computed += len(ids)
        real_eval(ids)

    monkeypatch.setattr(judge._llama, "eval", count_and_eval)
    together = all_of(judge.judge(examples, VERDICT, SCORE))
    whole = sum(
        len(judge.encoder.prompt(VERDICT, example) + judge.encoder.verdict.opening)
        for example in examples
    )
    assert computed < 0.7 * whole
    for example in examples:
        judge._held = []
        alone = all_of(judge.judge([example], VERDICT, SCORE))[example.id]
        assert alone.probability == pytest.approx(together[example.id].probability, abs=0.01)


def test_work_taken_up_again_gives_the_same_figures(judge: LlamaCppJudge) -> None:
    examples = rows(BATCH_ROWS + 4)
    first, second = judge.judge(examples, VERDICT, SCORE)
    done = {row.id for row in first}
    rest = [example for example in examples if example.id not in done]
    again = all_of(judge.judge(rest, VERDICT, SCORE))
    assert [again[row.id].probability for row in second] == [row.probability for row in second]


def test_generated_text_is_short_and_read_by_the_one_reader(judge: LlamaCppJudge) -> None:
    example = rows(1)[0]
    row = all_of(judge.judge([example], VERDICT, GENERATE))[example.id]
    reading = read_verdict(row.raw)
    assert (row.verdict, row.rule) == (reading.value, reading.rule)
    assert row.probability is None
    assert row.raw
    assert len(judge.encoder.encode(row.raw)) <= VERDICT_TOKENS


class Parrot:
    """Stands in for the model: writes a text token for token, then ends, and keeps what it saw."""

    def __init__(self, judge: LlamaCppJudge, text: str) -> None:
        self.script = [*judge.encoder.encode(text), judge.encoder.eos_id]
        self.size = judge._llama.n_vocab()
        self.calls: list[list[int]] = []

    def __call__(self, ids: Sequence[int]) -> Any:
        import numpy as np

        logits = np.zeros(self.size)
        step = min(len(self.calls), len(self.script) - 1)
        logits[self.script[step]] = 5
        self.calls.append(list(ids))
        return logits


@pytest.mark.parametrize("answer", [0, 1])
def test_a_reasoning_is_written_up_to_its_verdict_and_scored_there(
    judge: LlamaCppJudge, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    written = '{"reasoning": "Kata \\"consistency\\": 1 dipetik. 3 = 3.", "consistency": '
    parrot = Parrot(judge, f"{written}{answer}}}")
    monkeypatch.setattr(judge, "_last_logits", parrot)
    example = rows(1)[0]
    row = all_of(judge.judge([example], REASONING, SCORE))[example.id]
    assert (row.verdict, row.rule, row.raw) == (answer, "score", written)
    assert row.probability == pytest.approx([0.0067, 0.9933][answer], abs=1e-4)
    assert len(parrot.calls) == len(judge.encoder.encode(written)) + 1


@pytest.mark.parametrize(
    "text", ["Sama sahaja.", "ya " * (REASONING_TOKENS + 9)], ids=["ended", "too long"]
)
def test_a_reasoning_without_a_verdict_is_closed_and_scored(
    judge: LlamaCppJudge, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    parrot = Parrot(judge, text)
    monkeypatch.setattr(judge, "_last_logits", parrot)
    example = rows(1)[0]
    row = all_of(judge.judge([example], REASONING, SCORE))[example.id]
    assert row.rule == "score_forced"
    assert text.startswith(row.raw)
    closing = judge.encoder.encode(REASONING_CLOSING)
    assert parrot.calls[-1][-len(closing) :] == closing
    assert len(judge.encoder.encode(row.raw)) <= REASONING_TOKENS
    assert row.verdict in (0, 1)


# SmolLM2's vocabulary has no token for these bytes: six control characters and the first bytes of
# planes without letters. Each library drops them in a way of its own.
NO_TOKEN = set(b"\x04\x06\x13\x14\x16\x1d\xf1\xf2")
CHARACTERS = st.characters(codec="utf-8").filter(lambda sign: not NO_TOKEN & set(sign.encode()))


@settings(max_examples=200, deadline=None)
@given(st.text(CHARACTERS, max_size=80))
def test_ids_equal_the_tokenizers_on_any_text(
    judge: LlamaCppJudge, encoder: Encoder, text: str
) -> None:
    assert judge.encoder.encode(text) == encoder.encode(text)


def test_prompts_equal_the_tokenizers(judge: LlamaCppJudge, encoder: Encoder) -> None:
    assert (judge.encoder.bos, judge.encoder.eos) == (encoder.bos, encoder.eos)
    assert judge.encoder.verdict == encoder.verdict
    for example in rows(10):
        assert judge.encoder.prompt(REASONING, example) == encoder.prompt(REASONING, example)


@settings(max_examples=50, deadline=None)
@given(st.text(CHARACTERS, max_size=60))
def test_ids_are_written_back_as_the_tokenizer_does(
    judge: LlamaCppJudge, tokenizer: Any, text: str
) -> None:
    ids = judge.encoder.encode(text)
    assert judge._text(ids) == tokenizer.decode(ids, skip_special_tokens=True)


def test_a_row_longer_than_the_context_is_named_before_any_is_judged() -> None:
    example = rows(1)[0]
    with (
        LlamaCppJudge(packaged_gguf(), context=64) as small,
        pytest.raises(PengadilError, match=rf"{example.id} .*context of 64 tokens"),
    ):
        small.judge([example], VERDICT, SCORE)


def test_an_unknown_mode_is_refused(judge: LlamaCppJudge) -> None:
    with pytest.raises(PengadilError, match="Did you mean score"):
        judge.judge(rows(1), VERDICT, "scores")


def test_describe_says_which_file_and_how_it_is_run(judge: LlamaCppJudge) -> None:
    facts = judge.describe()
    assert facts["kind"] == "llama.cpp"
    assert facts["model"] == packaged_gguf().name
    assert facts["quantisation"] == "q4_1"
    assert facts["context"] == 1024
    assert facts["threads"] >= 1
    assert len(facts["sha256"]) == 64
    assert facts["llama_cpp_python"]


def test_the_context_is_never_more_than_the_model_was_made_for() -> None:
    with LlamaCppJudge(packaged_gguf(), context=9_000, threads=1) as wide:
        assert wide.context == 8_192
        assert wide.threads == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"PK\x03\x04 not one of ours", "not a GGUF file"),
        (b"", "not a GGUF file"),
        (b"GGUF\x03\x00\x00\x00 cut", "llama.cpp cannot load it"),
    ],
)
def test_a_file_that_is_no_gguf_is_refused(tmp_path: Any, content: bytes, message: str) -> None:
    path = tmp_path / "judge.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PengadilError, match=message):
        LlamaCppJudge(path)


def test_without_llama_cpp_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    with pytest.raises(PengadilError, match=r"pip install llama-cpp-python==.*gcc and cmake"):
        LlamaCppJudge(packaged_gguf())


def test_a_closed_judge_says_so_instead_of_crashing() -> None:
    judge = LlamaCppJudge(packaged_gguf(), context=256)
    judge.close()
    judge.close()
    with pytest.raises(RuntimeError, match="closed"):
        judge._last_logits([1, 2])


def test_nothing_is_printed_and_the_interpreter_ends_cleanly(tmp_path: Any) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(packaged_gguf().read_bytes()[:100_000])
    code = f"""
from pathlib import Path
from pengadil.errors import PengadilError
from pengadil.judges.llamacpp import LlamaCppJudge
from pengadil.models import packaged_gguf
judge = LlamaCppJudge(packaged_gguf(), context=256)
judge._last_logits([1, 2, 3])
try:
    LlamaCppJudge(Path({str(cut)!r}))
except PengadilError:
    print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "refused\n", "")
