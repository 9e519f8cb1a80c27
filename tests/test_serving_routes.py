"""The service's routes: what they answer, what they refuse and in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from helpers_serving import (
    BROKEN,
    LOCAL_URL,
    LONG,
    HeldJudge,
    asked_by_hand,
    client_of,
    gate_of,
    post_by_hand,
    said,
    statement,
)

from pengadil.prompts import load_prompt
from pengadil.records import Example
from pengadil.serving.limits import Limits

HTML = "<script>alert(1)</script> Ali lahir di Ipoh & <b>Muar</b>."
JUDGE, CHECK = "/v1/judge", "/v1/check"


def wrong(answer: Any, status: int) -> str:
    """An error's three parts in a line; it has to have that status and nothing else."""
    assert answer.status_code == status
    body = answer.json()
    assert list(body) == ["error"]
    assert list(body["error"]) == ["found", "wrong", "next"]
    assert all(body["error"].values())
    return ": ".join(body["error"].values())


def test_one_statement_gets_its_verdict_and_what_it_rests_on() -> None:
    document = "Ali lahir di Ipoh. Dia seorang guru."
    with client_of(HeldJudge()) as client:
        answer = client.post(JUDGE, json=statement(document, "Ali lahir di Ipoh.")).json()
    [expected] = [said(Example("x", document, "Ali lahir di Ipoh.", 0))]
    assert answer == {
        "verdict": 1,
        "probability": expected.probability,
        "rule": "score",
        "reasoning": "",
        "evidence": {"document": 0, "sentence": "Ali lahir di Ipoh.", "start": 0, "end": 18},
        "parts": 1,
        "looked_at": 1,
    }


def test_a_list_is_answered_in_order_and_a_bad_statement_in_its_place() -> None:
    judge = HeldJudge()
    texts = ["Ali lahir di Ipoh.", " ", f"Ali {BROKEN}.", f"Ali {LONG}.", "Abu lahir di Muar."]
    with client_of(judge) as client:
        answer = client.post(JUDGE, json=[statement(text, "Ali") for text in texts])
        assert client.post(JUDGE, json=[]).json() == []
    assert answer.status_code == 200
    found = [each.get("verdict", each.get("error", {}).get("wrong")) for each in answer.json()]
    assert found[0] == 1
    assert found[-1] == 0
    assert found[1:4] == [
        "it is empty",
        "the judge failed on it (RuntimeError)",
        "too long for the model's context",
    ]


def test_an_answer_is_checked_sentence_by_sentence() -> None:
    documents = ["Ali lahir di Ipoh. Dia seorang guru.", "Siti tinggal di Muar."]
    answer = "Ali lahir di Ipoh. Siti tinggal di Kedah."
    judge = HeldJudge()
    with client_of(judge) as client:
        report = client.post(CHECK, json={"answer": answer, "documents": documents}).json()
        passed = client.post(
            CHECK, json={"answer": "Ali lahir di Ipoh.", "documents": documents[0]}
        ).json()
        page = client.get("/metrics").text
    assert report["decision"] == "hand_over"
    assert [each["supported"] for each in report["sentences"]] == [True, False]
    assert report["sentences"][0]["evidence"]["sentence"] == "Ali lahir di Ipoh."
    assert (report["model"], report["threshold"]) == ("palsu", 0.5)
    assert passed["decision"] == "pass"
    # All sentences of an answer against all documents are one batch.
    assert [len(batch) for batch in judge.calls] == [4, 1]
    assert 'pengadil_decisions_total{decision="hand_over"} 1.0' in page
    assert 'pengadil_decisions_total{decision="pass"} 1.0' in page


def test_health_says_what_judges_and_when_it_no_longer_does() -> None:
    with client_of(HeldJudge()) as client:
        healthy = client.get("/health")
    assert healthy.status_code == 200
    facts = healthy.json()
    assert facts["ready"] is True
    assert facts["prompt_sha256"] == load_prompt("verdict").sha256
    assert (facts["model"], facts["prompt"], facts["mode"]) == ("palsu", "verdict", "score")
    stopped = client.get("/health")
    assert (stopped.status_code, stopped.json()["ready"]) == (503, False)
    assert "it is stopping" in wrong(client.post(JUDGE, json=statement("Ali.", "Ali")), 503)


def test_metrics_count_requests_rows_and_batches_and_hold_no_text() -> None:
    with client_of(HeldJudge()) as client:
        client.post(JUDGE, json=[statement("Ali rahsia.", "Ali"), statement("Abu.", "Ali")])
        client.post(JUDGE, json=statement(f"{BROKEN} rahsia.", "Ali"))
        client.get("/rahsia")
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    for line in (
        'pengadil_requests_total{route="/v1/judge",status="200"} 1.0',
        'pengadil_requests_total{route="/v1/judge",status="500"} 1.0',
        'pengadil_requests_total{route="other",status="404"} 1.0',
        'pengadil_request_seconds_count{route="/v1/judge"} 2.0',
        'pengadil_rows_judged_total{verdict="1"} 1.0',
        'pengadil_rows_judged_total{verdict="0"} 1.0',
        "pengadil_rows_failed_total 1.0",
        'pengadil_batch_rows_bucket{le="2.0"} 2.0',
        "pengadil_queue_rows 0.0",
        "pengadil_requests_running 0.0",
    ):
        assert line in answer.text
    assert "rahsia" not in answer.text


