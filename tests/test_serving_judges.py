"""Real judges behind the service: each says of a row what it says of it alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from helpers_serving import client_of, statement, together
from helpers_tiny_models import make_tiny

from pengadil.data.bundled import load_bundled
from pengadil.judges.base import SCORE, Judge
from pengadil.judges.opening import open_judge
from pengadil.judges.single import judge_one
from pengadil.models import packaged_gguf
from pengadil.prompts import load_prompt


def tiny_causal(folder: Path) -> Judge:
    return open_judge(str(make_tiny("llama", folder)), dtype="float32")


def tiny_encoder(folder: Path) -> Judge:
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    base = make_tiny("deberta-v2", folder / "base")
    config = AutoConfig.from_pretrained(
        base, num_labels=2, id2label={0: "contradiction", 1: "entailment"}
    )
    torch.manual_seed(5)
    model = AutoModelForSequenceClassification.from_pretrained(base, config=config)
    model.save_pretrained(folder / "classifier")
    AutoTokenizer.from_pretrained(base).save_pretrained(folder / "classifier")
    return open_judge(str(folder / "classifier"), dtype="float32")


def packaged(folder: Path) -> Judge:
    pytest.importorskip("llama_cpp")
    return open_judge(str(packaged_gguf()), threads=1)


@pytest.mark.parametrize("opened", [tiny_causal, tiny_encoder, packaged])
def test_a_judge_says_the_same_behind_the_service(
    opened: Callable[[Path], Judge], tmp_path: Path
) -> None:
    judge = opened(tmp_path)
    rows = load_bundled("contoh", "test", 4)
    prompt = load_prompt("verdict")
    alone = [judge_one(judge, prompt, row.passage, row.question, SCORE) for row in rows]
    # A sentence as long as none fits beside: refused, and the others are answered all the same.
    long = statement(rows[0].passage, "Ali " * 10_000)
    with client_of(judge, batch=len(rows), wait=60) as client:
        asked = [statement(row.passage, row.question) for row in rows]
        answers = together(
            [partial(client.post, "/v1/judge", json=body) for body in [*asked, long]]
        )
        page = client.get("/metrics").text
    assert answers.pop().status_code == 422
    for answer, expected in zip(answers, alone, strict=True):
        assert answer.status_code == 200
        assert answer.json()["verdict"] == expected.verdict
        assert answer.json()["probability"] == pytest.approx(expected.probability, abs=1e-3)
        assert answer.json()["rule"] == expected.rule
    assert "\npengadil_batch_rows_count 1.0\n" in page
