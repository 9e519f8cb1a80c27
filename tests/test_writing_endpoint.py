"""Answers of an endpoint as they are written: streamed, in one piece, broken off, refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from helpers_endpoint import FakeEndpoint, Reply, completion, judge_of, refusal, scored, served
from helpers_llamacpp import REASONING

from pengadil.errors import PengadilError
from pengadil.forms import VERDICT
from pengadil.judges.base import CONSTRAINED, GENERATE, SCORE, Question, Sampling
from pengadil.judges.live import judge_live
from pengadil.judges.single import judge_one, reasoning_of
from pengadil.records import Judgement

MESSAGES = [{"role": "user", "content": "Apakah air?"}]
EVENTS = {"Content-Type": "text/event-stream"}
WRITTEN = '{"reasoning": "Ipoh \U0001f980, bukan \\"Muar\\".", "consistency": 0}'


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEndpoint]:
    yield from served(monkeypatch)


def streamed(body: dict[str, Any], size: int = 3, end: bool = True, **rest: Any) -> Reply:
    """The same completion as server-sent events, so many characters each."""
    [choice] = body["choices"]
    text = choice["message"]["content"]
    listed = (choice["logprobs"] or {}).get("content", [])
    chunks: list[dict[str, Any]] = [
        {"delta": {"content": text[at : at + size]}} for at in range(0, len(text), size)
    ]
    chunks += [{"delta": {}, "logprobs": {"content": [entry]}} for entry in listed]
    if end:
        chunks.append({"delta": {}, "finish_reason": choice["finish_reason"]})
    events: list[dict[str, Any]] = [{"choices": [{"index": 0, **chunk}]} for chunk in chunks]
    events.append({"choices": [], "usage": body["usage"]})
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    return Reply(body="".join([*lines, "data: [DONE]\n\n"]).encode(), headers=EVENTS, **rest)


def test_free_text_comes_in_pieces(endpoint: FakeEndpoint) -> None:
    endpoint.script.append(streamed(completion("Air itu basah.")))
    pieces = list(judge_of(endpoint).write(MESSAGES, Sampling(64, 0.7, 9)))
    assert pieces == ["Air", " it", "u b", "asa", "h."]
    [sent] = endpoint.requests
    assert sent["messages"] == MESSAGES
    assert sent["stream"] is True
    assert (sent["max_tokens"], sent["temperature"], sent["seed"]) == (64, 0.7, 9)
    assert "response_format" not in sent


def test_an_endpoint_that_does_not_stream_gives_one_piece(endpoint: FakeEndpoint) -> None:
    endpoint.always = lambda _: Reply(body=completion("Air itu basah."))
    assert list(judge_of(endpoint).write(MESSAGES)) == ["Air itu basah."]
    assert endpoint.requests[0]["temperature"] == 0


def test_one_that_refuses_to_stream_is_asked_without(endpoint: FakeEndpoint) -> None:
    endpoint.script.append(refusal("unknown field stream_options"))
    assert list(judge_of(endpoint).write(MESSAGES)) == ['{"consistency": 1}']
    assert ["stream" in request for request in endpoint.requests] == [True, False]


def test_what_the_endpoint_refuses_is_left_out(endpoint: FakeEndpoint) -> None:
    endpoint.script.append(refusal("temperature is not supported"))
    judge = judge_of(endpoint)
    assert list(judge.write(MESSAGES, Sampling(8, 0.7))) == ['{"consistency": 1}']
    assert "temperature" not in endpoint.requests[1]
    assert any("temperature is refused" in note for note in judge.notes())


def test_a_fault_before_the_first_piece_is_tried_again(endpoint: FakeEndpoint) -> None:
    endpoint.script += [Reply(status=503, body={}), streamed(completion("Air."))]
    assert "".join(judge_of(endpoint).write(MESSAGES)) == "Air."


@pytest.mark.parametrize(
    "broken",
    [
        streamed(completion("Air itu basah."), end=False),
        replace(streamed(completion("Air itu basah.")), cut=True),
        Reply(
            body=b'data: {"choices": [{"delta": {"content": "Air"}}]}\n\n'
            b'data: {"error": {"message": "out of memory"}}\n\n',
            headers=EVENTS,
        ),
        Reply(
            body=b'data: {"choices": [{"delta": {"content": "Air"}}]}\n\ndata: {"cho\n\n',
            headers=EVENTS,
        ),
    ],
    ids=["no end", "cut", "error", "no JSON"],
)
def test_what_breaks_off_is_told_and_not_written_again(
    endpoint: FakeEndpoint, broken: Reply
) -> None:
    endpoint.script.append(broken)
    found: list[str] = []
    with pytest.raises(PengadilError, match="broke off while it wrote"):
        found.extend(judge_of(endpoint).write(MESSAGES))
    assert "".join(found).startswith("Air")
    assert len(endpoint.requests) == 1


def test_a_conversation_beyond_its_context_is_told_in_words(endpoint: FakeEndpoint) -> None:
    endpoint.script.append(refusal("maximum context length is 10 tokens"))
    with pytest.raises(PengadilError, match="the conversation: too long for judge-1"):
        list(judge_of(endpoint).write(MESSAGES))


def test_no_answer_at_all_is_told(endpoint: FakeEndpoint) -> None:
    endpoint.script.append(Reply(body={"choices": []}))
    with pytest.raises(PengadilError, match="it gives no answer"):
        list(judge_of(endpoint).write(MESSAGES))


def test_a_refusal_of_the_model_is_its_answer(endpoint: FakeEndpoint) -> None:
    endpoint.script.append(Reply(body=completion(None, refusal="Maaf, tidak.")))
    assert list(judge_of(endpoint).write(MESSAGES)) == ["Maaf, tidak."]


def test_the_key_is_never_shown(endpoint: FakeEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-rahsia-sangat")
    endpoint.script.append(streamed(completion("Kunci: sk-rahsia-sangat."), 100))
    assert "rahsia" not in "".join(judge_of(endpoint).write(MESSAGES))


class Tap(threading.Event):
    """Lets a reply drip fast, and holds it back after so many letters."""

    letters = 100

    def wait(self, timeout: float | None = None) -> bool:
        self.letters -= 1
        return super().wait(0.0001 if self.letters > 0 else 20)


def test_closing_stops_the_work(endpoint: FakeEndpoint) -> None:
    endpoint.release = Tap()
    endpoint.script.append(streamed(completion("Air itu basah."), drip=True))
    endpoint.script.append(streamed(completion("Api.")))
    judge = judge_of(endpoint)
    pieces = judge.write(MESSAGES)
    assert next(pieces) == "Air"
    pieces.close()  # type: ignore[attr-defined]
    assert "".join(judge.write(MESSAGES)) == "Api."


@pytest.mark.parametrize("mode", [CONSTRAINED, GENERATE])
def test_a_reasoning_is_streamed_and_the_last_is_what_judge_one_gives(
    endpoint: FakeEndpoint, mode: str
) -> None:
    endpoint.script += [streamed(completion(WRITTEN)), Reply(body=completion(WRITTEN))]
    judge = judge_of(endpoint)
    *pieces, last = judge_live(judge, REASONING, "Ali lahir di Ipoh.", "Ali dari Muar.", mode)
    alone = judge_one(judge, REASONING, "Ali lahir di Ipoh.", "Ali dari Muar.", mode)
    assert isinstance(last, Judgement)
    assert replace(last, seconds=0) == replace(alone, seconds=0)
    assert (last.verdict, last.prompt_tokens, last.completion_tokens) == (0, 40, 6)
    assert "".join(map(str, pieces)) == reasoning_of(WRITTEN) == 'Ipoh 🦀, bukan "Muar".'
    assert len(pieces) > 5
    rest = {"stream", "stream_options"}
    first, second = endpoint.requests
    assert {key: value for key, value in first.items() if key not in rest} == second


def test_the_probabilities_come_from_the_stream(endpoint: FakeEndpoint) -> None:
    endpoint.script += [streamed(scored()), Reply(body=scored())]
    judge, question = judge_of(endpoint), Question("q", MESSAGES)
    *_, live = judge.answer_live(question, VERDICT, SCORE)
    [[(_, alone)]] = judge.answer([question], VERDICT, SCORE)
    assert not isinstance(live, str)
    assert live.probabilities == alone.probabilities is not None