def test_the_description_is_served_and_nothing_that_loads_from_elsewhere() -> None:
    with client_of(HeldJudge()) as client:
        description = client.get("/openapi.json")
        assert set(description.json()["paths"]) == {JUDGE, CHECK, "/health", "/metrics"}
        for name in ("JudgeAnswer", "ErrorAnswer", "CheckRequest", "JudgeRequest"):
            assert name in description.json()["components"]["schemas"]
        for path in ("/docs", "/redoc", "/"):
            assert "no such route" in wrong(client.get(path), 404)
        assert "http" not in description.text.replace("HTTPValidationError", "")


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        (JUDGE, "{", 400, "it is not JSON"),
        (JUDGE, b'{"document": "\xff"}', 400, "not JSON in UTF-8"),
        (JUDGE, "[" * 100_000, 400, "not JSON"),
        (JUDGE, "3", 422, "not a JSON object"),
        (JUDGE, "", 422, "not a JSON object"),
        (JUDGE, '{"document": "a"}', 422, "statement: Field required"),
        (JUDGE, '{"document": 3, "statement": "a"}', 422, "document: Input should be a valid str"),
        (JUDGE, '[{"document": "a"}]', 422, "0.statement: Field required"),
        (JUDGE, '{"document": "a", "statement": "b", "doc": 1}', 422, "doc: Unexpected keyword"),
        (JUDGE, '{"document": " ", "statement": "b"}', 422, "document: it is empty"),
        (JUDGE, '{"document": "a", "statement": "\\ud83d"}', 422, "half of a character"),
        (CHECK, '{"answer": "a"}', 422, "documents: Field required"),
        (CHECK, '{"answer": "a", "documents": []}', 422, "the list is empty"),
        (CHECK, '{"answer": "a", "documents": ["b", ""]}', 422, "documents.1: it is empty"),
        (CHECK, '{"answer": "", "documents": "b"}', 422, "answer: it is empty"),
        (CHECK, '{"answer": "?!", "documents": "b"}', 422, "there is no sentence in it"),
        (CHECK, '{"answer": "a", "documents": 3}', 422, "documents"),
    ],
)
def test_a_body_that_is_wrong_is_refused_in_words(
    path: str, body: str | bytes, status: int, told: str
) -> None:
    judge = HeldJudge()
    with client_of(judge) as client:
        json_kind = {"Content-Type": "application/json"}
        assert told in wrong(client.post(path, content=body, headers=json_kind), status)
    assert judge.calls == []


def test_what_is_not_sent_as_json_or_as_asked_is_refused() -> None:
    body = json.dumps(statement("Ali.", "Ali"))
    with client_of(HeldJudge()) as client:
        for kind in ({}, {"Content-Type": "text/plain"}):
            assert "sent as JSON" in wrong(client.post(JUDGE, content=body, headers=kind), 422)
        assert "not a method" in wrong(client.get(JUDGE), 405)
        assert "no such route" in wrong(client.post("/v1/juge", content=body), 404)
        for answer in (
            client.get("/" + "a" * 9000),
            client.post(JUDGE, json={**statement("Ali.", "Ali"), "a" * 9000: 1}),
        ):
            assert len(answer.text) < 400


def test_html_is_text_like_any_other() -> None:
    judge = HeldJudge()
    with client_of(judge) as client:
        answer = client.post(JUDGE, json=statement(HTML, "<b>Muar</b>"))
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["verdict"] == 1
    assert answer.json()["evidence"]["sentence"] in HTML
    assert judge.calls[0][0].passage == HTML


