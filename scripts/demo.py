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
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pengadil.errors import PengadilError, run_script

if TYPE_CHECKING:
    from pengadil.runs import Run

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

    from pengadil.hardware import detect
    from pengadil.judges.base import SCORE
    from pengadil.runs import open_run
    from pengadil.terminal import print_table

    sys.stdout.reconfigure(errors="replace")
    started = time.monotonic()
    # Without a GPU, smoke is what train.py takes by itself.
    step("scripts/train.py", *(["smoke"] if detect().device == "cuda" else []))
    run = open_run(Path("runs/latest"))
    judge, exported = run.folder, None
    if find_spec("llama_cpp"):
        step("scripts/export_gguf.py", str(run.folder), "--quant", options.quant)
        judge = run.folder / "gguf" / f"{run.folder.name}-{options.quant.upper()}.gguf"
        exported = run.folder / "evaluation" / f"contoh-{SCORE}-{options.quant}"
        step("eval/evaluate.py", str(judge), "--slice", "contoh", "--out", str(exported))
    else:
        print("\nllama-cpp-python is not installed: the GGUF steps are left out. It needs a C++")
        print("compiler and cmake; then: python -m pip install -r requirements-gguf.txt")
    step("scripts/judge.py", str(judge), "--document", "-", "--statement", STATEMENT, text=DOCUMENT)
    grades = ("contoh", "contoh-sederhana", "contoh-sukar")
    rows = [("base", run.evaluation(grade, SCORE, before=True)) for grade in grades]
    rows += [("tuned", run.evaluation(grade, SCORE)) for grade in grades]
    if exported:
        rows.append((f"tuned, GGUF {options.quant}", exported))
    print_table("what was measured", [(name, summary(path)) for name, path in rows])
    show_line(run, exported, time.monotonic() - started)


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


def show_line(run: Run, exported: Path | None, seconds: float) -> None:
    """The line that says it all."""
    from pengadil.judges.base import SCORE
    from pengadil.records import read_judgements
    from pengadil.wording import percent

    base = summary(run.evaluation("contoh", SCORE, before=True))["scores"]
    tuned_folder = run.evaluation("contoh", SCORE)
    tuned = summary(tuned_folder)["scores"]
    low, high = (100 * end for end in tuned["accuracy_interval"])
    training = run.facts()["seconds"]
    line = (
        f"contoh: base {percent(base['accuracy'])}, tuned {percent(tuned['accuracy'])} of "
        f"{tuned['n']} (95 % interval {low:.1f}–{high:.1f}), {tuned['unreadable']} unreadable; "
    )
    if exported:
        adapter = read_judgements(tuned_folder / "results.jsonl")
        verdicts = {row.id: row.verdict for row in adapter}
        rows = read_judgements(exported / "results.jsonl")
        same = sum(row.verdict == verdicts[row.id] for row in rows)
        line += f"the GGUF gives the same verdict on {same} of {len(rows)}; "
    print(f"{line}{seconds / 60:.1f} minutes, {training / 60:.1f} of them training")


if __name__ == "__main__":
    run_script(main)
