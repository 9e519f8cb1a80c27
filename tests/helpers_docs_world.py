"""What the commands of the pages find on the machine: a run, a GGUF, rows, and an endpoint.

Everything is small and real. `smollm2-135m` is a tiny model of random weights, put where the
packaged one would be unpacked; slices of the hub are the bundled one.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers_docs import ROOT, Block
from helpers_docs_shell import run_line
from helpers_endpoint import Reply, completion, scored
from helpers_files import write
from helpers_preparation_verbs import (
    MISTAKEN,
    PASSAGE,
    PASSAGE_MS,
    QUESTION,
    QUESTION_MS,
    SOUND,
)
from helpers_runs import make_tiny_base

from pengadil.data.bundled import load_bundled
from pengadil.models import PACKAGED, PACKAGED_FORMAT, file_sha256, packaged_gguf

# What shortens a command, by a pattern of how it begins; an option that it has already is left out.
SHORTER: tuple[tuple[str, tuple[str, ...]], ...] = (
    # A model of random weights never ends its reasoning, which takes minutes.
    ("scripts/train.py laptop", ("--data.prompt", "verdict")),
    ("scripts/train.py smoke-classifier", ("--train.warmup_steps", "0")),
    ("scripts/train.py", ("--train.max_steps", "2")),
    ("scripts/train.py", ("--data.train", "contoh:32")),
    ("scripts/train.py", ("--data.validation", "contoh:8")),
    ("scripts/train.py", ("--evaluation.slices", "")),
    ("scripts/train.py", ("--evaluation.before", "false")),
    ("scripts/sweep.py", ("--trials", "2")),
    ("scripts/sweep.py", ("--train.max_steps", "2")),
    ("scripts/sweep.py", ("--data.train", "contoh:32")),
    ("scripts/sweep.py", ("--data.validation", "contoh:8")),
    ("scripts/export_gguf.py", ("--verify-rows", "4")),
    ("eval/probe.py", ("--limit", "4")),
    ("eval/guard.py", ("--limit", "16")),
    ("eval/guard.py", ("--validation-rows", "40")),
    # OpenAI's prices are known, those of the endpoint here are not.
    (r"scripts/prepare_data\.py translate .*--max-cost", ("--prices", "1,2")),
    *((f"scripts/prepare_data.py {verb}", ("--yes",)) for verb in ("translate", "reason", "pairs")),
)
# On these pages more is needed than elsewhere: what is trained is compared afterwards.
LONGER = {
    "docs/training.md": (
        (r"scripts/train\.py (?:smoke|smoke-orpo)$", ("--evaluation.slices", "contoh")),
    ),
}
# The bundled slices, and one of the hub whose place a bundled one takes.
BUNDLED = re.compile(r"^\[contoh.*?(?=^\[)", re.DOTALL | re.MULTILINE)
STAND_IN = '[boolq-malay-200]\nkind = "union"\nparts = ["contoh"]\nnote = "A stand-in."\n'
AGREES = (
    "Dokumen menyebut bahawa bot baharu menggantikan bot lama pada tahun 2021. Pernyataan itu pula "
    "mengatakan perkara yang sama, jadi kedua-duanya selaras."
)
DIFFERS = (
    "Dokumen menyebut bahawa feri mula membawa penumpang pada tahun 1894 dan dihentikan selama dua "
    "bulan. Bot lama masih digunakan, maka pernyataan tentang bot baharu itu bercanggah."
)
QUESTION_TWO = "New boats took the place of the old boats in 2021."
QUESTION_TWO_MS = "Bot baharu menggantikan bot lama pada tahun 2021."
# English and Malay; of a statement also its reasoning, and a mistaken one.
TRANSLATIONS = ((PASSAGE, PASSAGE_MS), (QUESTION, QUESTION_MS), (QUESTION_TWO, QUESTION_TWO_MS))
REASONINGS = ((QUESTION_MS, 0, SOUND, MISTAKEN), (QUESTION_TWO_MS, 1, AGREES, DIFFERS))


@dataclass(frozen=True)
class World:
    """`home` is a PENGADIL_HOME in which the packaged model is a tiny one; `runs` holds a run."""

    home: Path
    runs: Path


def make_world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A run of the tiny model, trained, judged and exported by the project's own commands."""
    home = folder / "home"
    digest = file_sha256(packaged_gguf())[:12]
    home.mkdir()
    make_tiny_base(home / f"{PACKAGED}-{digest}-{PACKAGED_FORMAT}")
    monkeypatch.setenv("PENGADIL_HOME", str(home))
    monkeypatch.chdir(folder)
    run_line("python scripts/train.py smoke", SHORTER)
    run_line("python scripts/export_gguf.py runs/latest --quant q8_0", SHORTER)
    return World(home, folder / "runs")


def furnish(folder: Path, page: Path, world: World) -> None:
    """What a page's reader has when its first block begins."""
    shutil.copytree(world.runs, folder / "runs", symlinks=True)
    [gguf] = (folder / "runs").glob("smoke-*/gguf/*.gguf")
    shutil.copy(gguf, folder / "judge-q8_0.gguf")
    slices = (ROOT / "eval" / "slices.toml").read_text(encoding="utf-8")
    write_text(folder / "eval" / "slices.toml", "".join(BUNDLED.findall(slices)) + STAND_IN)
    (folder / "FOLDER").mkdir()
    for make in FILES.get(page.relative_to(ROOT).as_posix(), ()):
        make(folder)


