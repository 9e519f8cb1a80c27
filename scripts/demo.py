"""The main job from start to end, as `make demo` runs it: train, measure, export, judge.

    python scripts/demo.py
    python scripts/demo.py --quant q4_k_m

Each step is an ordinary command, printed before it runs; all of them work by themselves. It ends
with a table and one line.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError, run_script

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = "Melur dilahirkan di Bukit Seri. Melur bekerja sebagai jurutera. Melur menaiki feri."
STATEMENT = "Pekerjaan Melur ialah jurutera."


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quant", default="q8_0", metavar="NAME", help="default: q8_0")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)

    from pengadil.judges.base import SCORE
    from pengadil.runs import open_run

    sys.stdout.reconfigure(errors="replace")
    started = time.monotonic()
    step("scripts/train.py", "smoke")
    run = open_run(Path("runs/latest"))
    step("scripts/export_gguf.py", str(run.folder), "--quant", options.quant)
    gguf = run.folder / "gguf" / f"{run.folder.name}-{options.quant.upper()}.gguf"
    judged = run.folder / "evaluation" / f"contoh-{SCORE}-{options.quant}"
    step("eval/evaluate.py", str(gguf), "--slice", "contoh", "--out", str(judged))
    step("scripts/judge.py", str(gguf), "--document", "-", "--statement", STATEMENT, text=DOCUMENT)
    before = run.evaluation("contoh", SCORE, before=True)
    tuned = run.evaluation("contoh", SCORE)
    middle = run.evaluation("contoh-sederhana", SCORE)
    show(before, tuned, middle, judged, time.monotonic() - started, run.facts()["seconds"])


def step(*words: str, text: str | None = None) -> None:
    """Run one command of the house, showing it; its failure ends the demo with its own message."""
    print(f"\n$ python {shlex.join(words)}{f' <<< {text!r}' if text else ''}", flush=True)
    command = [sys.executable, str(ROOT / words[0]), *words[1:]]
    done = subprocess.run(command, input=text, encoding="utf-8", check=False)
    if done.returncode == 130:
        raise KeyboardInterrupt
    if done.returncode:
        raise PengadilError(
            words[0], f"it ended with exit code {done.returncode}", "Mend what it says; run again."
        )


def summary(folder: Path) -> dict[str, Any]:
    """The summary.json of a results folder."""
    loaded: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return loaded


def show(
    before: Path, tuned: Path, middle: Path, gguf: Path, seconds: float, training: float
) -> None:
    """The closing table, and the line that says it all."""
    from rich.console import Console
    from rich.table import Table

    from pengadil.records import read_judgements
    from pengadil.wording import p_text, percent

    table = Table(title="\nwhat was measured", title_justify="left")
    for name in ("judge", "slice", "n", "accuracy", "95 % interval", "majority", "word overlap"):
        table.add_column(name)
    table.add_column("McNemar against word overlap")
    table.add_column("unreadable", justify="right")
    for judge, folder in (
        ("base", before), ("tuned", tuned), ("tuned", middle), ("tuned, GGUF", gguf),
    ):  # fmt: skip
        found = summary(folder)
        scores, overlap = found["scores"], found["baselines"]["overlap"]
        low, high = (100 * end for end in scores["accuracy_interval"])
        table.add_row(
            judge,
            found["slice"]["name"],
            str(scores["n"]),
            percent(scores["accuracy"]),
            f"{low:.1f}–{high:.1f}",
            percent(scores["majority_accuracy"]),
            percent(overlap["accuracy"]),
            p_text(overlap["mcnemar"]["p_value"]),
            str(scores["unreadable"]),
        )
    Console().print(table)
    adapter = {row.id: row.verdict for row in read_judgements(tuned / "results.jsonl")}
    rows = read_judgements(gguf / "results.jsonl")
    same = sum(row.verdict == adapter[row.id] for row in rows)
    base, after = summary(before)["scores"], summary(tuned)["scores"]
    low, high = (100 * end for end in after["accuracy_interval"])
    print(
        f"contoh: base {percent(base['accuracy'])}, tuned {percent(after['accuracy'])} of "
        f"{after['n']} (95 % interval {low:.1f}–{high:.1f}), {after['unreadable']} unreadable; "
        f"the GGUF gives the same verdict on {same} of {len(rows)}; "
        f"{seconds / 60:.1f} minutes, {training / 60:.1f} of them training"
    )


if __name__ == "__main__":
    run_script(main)
