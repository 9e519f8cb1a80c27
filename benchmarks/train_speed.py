"""How fast the portable engine trains, against TRL's SFTTrainer with its defaults.

    python benchmarks/train_speed.py
    python benchmarks/train_speed.py --mix apart --turns 3 --json speed.json
    python benchmarks/train_speed.py --mix data --data boolq-malay-val-200.jsonl
    python benchmarks/train_speed.py --only "portable,trl" --check-steps 0

Same model, rows, order, batch, adapter and number format. Each contender runs in a process of its
own; they take turns of a few optimizer steps while the others wait, and a ratio is that of one
turn. A token counts as often as rows hold it; padding never counts. The rows come in mixes:
together (documents of several rows, in the order of training), apart (a document a row, so that
nothing is shared but the instruction) and data (those of --data).

TRL's defaults spare memory with gradient checkpointing, and on a CPU compute logits everywhere. So
"trl tuned" runs beside: no checkpointing, transformers' own loss. Last, the losses step by step, in
float32 too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError, run_script

MIXES = {
    "together": "documents of several rows, in the order of training",
    "apart": "a document a row",
    "data": "the rows of --data",
}
SAMPLE = "contoh-sederhana"
ROWS_PER_DOCUMENT = 12  # made for each row wanted of another document: enough on any seed
# Contender, the one it is compared with, and the ratio aimed at.
PAIRS = (("portable", "trl", 1.3), ("portable", "trl tuned", None))
RECIPE = """\
name = "train-speed"

[model]
name = {model}
dtype = "{dtype}"

[data]
train = [{rows}]
prompt = "{prompt}"
max_length = 8192

[lora]
rank = 32
alpha = 64

[train]
engine = "portable"
batch_size = {batch}
max_steps = {steps}
learning_rate = 1e-3
loss = "completion"
seed = 1
save_every = 1000000

[evaluation]
slices = []
"""
UNIT = "times the tokens of text a second"
CLOCKS = {"seconds": "", "processor": " of processor time"}


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mix", choices=MIXES, help="default: together and apart")
    parser.add_argument("--data", type=Path, metavar="FILE", help="a .jsonl file of rows")
    parser.add_argument("--model", default="smollm2-135m", help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=2, help="in a turn (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=8, help="rows a step (default: %(default)s)")
    parser.add_argument("--only", metavar="NAMES", help="contenders, separated by commas")
    parser.add_argument(
        "--check-steps",
        type=int,
        default=3,
        metavar="N",
        help="steps in float32, whose losses are compared (default: %(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the ratios there")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    from train_contenders import CONTENDERS
    from workers import write

    names = [name.strip() for name in (options.only or ",".join(CONTENDERS)).split(",")]
    for name in names:
        if name not in CONTENDERS:
            raise PengadilError(
                repr(name), "no such contender", f"There are: {', '.join(CONTENDERS)}."
            )
    mixes = [options.mix] if options.mix else ["together", "apart"]
    if "data" in mixes and not options.data:
        raise PengadilError("--mix data", "there is no --data FILE", "Name the file of rows.")
    if min(options.steps, options.turns, options.batch) < 1:
        raise PengadilError("--steps, --turns, --batch", "one is below 1", "Give 1 or more.")
    found: dict[str, Any] = {}
    for mix in mixes:
        with tempfile.TemporaryDirectory() as folder:
            found |= measured(mix, names, options, Path(folder))
    if options.json:
        write(options.json, {**found, "model": options.model, "batch": options.batch})


def measured(
    mix: str, names: Sequence[str], options: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """The ratios of one mix, and how far the losses of each two contenders lie apart."""
    from train_contenders import WARM_UP

    steps = max(WARM_UP + options.steps * options.turns, options.check_steps)
    recipe = write_recipe(folder, mix, options, steps, "auto")
    lengths = row_lengths(recipe)
    print(f"\n{mix}: {MIXES[mix]}; {options.batch} rows a step, {steps} steps, {about(lengths)}")
    turns = raced(names, recipe, options.turns, options.steps)
    show(turns, lengths, options)
    found = {f"{name}, {mix}": pair for name, pair in compared(turns).items()}
    curves = {"as trained": {name: losses(done) for name, done in turns.items()}}
    if options.check_steps and len(names) > 1:
        exact = write_recipe(folder, mix, options, steps, "float32")
        alone = {
            name: raced([name], exact, 0, 0, options.check_steps)[name]
            for name in PAIRS[0][:2]
            if name in names
        }
        curves["float32"] = {name: losses(done) for name, done in alone.items()}
    found[f"losses, {mix}"] = differences(curves)
    return found


def write_recipe(
    folder: Path, mix: str, options: argparse.Namespace, steps: int, dtype: str
) -> Path:
    """The recipe that every contender trains, beside the file of its rows."""
    import json

    from pengadil.data.sources import load_rows
    from pengadil.records import write_jsonl

    wanted = steps * options.batch
    if mix == "together":
        rows = load_rows(f"{SAMPLE}:{wanted}", seed=1)
    elif mix == "apart":
        many = load_rows(f"{SAMPLE}:{wanted * ROWS_PER_DOCUMENT}", seed=1)
        rows = list({row.passage: row for row in many}.values())[:wanted]
    else:
        rows = load_rows(str(options.data))
    reasoned = all(row.reasoning for row in rows)
    file = folder / "rows.jsonl"
    write_jsonl(file, rows)
    recipe = folder / f"{dtype}.toml"
    recipe.write_text(
        RECIPE.format(
            model=json.dumps(options.model),
            dtype=dtype,
            rows=json.dumps(str(file)),
            prompt="reasoning" if reasoned else "verdict",
            batch=options.batch,
            steps=steps,
        ),
        encoding="utf-8",
    )
    return recipe


def row_lengths(recipe: Path) -> list[int]:
    """The tokens of each row, in the order of training."""
    from pengadil.recipe import load_recipe
    from pengadil.training.plan import make_plan

    return [len(row.ids) for row in make_plan(load_recipe(recipe)).rows]


def about(lengths: Sequence[int]) -> str:
    mean = sum(lengths) / len(lengths)
    return f"rows of {min(lengths)} to {max(lengths)} tokens, mean {mean:.0f}"


def raced(
    names: Sequence[str], recipe: Path, turns: int, steps: int, warm_up: int = 0
) -> dict[str, list[dict[str, Any]]]:
    """For each contender what it did in its warm-up and in each of its turns."""
    from workers import Worker

    workers: dict[str, Worker] = {}
    script = Path(__file__).with_name("train_contenders.py")
    try:
        for name in names:
            print(f"  loading {name}", file=sys.stderr)
            settings = {"recipe": str(recipe)} | ({"warm_up": warm_up} if warm_up else {})
            workers[name] = Worker(script, name, settings)
        done = {name: [worker.ready] for name, worker in workers.items()}
        for turn in range(turns):
            # Another contender first in each turn.
            for name in [*names[turn % len(names) :], *names[: turn % len(names)]]:
                done[name].append(workers[name].ask(steps))
                seconds = done[name][-1]["seconds"]
                print(f"  turn {turn + 1} of {turns}, {name}: {seconds:.1f} s", file=sys.stderr)
    finally:
        for worker in workers.values():
            worker.stop()
    return done


def losses(turns: Sequence[dict[str, Any]]) -> list[float]:
    """The loss of each step, the warm-up's first."""
    return [loss for turn in turns for loss in turn["losses"]]


