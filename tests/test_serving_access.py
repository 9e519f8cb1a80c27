"""Who may ask the service, and how much."""

from __future__ import annotations

from functools import partial

import pytest
from helpers_serving import HeldJudge, client_of, statement, together
from hypothesis import given, settings
from hypothesis import strategies as st

from pengadil.errors import PengadilError
from pengadil.serving import limits as limits_module
from pengadil.serving.keys import KEY, Keys
from pengadil.serving.limits import Limits, PerMinute
from pengadil.serving.refusals import RefusedError

FIRST, SECOND = "kunci-pertama-yang-panjang", "kunci-kedua-yang-panjang"
ASKED = statement("Ali lahir di Ipoh.", "Ali")


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_with_a_key_nothing_but_health_is_answered_without_it() -> None:
    judge = HeldJudge()
    with client_of(judge, keys=Keys([FIRST, SECOND])) as client:
        assert client.get("/health").status_code == 200
        for headers in (
            {},
            bearer(""),
            bearer("wrong"),
            bearer(FIRST[:-1]),
            bearer(f"{FIRST}x"),
            bearer(f"{FIRST},{SECOND}"),
            {"Authorization": FIRST},
            {"Authorization": f"Basic {FIRST}"},
            {"Authorization": b"Bearer \xff"},
        ):
            answer = client.post("/v1/judge", json=ASKED, headers=headers)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert "Bearer KEY" in answer.json()["error"]["next"]
            assert FIRST not in answer.text
            for path in ("/metrics", "/openapi.json", "/docs"):
                assert client.get(path, headers=headers).status_code == 401
        assert judge.calls == []
        for key in (FIRST, SECOND):
            assert client.post("/v1/judge", json=ASKED, headers=bearer(key)).status_code == 200
        assert client.get("/metrics", headers={"Authorization": f"bearer  {FIRST}"}).is_success


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("127.0.0.1:8000", 200), ("localhost", 200), ("[::1]:80", 200)),
        *(("evil.example", 421), ("127.0.0.1.evil.example", 421), ("[", 421)),
    ],
)
def test_without_a_key_only_this_machine_is_named(host: str, status: int) -> None:
    with client_of(HeldJudge()) as client:
        answer = client.post("/v1/judge", json=ASKED, headers={"Host": host})
        assert answer.status_code == status
        assert client.get("/health", headers={"Host": host}).status_code == 200


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_no_other_text_opens(key: str, other: str) -> None:
    keys = Keys([key])
    written = other.encode("utf-8", "replace").decode("latin-1")
    with pytest.raises(RefusedError, match="Authorization"):
        keys.caller({"authorization": f"Bearer {written} {key}x"}, "here")


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, f" {FIRST}, {SECOND},")
    keys = Keys.of_environment("0.0.0.0")
    assert keys.caller({"authorization": f"Bearer {SECOND}"}, "here") == "key 1"
    monkeypatch.delenv(KEY)
    for host in ("127.0.0.1", "localhost", "::1"):
        assert not Keys.of_environment(host)
    for host in ("0.0.0.0", "::", "10.0.0.5", ""):
        with pytest.raises(PengadilError, match=f"{KEY} is not set"):
            Keys.of_environment(host)
    for bad in ("pendek-rahsia", f"{FIRST},pendek-rahsia", f"{FIRST} é", f"{FIRST} {SECOND}"):
        monkeypatch.setenv(KEY, bad)
        with pytest.raises(PengadilError, match="shorter than 16") as told:
            Keys.of_environment("127.0.0.1")
        assert "rahsia" not in str(told.value)
        assert FIRST not in str(told.value)


def test_more_requests_at_once_than_allowed_are_told_to_come_again() -> None:
    judge = HeldJudge()
    judge.free.clear()
    with client_of(judge, limits=Limits(at_once=2, per_minute=0)) as client:
        waiting = [partial(client.post, "/v1/judge", json=ASKED)] * 2

        def others() -> list[int]:
            while client.get("/metrics").text.find("pengadil_requests_running 2.0") < 0:
                pass
            refused = client.post("/v1/judge", json=ASKED)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert refused.json()["error"]["found"] == "2 requests"
            assert client.get("/health").status_code == 200
            judge.free.set()
            return refused.status_code

        first, second, refused = together([*waiting, others])
        assert (first.status_code, second.status_code, refused) == (200, 200, 503)
        assert client.post("/v1/judge", json=ASKED).status_code == 200


def test_requests_a_minute_are_counted_for_each_key() -> None:
    with client_of(HeldJudge(), keys=Keys([FIRST, SECOND]), limits=Limits(per_minute=2)) as client:
        for key in (FIRST, SECOND):
            statuses = [
                client.post("/v1/judge", json=ASKED, headers=bearer(key)).status_code
                for _ in range(3)
            ]
            assert statuses == [200, 200, 429]
        answer = client.post("/v1/judge", json=ASKED, headers=bearer(FIRST))
        assert 0 < int(answer.headers["retry-after"]) <= 30
        assert "more than 2 a minute" in answer.json()["error"]["wrong"]
        # What needs no judge is not counted.
        assert client.get("/metrics", headers=bearer(FIRST)).status_code == 200


@given(
    limit=st.integers(1, 50),
    gaps=st.lists(st.floats(0, 120, allow_nan=False), max_size=200),
)
def test_never_more_than_the_limit_at_once_nor_in_the_long_run(
    limit: int, gaps: list[float]
) -> None:
    now = 0.0
    per_minute = PerMinute(limit, lambda: now)
    for let_in, gap in enumerate(gaps, start=1):
        now += gap
        try:
            per_minute.enter("one")
        except RefusedError as error:
            now += error.retry_after or 0
            per_minute.enter("one")  # who waits as told is let in
        per_minute.enter(f"another {let_in}")
        assert let_in <= limit + now * limit / 60 + 1e-6


def test_callers_are_forgotten_before_they_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits_module, "MOST_CALLERS", 3)
    per_minute = PerMinute(1, lambda: 0.0)
    for name in "abcd":
        per_minute.enter(name)
    with pytest.raises(RefusedError):
        per_minute.enter("d")
    per_minute.enter("a")
    PerMinute(0).enter("a")
