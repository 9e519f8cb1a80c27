"""Train a judge from a recipe, and measure it before and after.

    python scripts/train.py
    python scripts/train.py laptop
    python scripts/train.py smoke --train.epochs 2 --lora.rank 16
    python scripts/train.py smoke --dry-run
    python scripts/train.py malaysian-mistral-v3 --max-hours 11.5
    accelerate launch --num_processes 2 scripts/train.py smoke

RECIPE is a name in recipes/ or a TOML file; without one it is `smoke` on a machine without a GPU
and `malaysian-mistral-v3` with one. Any of its fields can be overridden by its name. Stopped, the
same command goes on from the last checkpoint; with --max-hours it stops by itself, in a state that
goes on, and exits with 0. The result is a run folder; runs/latest is the
newest.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pengadil.errors import run_script

if TYPE_CHECKING:
    from pengadil.data.slices import Slice
    from pengadil.runs import Run
    from pengadil.training.plan import Plan


def make_parser() -> argparse.ArgumentParser:
    from pengadil.recipe import settings

    listed = "\n".join(f"  --{name:<28} {setting.help}" for name, setting in settings().items())
    parser = argparse.ArgumentParser(
        usage="%(prog)s [RECIPE] [--FIELD VALUE ...] [options]",
        description=__doc__,
        epilog=f"fields of a recipe:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--dry-run", action="store_true", help="print recipe and plan, then stop")
    parser.add_argument(
        "--fresh", action="store_true", help="start anew even if an unfinished run could go on"
    )
    parser.add_argument(
        "--max-hours",
        type=float,
        metavar="HOURS",
        help="stop training after so long, checkpoint saved",
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="default: runs"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the slices' files are")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    started = time.monotonic()
    options, words = make_parser().parse_known_args(arguments)
    # As an argument of its own, RECIPE would take the value of a field that stands before it.
    named = bool(words) and not words[0].startswith("-")
    name, overrides = (words[0], words[1:]) if named else (None, words)

    from pengadil.data.slices import load_slice
    from pengadil.export.quantise import check_quants
    from pengadil.folders import find
    from pengadil.hardware import detect
    from pengadil.recipe import load_recipe
    from pengadil.training.plan import make_plan
    from pengadil.training.processes import is_main
    from pengadil.training.run import find_or_start, train

    sys.stdout.reconfigure(errors="replace")
    if name is None:
        name = "malaysian-mistral-v3" if detect().device == "cuda" else "smoke"
    recipe = load_recipe(name, overrides)
    check_quants(recipe.export.quant)
    known = find("eval", "slices")
    tests = [load_slice(test, known, options.data) for test in recipe.evaluation.slices]
    plan = make_plan(recipe, tests)
    if is_main():
        show_plan(plan)
    if options.dry_run:
        if is_main():
            print(recipe.to_toml())
        return
    run, old = find_or_start(plan, options.runs, options.fresh)
    summaries: dict[tuple[str, bool], dict[str, Any]] = {}
    if is_main():
        print(f"{'going on with' if old else 'run'} {run.folder}")
        if recipe.evaluation.before:
            evaluate_all(plan, run, tests, True, summaries)

    from pengadil.training.progress import training_progress

    deadline = started + options.max_hours * 3600 if options.max_hours else None
    with training_progress(f"training {recipe.name}", deadline=deadline) as watch:
        complete = train(plan, run, watch)
    if not is_main():
        return
    if not complete:
        print(f"stopped after {options.max_hours:g} h, as asked: {run.folder}")
        print("run the same command again to go on from here")
        return
    evaluate_all(plan, run, tests, False, summaries)
    run.write_facts({**run.facts(), "evaluated": True})
    show_results(run, tests, summaries)


def show_plan(plan: Plan) -> None:
    """Engine and amounts, each with its reason."""
    recipe = plan.recipe
    print(plan.choice.reason)
    print(
        f"{recipe.name}: {plan.model.name} ({plan.model.revision}), prompt {plan.prompt.name}, "
        f"{len(plan.rows)} rows, {plan.tokens:,} tokens, longest row "
        f"{max(len(row.ids) for row in plan.rows)} of {recipe.data.max_length}, "
        f"{plan.steps} steps of {recipe.train.batch_size} rows, loss: {recipe.train.loss}"
    )


def evaluate_all(
    plan: Plan,
    run: Run,
    tests: Sequence[Slice],
    before: bool,
    summaries: dict[tuple[str, bool], dict[str, Any]],
) -> None:
    """Judge every slice with the base model (before) or the trained run."""
    from pengadil.evaluation import evaluate
    from pengadil.judges.opening import open_judge
    from pengadil.terminal import rows_progress

    mode = plan.recipe.evaluation.mode
    model = plan.recipe.model
    judge = (
        open_judge(model.name, revision=model.revision) if before else open_judge(str(run.folder))
    )
    for test in tests:
        folder = run.evaluation(test.key, mode, before)
        label = f"{'before' if before else 'after'}: {test.title}"
        with rows_progress(label) as on_progress:
            summary = evaluate(judge, test, plan.prompt, mode, folder, on_progress=on_progress)
        summaries[test.key, before] = summary


def show_results(
    run: Run, tests: Sequence[Slice], summaries: dict[tuple[str, bool], dict[str, Any]]
) -> None:
    """A table of every slice, before and after, with the baselines beside it."""
    from pengadil.terminal import print_results

    judged = [
        (run.evaluation(test.key, summaries[test.key, before]["mode"], before), summary)
        for test in tests
        for before in (True, False)
        if (summary := summaries.get((test.key, before)))
    ]
    if judged:
        print_results(judged)
    print(f"trained in {run.facts()['seconds']:.0f} s: {run.folder}")
    print(f"next: python scripts/export_gguf.py {run.folder}")


if __name__ == "__main__":
    run_script(main)