def show(
    turns: dict[str, list[dict[str, Any]]], lengths: Sequence[int], options: argparse.Namespace
) -> None:
    """Tokens a second and memory of each contender; the warm-up is not counted."""
    steps = options.steps * options.turns
    tokens = sum(lengths[-steps * options.batch :])
    print(f"\n{'contender':12} {'tokens/s':>9} {'s/step':>7} {'processor':>10} {'at most':>9}")
    for name, (_, *done) in turns.items():
        seconds, processor = (sum(turn[how] for turn in done) for how in CLOCKS)
        most = max(turn["memory"]["main"] for turn in done) / 2**20
        each, computed = seconds / steps, processor / steps
        rate = tokens / seconds
        print(f"{name:12} {rate:9.0f} {each:7.2f} {computed:8.2f} s {most:5.0f} MiB")


def compared(turns: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """How many times the tokens a second: both contenders of a turn trained the same rows.

    Of processor time too, which other jobs on the machine disturb less.
    """
    from workers import spread

    print(f"\n{'ratio of tokens a second':42} {'median':>7} {'low':>7} {'high':>7} {'aim':>6}")
    found = {}
    for one, other, aim in PAIRS:
        if one not in turns or other not in turns:
            continue
        for how, title in CLOCKS.items():
            both = zip(turns[one][1:], turns[other][1:], strict=True)
            pair = spread([slow[how] / fast[how] for fast, slow in both], UNIT + title)
            wanted = f"{aim:6.1f}" if aim and not title else "     –"
            name = f"{one} against {other}{title}"
            figures = " ".join(f"{pair[key]:7.2f}" for key in ("ratio", "low", "high"))
            print(f"{name:42} {figures} {wanted}")
            found[name] = pair
    return found


def differences(curves: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    """The largest difference of two contenders' losses at a step, in each number format."""
    print(f"\n{'largest difference of a loss':36} {'steps':>6} {'first':>10} {'any':>10}")
    found: dict[str, Any] = {}
    for precision, runs in curves.items():
        for one, other, _ in PAIRS:
            if one not in runs or other not in runs:
                continue
            apart = [abs(a - b) for a, b in zip(runs[one], runs[other], strict=True)]
            name, first, most = f"{one} and {other}", apart[0], max(apart)
            title = f"{name}, {precision}"
            print(f"{title:36} {len(apart):6} {first:10.6f} {most:10.6f}")
            found.setdefault(precision, {})[name] = {"first": first, "most": most}
        found.setdefault(precision, {})["losses"] = runs
    return found


if __name__ == "__main__":
    run_script(main)
