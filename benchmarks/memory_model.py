"""Peak memory of real trainings beside what the planner says of them (docs/memory.md).

    python benchmarks/memory_model.py
    python benchmarks/memory_model.py --engine portable --json memory.json
    python benchmarks/memory_model.py --shape qwen2.5-7b --folder qwen2.5-7b

Each case trains two steps on random rows of one length, in a process of its own. On a CPU it is the
packaged SmolLM2, and the peak is the process's resident memory. On a CUDA GPU it is --shape with
random weights in 4 bits (made first: 15 GB of disk, kept with --folder), and the peak is
torch.cuda.max_memory_reserved, to which the CUDA context, not known to torch, is not added.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError, run_script

# (rows at once, tokens of each, base in 4 bits)
ON_CPU = ((1, 256, False), (4, 256, False), (8, 256, False), (2, 1024, False), (4, 256, True))
ON_GPU = ((1, 512, True), (4, 512, True), (1, 2048, True), (2, 2048, True), (4, 2048, True))
RANK = 64
STEPS = 2
MOST_OVER = 1.2
RECIPE = """\
name = "memory-model"

[model]
name = {base}
dtype = "{dtype}"
load_in_4bit = {four_bits}

[data]
train = ["contoh:8"]
max_length = 4096

[lora]
rank = {rank}
alpha = 16

[train]
engine = "{engine}"
batch_size = {rows}
micro_batch_size = {rows}
learning_rate = 2e-4
loss = "completion"
save_every = 1000000

[evaluation]
slices = []
"""


def measure(case: dict[str, Any]) -> dict[str, Any]:
    """Train the case here, in this process; what was predicted, and the peak."""
    from gpu_shapes import make_random_rows

    from pengadil.hardware import peak_memory
    from pengadil.planning.fit import batch_of
    from pengadil.planning.memory import CUDA_CONTEXT, memory
    from pengadil.planning.shape import read_shape
    from pengadil.recipe import load_recipe
    from pengadil.training.plan import make_plan
    from pengadil.training.run import find_or_start, train
    from pengadil.training.watch import Watch

    rows, tokens = case["rows"], case["tokens"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "memory-model.toml"
        file.write_text(RECIPE.format(**{**case, "base": json.dumps(case["base"])}), "utf-8")
        recipe = load_recipe(file)
        plan = make_plan(recipe)
        shape = read_shape(plan.model.folder)
        made = make_random_rows([tokens] * rows * STEPS, shape.vocabulary)
        plan = replace(plan, rows=made)
        labels = sum(label >= 0 for row in made[:rows] for label in row.labels)
        batch = batch_of(recipe, rows, tokens)
        predicted = memory(shape, recipe, plan.hardware, plan.choice, batch, labels)
        run, _ = find_or_start(plan, Path(folder) / "runs")
        train(plan, run, Watch())
    expected, peak = predicted.total, peak_memory()["main"]
    if plan.hardware.device == "cuda":
        import torch

        expected, peak = expected - CUDA_CONTEXT, torch.cuda.max_memory_reserved()
    parts = {part.name: part.bytes for part in predicted.parts}
    return {"predicted": expected, "peak": peak, "parts": parts, "device": plan.hardware.label}


def cases(options: argparse.Namespace, folder: str) -> list[dict[str, Any]]:
    """What is trained, by device."""
    import torch

    on_gpu = torch.cuda.is_available()
    base = folder if on_gpu else "smollm2-135m"
    return [
        {
            "base": base,
            "engine": options.engine,
            "dtype": options.dtype,
            "rows": rows,
            "tokens": tokens,
            "four_bits": str(four_bits).lower(),
            "rank": RANK,
        }
        for rows, tokens, four_bits in (ON_GPU if on_gpu else ON_CPU)
    ]


def in_a_process(case: dict[str, Any]) -> dict[str, Any]:
    """The case's figures. Raises PengadilError with the child's last words where it fails."""
    done = subprocess.run(
        [sys.executable, __file__, "--case", json.dumps(case)], capture_output=True, text=True
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise PengadilError(
            f"{case['rows']} rows of {case['tokens']}", said[:200], "The others stand above."
        )
    return {**case, **json.loads(lines[-1])}


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=("auto", "portable", "unsloth"), default="auto")
    parser.add_argument(
        "--dtype", choices=("auto", "bfloat16", "float16", "float32"), default="auto"
    )
    parser.add_argument("--shape", default="mistral-7b", help="on a GPU (default: %(default)s)")
    parser.add_argument("--folder", metavar="DIR", help="where its weights are, or are kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    if options.case:
        print(json.dumps(measure(json.loads(options.case))))
        return

    import torch

    from pengadil.hardware import provenance, versions
    from pengadil.records import write_whole

    with tempfile.TemporaryDirectory() as kept:
        folder = options.folder or str(Path(kept) / "model")
        if torch.cuda.is_available():
            from gpu_shapes import make_model

            make_model(options.shape, Path(folder), "cuda")
            torch.cuda.empty_cache()
        found = []
        print(f"{'rows':>5} {'tokens':>7} {'bits':>5} {'predicted':>10} {'peak':>10} {'ratio':>6}")
        for case in cases(options, folder):
            made = in_a_process(case)
            found.append(made)
            bits = 4 if case["four_bits"] == "true" else 16
            print(
                f"{case['rows']:5} {case['tokens']:7} {bits:5} {made['predicted'] / 2**20:6.0f} MiB"
                f" {made['peak'] / 2**20:6.0f} MiB {made['predicted'] / made['peak']:6.2f}",
                flush=True,
            )
    print(f"{found[0]['device']}; aim: a ratio between 1 and {MOST_OVER}")
    if options.json:
        facts = {"cases": found, "machine": provenance(), "versions": versions()}
        write_whole(options.json, json.dumps(facts, indent=2) + "\n")
        print(options.json)


if __name__ == "__main__":
    run_script(main)
