"""The guard with a real model, tiny and of random weights: what it says does not matter here."""

from __future__ import annotations

import asyncio

import pytest
from helpers_tiny_models import make_tiny

from pengadil import Guard
from pengadil.guard.long import judge_documents
from pengadil.guard.report import Report
from pengadil.judges.single import judge_one

FACT = "Ali lahir di Ipoh."
LONG = " ".join(f"Siti{number} menjual {number} biji durian di pasar." for number in range(120))


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Guard:
    folder = make_tiny("qwen2", tmp_path_factory.mktemp("tiny"))
    return Guard(str(folder), part_tokens=100)


def test_a_short_document_is_judged_as_everywhere(guard: Guard) -> None:
    report = guard.check(FACT, FACT)
    alone = judge_one(guard.judge, guard.prompt, FACT, FACT, guard.mode)
    assert report.sentences[0].probability == pytest.approx(alone.probability, abs=1e-4)
    assert report.documents[0].parts == 1


def test_a_long_document_is_cut_by_the_tokens_of_the_model(guard: Guard) -> None:
    report = guard.check(FACT, [LONG, f"{LONG} {FACT}"])
    assert all(document.parts > 10 for document in report.documents)
    [judged] = judge_documents(
        guard.judge, guard.prompt, [((LONG,), FACT)], guard.mode, guard.reading
    )
    start, end = judged.span
    assert guard.judge.count(LONG[start:end]) <= 100


def test_many_may_ask_a_guard_at_once(guard: Guard) -> None:
    async def ask() -> list[Report]:
        return await asyncio.gather(*(guard.acheck(f"Ali ada {n} anak.", FACT) for n in range(4)))

    reports = asyncio.run(ask())
    assert [report.answer for report in reports] == [f"Ali ada {n} anak." for n in range(4)]