def test_a_document_of_five_megabytes_is_judged_in_parts() -> None:
    sentence = (
        "Ini ayat yang tidak berkata apa-apa tentang sesiapa, dan tidak penting sama sekali. "
    )
    half = sentence * (2_500_000 // len(sentence))
    document = f"{half}Ali lahir di Ipoh. {half}"
    judge = HeldJudge()
    with client_of(judge) as client:
        answer = client.post(JUDGE, json=statement(document, "Ali lahir di Ipoh.")).json()
    assert answer["verdict"] == 1
    assert answer["parts"] > 1000
    evidence = answer["evidence"]
    assert document[evidence["start"] : evidence["end"]] == "Ali lahir di Ipoh."
    assert sum(map(len, judge.calls)) == answer["looked_at"] < 10


def test_a_body_may_be_as_long_as_the_limit_and_no_longer() -> None:
    body = json.dumps(statement("Ali.", "Ali"), separators=(",", ":")).encode()
    for limit, status in ((len(body), 200), (len(body) - 1, 413)):
        judge = HeldJudge()
        with client_of(judge, limits=Limits(body=limit)) as client:
            for content in (body, iter([body[:5], body[5:]])):  # with its length told, and without
                answer = client.post(
                    JUDGE, content=content, headers={"Content-Type": "application/json"}
                )
                assert answer.status_code == status
            if status == 413:
                assert f"longer than {limit} bytes" in wrong(answer, 413)
                assert judge.calls == []


def test_a_request_that_needs_too_many_rows_is_refused_whole() -> None:
    judge = HeldJudge()
    with client_of(judge, limits=Limits(rows=3)) as client:
        body = [statement("Ali.", f"Ali {n}") for n in range(4)]
        assert "4 rows to judge" in wrong(client.post(JUDGE, json=body), 413)
        assert client.post(JUDGE, json=body[:3]).status_code == 200
    assert [len(batch) for batch in judge.calls] == [3]


def test_a_judge_that_fails_is_told_in_words_and_the_next_request_is_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with client_of(HeldJudge()) as client:
        told = wrong(client.post(JUDGE, json=statement(f"{BROKEN} rahsia", "Ali")), 500)
        assert told.startswith("this request: the judge failed on it (RuntimeError)")
        told = wrong(client.post(JUDGE, json=statement(f"Ali {LONG}", "Ali")), 422)
        assert client.post(JUDGE, json=statement("Ali.", "Ali")).json()["verdict"] == 1
    assert "rahsia" not in told + caplog.text


def test_a_fault_in_the_service_itself_is_told_in_words_and_its_text_is_not_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pengadil.serving import service

    def fail(*_: Any) -> None:
        raise ValueError("rahsia")

    monkeypatch.setattr(service, "judge_documents", fail)
    with client_of(HeldJudge()) as client:
        assert "(ValueError)" in wrong(client.post(JUDGE, json=statement("Ali.", "Ali")), 500)
        assert client.get("/health").json()["ready"]
    assert "ValueError at" in caplog.text
    assert "rahsia" not in caplog.text


def test_a_request_that_takes_too_long_is_told_so_and_dropped() -> None:
    judge = HeldJudge()
    judge.free.clear()
    with client_of(judge, limits=Limits(seconds=0.2)) as client:
        assert "within 0.2 seconds" in wrong(client.post(JUDGE, json=statement("a", "Ali")), 504)
        # The judge is still at it: the next one waits in the line, and leaves it in time.
        assert "within 0.2 seconds" in wrong(client.post(JUDGE, json=statement("b", "Ali")), 504)
        judge.free.set()
        while client.post(JUDGE, json=statement("Ali", "Ali")).status_code != 200:
            pass
    assert {batch[0].passage for batch in judge.calls} == {"a", "Ali"}


def test_what_a_client_that_left_had_asked_is_not_judged() -> None:
    judge = HeldJudge()
    judge.free.clear()
    gate = gate_of(judge)
    service_ends = gate_lifespan(gate)
    next(service_ends)
    try:
        # The first keeps the judge busy and leaves; what the second asked was still waiting.
        left = asked_by_hand(gate, JUDGE, statement("a", "Ali"), judge.busy.is_set)
        assert left[0]["status"] == 499
        left = asked_by_hand(gate, JUDGE, statement("b", "Ali"), lambda: True)
        assert left[0]["status"] == 499
        judge.free.set()
        body = asked_by_hand(gate, JUDGE, statement("Ali", "Ali"))
        assert json.loads(body[1]["body"])["verdict"] == 1
    finally:
        next(service_ends, None)
    assert [batch[0].passage for batch in judge.calls] == ["a", "Ali"]


def test_what_is_not_done_when_the_server_ends_is_told_so() -> None:
    import asyncio

    judge = HeldJudge()
    judge.free.clear()
    gate = gate_of(judge)
    service_ends = gate_lifespan(gate)
    next(service_ends)
    sent: list[Any] = []

    async def ended() -> None:
        asking = asyncio.create_task(post_by_hand(gate, JUDGE, statement("a", "Ali"), sent))
        while not judge.busy.is_set():
            await asyncio.sleep(0.005)
        asking.cancel()
        await asking

    asyncio.run(ended())
    judge.free.set()
    next(service_ends, None)
    assert sent[0]["status"] == 503
    assert dict(sent[0]["headers"])[b"retry-after"] == b"5"
    assert json.loads(sent[1]["body"])["error"]["wrong"] == "it is stopping"


def gate_lifespan(gate: Any) -> Any:
    """Starts the service at the first `next`, ends it at the second."""
    from fastapi.testclient import TestClient

    with TestClient(gate, base_url=LOCAL_URL):
        yield
