"""Results to review, without a judge: of the bundled test rows, of a file's, and judged rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pengadil.data.bundled import load_bundled
from pengadil.forms import REASONED_VERDICT, VERDICT
from pengadil.models import file_sha256
from pengadil.prompts import load_prompt
from pengadil.records import Example, Judgement, write_jsonl

CONTOH = "ce8cd385e6d7504ad2a4e829e8e8575d3a18e53caaee40e46660f359213f0394"
# 1 and 0 with rising doubt, then an answer that cannot be read and one without a probability.
VERDICTS: tuple[tuple[int | None, float | None], ...] = (
    *((1, 0.95), (0, 0.10), (1, 0.70), (0, 0.45), (None, None), (1, None)),
)


def examples(count: int, first: int = 0) -> list[Example]:
    """Rows of our own, which no slice has; labels alternate 1, 0."""
    return [
        Example(
            id=f"sendiri-{index}",
            passage=f"Kedai {index} di Jalan Meru menjual {index + 3} jenis kuih. Ia buka pagi.",
            question=f"Kedai {index} menjual {index + 3 + index % 2} jenis kuih.",
            answer=1 - index % 2,
            source="kedai",
        )
        for index in range(first, first + count)
    ]


def judgements(
    rows: Sequence[Example],
    verdicts: Sequence[tuple[int | None, float | None]],
    reasoning: str = "",
) -> list[Judgement]:
    """What a judge said of them, with a reasoning or without one."""
    form = REASONED_VERDICT if reasoning else VERDICT
    return [
        Judgement(
            id=row.id,
            gold=row.answer,
            verdict=verdict,
            rule="score",
            probability=probability,
            raw="Entahlah." if verdict is None else form.text(verdict, reasoning or None),
            language=row.language,
            source=row.source,
            characters=len(row.passage),
        )
        for row, (verdict, probability) in zip(rows, verdicts, strict=True)
    ]


def results_folder(
    folder: Path,
    rows: Sequence[Example],
    said: Sequence[Judgement],
    slice_name: str,
    sha256: str,
    model: str = "hakim",
    prompt: str = "verdict",
) -> Path:
    """A finished results folder."""
    asked = load_prompt(prompt)
    summary: dict[str, Any] = {
        "format": 1,
        "model": {"name": model, "revision": "1"},
        "prompt": {"name": asked.name, "sha256": asked.sha256, "answer": asked.answer},
        "slice": {"name": slice_name, "rows": len(said), "of": len(rows), "subset": False,
                  "sha256": sha256},
        "mode": "score",
    }  # fmt: skip
    write_jsonl(folder / "results.jsonl", said)
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return folder


def own_results(
    folder: Path,
    verdicts: Sequence[tuple[int | None, float | None]] = VERDICTS,
    **more: Any,
) -> Path:
    """Results on rows of our own, whose file lies beside the results folder."""
    rows = examples(len(verdicts))
    file = folder.parent / "sendiri.jsonl"
    write_jsonl(file, rows)
    reasoning = more.pop("reasoning", "")
    said = judgements(rows, verdicts, reasoning)
    return results_folder(folder, rows, said, file.name, file_sha256(file), **more)


def contoh_results(
    folder: Path, verdicts: Sequence[tuple[int | None, float | None]] = VERDICTS
) -> Path:
    """Results on the first rows of the bundled test slice `contoh`."""
    rows = load_bundled("contoh", "test")
    said = judgements(rows[: len(verdicts)], verdicts)
    return results_folder(folder, rows, said, "contoh", CONTOH)


def judged_file(path: Path, count: int = 4, reasoning: str = "") -> Path:
    """A file as scripts/judge.py writes it, with its summary; rows have no label."""
    lines = []
    for index, row in enumerate(examples(count)):
        found = {"id": row.id, "konteks": row.passage, "question": row.question, "harga": 3}
        said = {"verdict": index % 2, "probability": 0.4 + 0.1 * index, "rule": "score"}
        lines.append(json.dumps({**found, **said, "reasoning": reasoning}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    asked = load_prompt("reasoning" if reasoning else "verdict")
    settings = {
        "source": {"rows": count, "sha256": "abc"},
        "model": {"name": "hakim"},
        "prompt": {"name": asked.name, "sha256": asked.sha256},
        "mode": "score",
        "columns": {"names": {"passage": "konteks"}, "labels": {}, "language": "ms"},
        "prefix": "",
    }
    summary = {"settings": settings, "counts": {}, "notes": [], "finished": "2026-11-01"}
    path.with_name(f"{path.name}.summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return path


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """All lines of a reviews folder."""
    return [
        json.loads(line)
        for file in sorted(folder.glob("by-*.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
