"""Requests that come together are judged together, and each gets its own answer."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from contextvars import copy_context
from functools import partial
from typing import Any

import pytest
from helpers_serving import BROKEN, LONG, HeldJudge, client_of, said, statement, together
from hypothesis import given, settings
from hypothesis import strategies as st

from pengadil.errors import PengadilError
from pengadil.prompts import load_prompt
from pengadil.records import Example
from pengadil.serving.apart import apart
from pengadil.serving.metrics import Metrics
from pengadil.serving.refusals import RefusedError
from pengadil.serving.shared import SharedJudge
from pengadil.serving.tickets import CURRENT, ClientGoneError, Ticket
from pengadil.serving.waiting import Call, Line
from pengadil.serving.worker import Worker

PROMPT = load_prompt("verdict")


def rows(*documents: str) -> list[Example]:
    return [Example(f"baris {n}", text, "Ali", answer=0) for n, text in enumerate(documents)]


def call(*documents: str, mode: str = "score") -> Call:
    return Call(rows(*documents), PROMPT, mode)


def answered(calls: list[Call], judge: HeldJudge, batch: int = 32) -> None:
    """Put the calls into a line and let a worker judge them to the end."""
    line = Line()
    for one in calls:
        line.put(one)
    worker = Worker(judge, line, Metrics(line.depth), batch, wait=0)
    worker.start()
    wait_for([one.future for one in calls if not one.future.done()], 20)
    worker.stop()
    assert not worker.ready


def test_rows_of_waiting_calls_are_judged_in_one_go() -> None:
    judge = HeldJudge()
    calls = [call("Ali"), call("Abu", "Ali dan Abu"), call("Ali pergi")]
    answered(calls, judge)
    assert [len(batch) for batch in judge.calls] == [4]
    for one in calls:
        assert one.future.result() == [said(row) for row in one.rows]


def test_a_long_call_goes_on_behind_those_that_came_after_it() -> None:
    judge = HeldJudge()
    calls = [call(*[f"panjang-lebar {n}".replace(LONG, "p") for n in range(7)]), call("Ali")]
    answered(calls, judge, batch=3)
    seen = [[row.passage.split()[0] for row in batch] for batch in judge.calls]
    assert seen == [["p-lebar"] * 3, ["Ali", "p-lebar", "p-lebar"], ["p-lebar"] * 2]
    assert calls[0].future.result() == [said(row) for row in calls[0].rows]


def test_only_rows_of_one_mode_are_judged_together() -> None:
    judge = HeldJudge()
    answered([call("a"), call("b", mode="generate"), call("c")], judge)
    assert [[row.passage for row in batch] for batch in judge.calls] == [["a", "c"], ["b"]]


def test_a_cancelled_call_is_not_judged() -> None:
    judge, gone = HeldJudge(), call("gone")
    gone.future.cancel()
    answered([gone, call("Ali")], judge)
    assert [[row.passage for row in batch] for batch in judge.calls] == [["Ali"]]


def test_a_line_goes_on_when_all_that_waited_have_left() -> None:
    line, first, second = Line(), call("gone"), call("Ali")
    line.put(first)
    taken: list[Any] = []
    thread = threading.Thread(target=lambda: taken.extend(line.take(8, 0.2)))
    thread.start()
    first.future.cancel()
    time.sleep(0.3)
    line.put(second)
    thread.join(20)
    assert [row.call for row in taken] == [second]
    line.close()
    assert line.take(8, 0.2) == []


@pytest.mark.parametrize(("bad", "error"), [(LONG, PengadilError), (BROKEN, RefusedError)])
def test_a_bad_row_fails_alone_and_the_judge_goes_on(
    bad: str, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    judge = HeldJudge()
    calls = [call("Ali"), call("Abu", f"{bad} sulit"), call("Ali pergi"), call("Siti")]
    answered(calls, judge)
    with pytest.raises(error) as told:
        calls[1].future.result()
    for one in (calls[0], calls[2], calls[3]):
        assert one.future.result() == [said(row) for row in one.rows]
    # It names the row as who asked named it, and the log holds nothing of the texts.
    assert ("baris 1" in str(told.value)) == (bad == LONG)
    assert "sulit" not in str(told.value) + caplog.text
    assert ("helpers_serving.py" in caplog.text) == (bad == BROKEN)


def test_a_judge_that_leaves_rows_out_is_no_answer() -> None:
    class Silent(HeldJudge):
        def judge(self, examples: Any, prompt: Any, mode: str) -> Any:
            return iter([[said(row) for row in examples if row.passage != "Abu"]])

    calls = [call("Ali"), call("Abu")]
    answered(calls, Silent())
    assert calls[0].future.result()
    with pytest.raises(RefusedError, match="RuntimeError"):
        calls[1].future.result()


def test_a_worker_that_dies_leaves_nobody_waiting() -> None:
    class Fatal(HeldJudge):
        def judge(self, examples: Any, prompt: Any, mode: str) -> Any:
            raise KeyboardInterrupt

    line, waiting = Line(), call("Ali")
    worker = Worker(Fatal(), line, Metrics(line.depth), batch=1, wait=0)
    line.put(waiting)
    line.put(behind := call("Abu"))
    before, threading.excepthook = threading.excepthook, lambda _: None
    try:
        worker.start()
        for one in (waiting, behind):
            with pytest.raises(RefusedError, match="stopping"):
                one.future.result(20)
    finally:
        threading.excepthook = before
    assert not worker.ready
    with pytest.raises(RefusedError, match="stopping"):
        line.put(call("Siti"))


@settings(max_examples=30, deadline=None)
@given(
    calls=st.lists(
        st.lists(st.sampled_from(["Ali", "Abu pergi", "Siti", LONG, BROKEN, ""]), min_size=1),
        min_size=1,
        max_size=6,
    ),
    batch=st.integers(1, 8),
)
def test_whatever_is_asked_each_call_gets_its_own_answers(
    calls: list[list[str]], batch: int
) -> None:
    asked = [call(*(f"{text} {n}" for n, text in enumerate(one))) for one in calls]
    judge = HeldJudge()
    answered(asked, judge, batch)
    assert max(map(len, judge.calls)) <= batch
    for one in asked:
        bad = any(LONG in row.passage or BROKEN in row.passage for row in one.rows)
        if bad:
            assert isinstance(one.future.exception(), PengadilError)
        else:
            assert one.future.result() == [said(row) for row in one.rows]


@pytest.mark.parametrize("clients", [1, 24])
def test_many_clients_are_batched_and_nothing_is_mixed_up(clients: int) -> None:
    judge = HeldJudge()
    asked = [(f"Dokumen {n} tentang Ali {n}.", f"Ali {n % 3}") for n in range(clients)]
    with client_of(judge, batch=clients, wait=20) as client:
        work = [partial(client.post, "/v1/judge", json=statement(*one)) for one in asked]
        answers = together(work)
        page = client.get("/metrics").text
    for (document, text), answer in zip(asked, answers, strict=True):
        [expected] = [said(Example("x", document, text, 0))]
        assert answer.status_code == 200
        assert answer.json()["verdict"] == expected.verdict
        assert answer.json()["probability"] == expected.probability
    assert [len(batch) for batch in judge.calls] == [clients]
    assert f"pengadil_batch_rows_sum {clients}.0" in page


def test_one_by_one_when_asked_for() -> None:
    judge = HeldJudge()
    with client_of(judge, batch=1, wait=0) as client:
        body = [statement("Ali lahir di Ipoh.", f"Ali {n}") for n in range(5)]
        assert len(client.post("/v1/judge", json=body).json()) == 5
    assert [len(batch) for batch in judge.calls] == [1] * 5


def test_a_ticket_ends_waiting() -> None:
    ticket, future = Ticket(60, 10), Future[int]()
    ticket.enter(future, 10)
    threading.Timer(0.05, ticket.cancel).start()
    with pytest.raises(ClientGoneError):
        ticket.wait(future)
    with pytest.raises(ClientGoneError):
        ticket.enter(Future(), 1)
    with pytest.raises(ClientGoneError):  # nor is a long document cut to its end
        copy_context().run(
            lambda: (CURRENT.set(ticket), SharedJudge(HeldJudge(), Line()).count(""))
        )
    with pytest.raises(RefusedError, match=r"11 rows.*more than the 10"):
        Ticket(60, 10).enter(Future(), 11)
    with pytest.raises(RefusedError, match=r"not answered within 0\.01 seconds"):
        Ticket(0.01, 10).wait(Future())
    late = Future[int]()
    late.set_exception(TimeoutError("the judge's own"))
    with pytest.raises(TimeoutError, match="the judge's own"):
        Ticket(60, 10).wait(late)


def test_outside_a_request_the_shared_judge_is_a_judge() -> None:
    judge, line = HeldJudge(), Line()
    worker = Worker(judge, line, Metrics(line.depth))
    worker.start()
    shared = SharedJudge(judge, line)
    assert CURRENT.get() is None
    [batch] = shared.judge(rows("Ali", "Abu"), PROMPT, "score")
    assert batch == [said(row) for row in rows("Ali", "Abu")]
    assert list(shared.judge([], PROMPT, "score")) == []
    assert (shared.name, shared.describe(), shared.notes()) == ("palsu", {"kind": "fake"}, [])
    assert shared.count("dua kata") == 2
    fit = shared.fit(rows("Ali")[0], PROMPT, "score")
    assert (fit.tokens, fit.context) == (2, 1000)
    worker.stop()


def test_apart_finds_what_is_bad_and_raises_what_is_no_items_fault() -> None:
    def work(items: Any) -> list[int]:
        if 3 in items:
            raise PengadilError("3", "bad", "Leave it out.")
        if 9 in items:
            raise RefusedError(504, "this", "late", "Later.")
        return [item * 10 for item in items]

    found = apart([1, 2, 3, 4], work)
    assert [str(one) for one in found] == ["10", "20", "3: bad. Leave it out.", "40"]
    assert apart([], work) == []
    with pytest.raises(RefusedError, match="late"):
        apart([1, 9], work)
