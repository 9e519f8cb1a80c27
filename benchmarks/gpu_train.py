"""How fast and in how much memory a 7B is trained on a GPU: Unsloth, plain TRL, portable.

    python benchmarks/gpu_train.py --json gpu.json
    python benchmarks/gpu_train.py --shape qwen2.5-7b --run fit --folder qwen2.5-7b
    python benchmarks/gpu_train.py --data boolq-malay-val-200.jsonl --lengths-to lengths.txt
    python benchmarks/gpu_train.py --lengths lengths.txt
    python benchmarks/gpu_train.py --shape tiny --device cpu --steps 2

QLoRA (NF4, double quantisation, rank 64) on a model of the real shape with random weights, which
is made first: 15 GB of disk, kept with --folder. Rows are random ids of real lengths, from
--lengths or --data, else drawn. Plain TRL is its SFTTrainer with its defaults and bitsandbytes;
rows, batch, adapter and number format are the same for all. Each contender has the GPU to itself,
one after another; a ratio is that of one optimizer step on the same rows, and the first two are not
counted.

speed: bfloat16 (float16 where the GPU has none), all of the GPU.
fit:   float16 in at most --cap GiB, as on a 16 GB card; all rows of the first step have 2,048
       tokens. Micro-batches are chosen by the engine; TRL, which does not choose, takes 1 row.

It needs nothing but pip's packages: no hub, no network. Every result is printed, and written with
--json, as soon as it is there; what --minutes leaves no time for is named.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError, run_script

CONTENDERS = ("unsloth", "trl", "portable")
RUNS = ("speed", "fit")
SHAPES = ("mistral-7b", "qwen2.5-7b", "tiny")
AGAINST = "trl"
AIM = 2.0  # Unsloth's tokens a second over plain TRL's
CAP = 14.6  # GiB: what is left to torch of a 16 GB T4
UNIT = "times the tokens of text a second"
LEAST_SECONDS = 60  # a contender that has less left is not started


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--shape", choices=SHAPES, default="mistral-7b", help="default: %(default)s"
    )
    parser.add_argument("--run", choices=RUNS, help="default: both")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="%(default)s")
    parser.add_argument("--only", metavar="NAMES", help="contenders, separated by commas")
    parser.add_argument("--steps", type=int, default=10, help="counted (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=8, help="rows a step (default: %(default)s)")
    parser.add_argument("--micro", type=int, default=0, help="rows at once; 0: as the engine does")
    parser.add_argument("--cap", type=float, default=CAP, help="GiB (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where the model is kept; default: thrown away")
    parser.add_argument("--lengths", type=Path, metavar="FILE", help="tokens of each row")
    parser.add_argument("--data", type=Path, metavar="FILE", help="a .jsonl file to take them from")
    parser.add_argument("--lengths-to", type=Path, metavar="FILE", help="write them there and end")
    parser.add_argument("--minutes", type=float, default=9, help="at most (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    from gpu_shapes import drawn_lengths, lengths_of, read_lengths

    deadline = time.monotonic() + 60 * options.minutes
    names = chosen(options)
    wanted = (options.steps + 2) * options.batch
    if options.data:
        lengths, origin = lengths_of(options.data), f"lengths of {options.data.name}"
    elif options.lengths:
        lengths, origin = read_lengths(options.lengths), f"lengths of {options.lengths.name}"
    else:
        lengths = drawn_lengths(wanted)
        origin = "lengths drawn from a log-normal distribution (median 310, deviation 0.36)"
    if options.lengths_to:
        options.lengths_to.write_text("\n".join(map(str, lengths)) + "\n", encoding="utf-8")
        print(options.lengths_to)
        return
    lengths = (lengths * (wanted // len(lengths) + 1))[:wanted]
    spread = f"{min(lengths)} to {max(lengths)} tokens, mean {sum(lengths) / len(lengths):.0f}"
    title = f"{options.shape}, {origin}, {spread}, {options.batch} rows a step"
    print(title)
    with tempfile.TemporaryDirectory() as thrown_away:
        folder = options.folder or Path(thrown_away) / options.shape
        settings = {name: getattr(options, name) for name in ("shape", "device", "batch")}
        settings["folder"] = str(folder)
        made(settings)
        found: dict[str, Any] = {"rows": title}
        for run in [options.run] if options.run else RUNS:
            measure(run, names, {**settings, "lengths": lengths}, options, deadline, found)


def chosen(options: argparse.Namespace) -> list[str]:
    names = [name.strip() for name in (options.only or ",".join(CONTENDERS)).split(",")]
    for name in names:
        if name not in CONTENDERS:
            raise PengadilError(
                repr(name), "no such contender", f"There are: {', '.join(CONTENDERS)}."
            )
    if min(options.steps, options.batch) < 1:
        raise PengadilError("--steps, --batch", "one is below 1", "Give 1 or more.")
    import torch

    if options.device == "cuda" and not torch.cuda.is_available():
        raise PengadilError(
            "--device cuda",
            "there is no NVIDIA GPU here",
            "Without one, only --shape tiny --device cpu makes sense.",
        )
    return names


def made(settings: dict[str, Any]) -> None:
    """Make the model in a process of its own, so that its memory is free again."""
    from gpu_shapes import is_made
    from workers import Worker

    if is_made(Path(settings["folder"]), settings["shape"]):
        return
    started = time.monotonic()
    print(f"  making {settings['shape']} ({settings['folder']})", file=sys.stderr)
    Worker(Path(__file__).with_name("gpu_contenders.py"), "weights", settings).stop()
    print(f"  in {time.monotonic() - started:.0f} s", file=sys.stderr)


def measure(
    run: str,
    names: Sequence[str],
    settings: dict[str, Any],
    options: argparse.Namespace,
    deadline: float,
    found: dict[str, Any],
) -> None:
    """Run the contenders one after another; print each, compare, and fill `found`."""
    done: dict[str, dict[str, Any]] = {}
    results = found.setdefault(run, {})
    print(f"\n{run}: {note(run, options)}")
    print(f"{'contender':10} {'tokens/s':>9} {'s/step':>7} {'held':>10} {'reserved':>10}  notes")
    for name in names:
        obstacle = obstacle_to(name, run, options, deadline)
        if obstacle:
            results[name] = {"left out": obstacle}
            print(f"{name:10} left out: {obstacle}")
            continue
        try:
            asked = with_run(settings, name, run, options)
            results[name] = done[name] = trained(name, asked, deadline)
            print(line(name, done[name]), flush=True)
        except PengadilError as error:
            results[name] = {"failed": error.wrong}
            print(f"{name:10} failed: {error.wrong}", flush=True)
        save(options, found)
    if run == "speed":
        found |= compared(done)
        found["losses"] = first_losses(done)
    save(options, found)


def note(run: str, options: argparse.Namespace) -> str:
    if run == "speed":
        return "all of the device"
    return f"float16, at most {options.cap} GiB, first step with rows of 2,048 tokens"


def obstacle_to(name: str, run: str, options: argparse.Namespace, deadline: float) -> str:
    """Why a contender cannot run here, or an empty text."""
    from pengadil.hardware import choose, detect

    if deadline - time.monotonic() < LEAST_SECONDS and options.shape != "tiny":
        return f"no time left of --minutes {options.minutes:g}"
    if run == "fit" and options.device != "cuda":
        return "only a GPU's memory can be capped"
    if name == "unsloth":
        try:
            choose(detect(), "unsloth")
        except PengadilError as error:
            return error.wrong
    return ""


def with_run(
    settings: dict[str, Any], name: str, run: str, options: argparse.Namespace
) -> dict[str, Any]:
    """The settings of a contender in a run."""
    from gpu_shapes import LONGEST

    from pengadil.hardware import choose, detect

    fit = run == "fit"
    lengths = list(settings["lengths"])
    if fit:
        lengths[: options.batch] = [LONGEST] * options.batch
    micro = options.micro
    if name == AGAINST and not micro:
        micro = 1 if fit else options.batch
    return {
        **settings,
        "lengths": lengths,
        "micro": micro,
        "cap": int(options.cap * 2**30) if fit else 0,
        "dtype": "float16" if fit else choose(detect(), "portable").dtype,
    }


def trained(name: str, settings: dict[str, Any], deadline: float) -> dict[str, Any]:
    """What a contender did: seconds and tokens of each counted step, losses, memory, notices."""
    from workers import Worker

    batch, lengths = settings["batch"], settings["lengths"]
    started = time.monotonic()
    print(f"  {name}: loading", file=sys.stderr)
    worker = Worker(Path(__file__).with_name("gpu_contenders.py"), name, settings)
    try:
        answer = worker.ready
        losses, seconds = list(answer.get("losses", ())), []
        print(f"  {name}: warm after {time.monotonic() - started:.0f} s", file=sys.stderr)
        while "out_of_memory" not in answer and len(losses) < len(lengths) // batch:
            if time.monotonic() > deadline:
                break
            answer = worker.ask(1)
            losses += answer.get("losses", ())
            if "seconds" in answer:
                seconds.append(answer["seconds"])
    finally:
        worker.stop()
    first = len(losses) - len(seconds)
    tokens = [sum(lengths[step * batch : (step + 1) * batch]) for step in range(first, len(losses))]
    return {
        "seconds": seconds,
        "tokens": tokens,
        "losses": losses,
        "memory": answer["memory"],
        "out of memory": answer.get("out_of_memory", ""),
        "notices": answer.get("said", []),
    }


def line(name: str, done: dict[str, Any]) -> str:
    memory, seconds = done["memory"], done["seconds"]
    tensors, reserved = (
        f"{memory[part] / 2**30:6.2f} GiB" if part in memory else "–"
        for part in ("cuda" if "cuda" in memory else "main", "reserved")
    )
    notes = "; ".join([*done["notices"], *filter(None, [done["out of memory"]])])
    if not seconds:
        return f"{name:10} {'–':>9} {'–':>7} {tensors:>10} {reserved:>10}  {notes}"
    rate, each = sum(done["tokens"]) / sum(seconds), sum(seconds) / len(seconds)
    return f"{name:10} {rate:9.0f} {each:7.2f} {tensors:>10} {reserved:>10}  {notes}"


def compared(done: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Each contender's tokens a second against plain TRL's, step by step."""
    from workers import spread

    found = {}
    for name in done:
        others = done.get(AGAINST, {}).get("seconds", ())
        pairs = list(zip(done[name]["seconds"], others, strict=False))
        if name == AGAINST or not pairs:
            continue
        if not found:
            heads = "".join(f"{head:>8}" for head in ("median", "low", "high"))
            print(f"\n{'ratio of tokens a second':28}{heads} {'aim':>6}")
        pair = found[f"{name} against {AGAINST}"] = spread([b / a for a, b in pairs], UNIT)
        aim = f"{AIM:6.1f}" if name == "unsloth" else "     –"
        title = f"{name} : {AGAINST}"
        print(f"{title:28} {pair['ratio']:7.2f} {pair['low']:7.2f} {pair['high']:7.2f} {aim}")
    return found


def first_losses(done: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The losses of the first steps side by side: the same rows, the same base, new adapters."""
    found = {name: facts["losses"] for name, facts in done.items()}
    if len(found) > 1:
        print(f"\n{'loss of step':12} " + " ".join(f"{name:>10}" for name in found))
        for step, row in enumerate(zip(*found.values(), strict=False), start=1):
            print(f"{step:12} " + " ".join(f"{loss:10.5f}" for loss in row))
    return found


def save(options: argparse.Namespace, found: dict[str, Any]) -> None:
    if options.json:
        from workers import write

        write(options.json, found, tell=False)


if __name__ == "__main__":
    run_script(main)