def write_text(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def sample(count: int) -> list[dict[str, Any]]:
    """Rows as people have them."""
    rows = load_bundled("contoh", "validation", count)
    return [
        {"id": row.id, "passage": row.passage, "question": row.question, "answer": row.answer}
        for row in rows
    ]


def english() -> list[dict[str, Any]]:
    """The rows that the endpoint can translate and reason about."""
    return [
        {"passage": PASSAGE, "question": QUESTION, "answer": 0, "language": "en"},
        {"passage": PASSAGE, "question": QUESTION_TWO, "answer": 1, "language": "en"},
    ]


def rows_of_everyone(folder: Path) -> None:
    """rows.csv, .jsonl and .parquet, and a folder of two such files."""
    write(folder / "rows.jsonl", sample(6))
    (folder / "folder").mkdir()
    for name in ("a.csv", "b.jsonl"):
        write(folder / "folder" / name, sample(4))
    named = [{"konteks": row["passage"], "soalan": row["question"]} for row in sample(4)]
    write(folder / "rows.parquet", named)
    write(folder / "rows.csv", english())


def judged_by_people(folder: Path) -> None:
    """people.jsonl: two people on the first 20 rows of contoh."""
    rows = load_bundled("contoh", "test")[:20]
    lines = [
        {"id": row.id, "verdict": row.answer if at % 5 else 1, "person": person}
        for person in ("aminah", "wei")
        for at, row in enumerate(rows, start=person == "wei")
    ]
    write(folder / "people.jsonl", lines)


def answers_of_models(folder: Path) -> None:
    """base.jsonl and tuned.jsonl: what two models answered."""
    asked = ("Apakah ibu negara Malaysia?", "Apakah 7 kali 8?")
    for name, answers in (("base", ("Entah.", "48")), ("tuned", ("Kuala Lumpur.", "56"))):
        rows = zip(asked, answers, strict=True)
        lines = [{"id": f"q{at}", "prompt": p, "answer": a} for at, (p, a) in enumerate(rows)]
        write(folder / f"{name}.jsonl", lines)


def labelled_rows(folder: Path) -> None:
    """rows.csv as the page on own data has it: other names of columns and labels."""
    rows = [
        {
            "konteks": row.passage,
            "pernyataan": row.question,
            "label": "setuju" if row.answer else "bantah",
        }
        for row in load_bundled("contoh", "validation", 120)
    ]
    write(folder / "rows.csv", rows)


def letter(folder: Path) -> None:
    write_text(folder / "surat.txt", "Ali dilahirkan di Ipoh. Ali bekerja sebagai guru.\n")


def from_the_hub(folder: Path) -> None:
    """A copy of a data set, where the hub is out of reach."""
    (folder / "data" / "google").mkdir(parents=True)
    write(folder / "data" / "google" / "boolq-train.jsonl", english())


def essays(folder: Path) -> None:
    rows = [{"original": f"{PASSAGE_MS} {at}", "rewritten": QUESTION_MS} for at in range(4)]
    write(folder / "essays.csv", rows)


Maker = Callable[[Path], None]
FILES: dict[str, Sequence[Maker]] = {
    "README.md": (rows_of_everyone, judged_by_people, answers_of_models),
    "docs/data.md": (rows_of_everyone, from_the_hub, essays),
    "docs/evaluation.md": (judged_by_people, answers_of_models),
    "docs/judging.md": (rows_of_everyone, letter),
    "docs/guard.md": (rows_of_everyone,),
    "docs/your-data.md": (labelled_rows,),
}
# What stands in a page for something that is another here: folders whose names hold the time (the
# newest that is like this), and fewer rows of the hub.
STANDS_FOR = {
    "docs/training.md": {"runs/SFT": "runs/smoke-2*", "runs/ORPO": "runs/smoke-orpo-2*"},
    "docs/data.md": {"google/boolq:1000": "google/boolq:2"},
}


def shorter(block: Block) -> Sequence[tuple[str, tuple[str, ...]]]:
    """What shortens the commands of a block."""
    return (*LONGER.get(block.page.relative_to(ROOT).as_posix(), ()), *SHORTER)


def as_here(block: Block, line: str) -> str:
    """The line with the names that things have here."""
    page = block.page.relative_to(ROOT).as_posix()
    for name, here in STANDS_FOR.get(page, {}).items():
        if name in line:
            found = sorted(Path().glob(here)) if "*" in here else [Path(here)]
            line = line.replace(name, found[-1].as_posix())
    return line


def answer(request: dict[str, Any]) -> Reply:
    """What the endpoint says: a translation, a reasoning, or that a statement agrees."""
    asked = "\n".join(message["content"] for message in request["messages"])
    schema = json.dumps(request.get("response_format", {}))
    if "translation" in schema:
        text = asked.rpartition("<teks>")[2] if "<teks>" in asked else asked
        [malay] = [malay for english, malay in TRANSLATIONS if english in text]
        return Reply(body=completion(json.dumps({"translation": malay})))
    for question, label, sound, mistaken in REASONINGS:
        if question in asked and "reasoning" in asked:
            wrong = "silap" in asked
            verdict = {
                "reasoning": mistaken if wrong else sound,
                "consistency": 1 - label if wrong else label,
            }
            return Reply(body=completion(json.dumps(verdict)))
    return Reply(body=scored())
