"""Train a judge from a recipe, and measure it before and after.

    python scripts/train.py
    python scripts/train.py laptop
    python scripts/train.py smoke --train.epochs 2 --lora.rank 16
    python scripts/train.py smoke --dry-run
    python scripts/train.py malaysian-mistral-v3 --max-hours 11.5
    python scripts/train.py smoke --wandb --wandb-offline
    accelerate launch --num_processes 2 scripts/train.py smoke

RECIPE is a name in recipes/ or a TOML file; without one it is `smoke` on a machine without a GPU
and `malaysian-mistral-v3` with one. Any of its fields can be overridden by its name. Stopped, the
same command goes on from the last checkpoint; with --max-hours it stops by itself, in a state that
goes on, and exits with 0. The result is a run folder; runs/latest is the newest. Nothing is sent
anywhere but for --wandb.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pengadil.errors import BAD_INPUT, PengadilError, run_script

if TYPE_CHECKING:
    from pengadil.data.slices import Slice
    from pengadil.preflight.run import Preflight
    from pengadil.recipe import Recipe
    from pengadil.runs import Run
    from pengadil.training.plan import Plan
    from pengadil.training_tracking import TrainingTracker


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
        "--wandb",
        nargs="?",
        const="pengadil",
        metavar="PROJECT",
        help="log to Weights & Biases: settings and figures, no texts (key: WANDB_API_KEY)",
    )
    parser.add_argument(
        "--wandb-offline", action="store_true", help="write its log into the run folder only"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="default: runs"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the slices' files are")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    started = time.monotonic()
    options, words = make_parser().parse_known_args(arguments)
    # As an argument of its own, RECIPE would take the value of a field that stands before it.
    named = bool(words) and not words[0].startswith("-")
    name, overrides = (words[0], words[1:]) if named else (None, words)

    from pengadil.data.slices import load_slice
    from pengadil.folders import find
    from pengadil.hardware import detect
    from pengadil.preflight.run import preflight
    from pengadil.recipe import load_recipe
    from pengadil.training.devices import use_one_gpu
    from pengadil.training.processes import is_main
    from pengadil.training.run import find_or_start

    sys.stdout.reconfigure(errors="replace")
    if one_of_several := use_one_gpu():  # before torch is imported
        print(one_of_several)
    if options.max_hours is not None and not 0 < options.max_hours < float("inf"):
        raise PengadilError(
            f"--max-hours {options.max_hours}", "not a number of hours", "Give one above 0."
        )
    if name is None:
        name = "malaysian-mistral-v3" if detect().device == "cuda" else "smoke"
    recipe = load_recipe(name, overrides)
    known = find("eval", "slices")
    tests = [load_slice(test, known, options.data) for test in recipe.evaluation.slices]
    project = options.wandb or ("pengadil" if options.wandb_offline else None)
    if project:
        from pengadil.training_tracking import check_tracking

        check_tracking(options.wandb_offline)
    flight = preflight(recipe, tests, options.runs)
    if is_main():
        show_findings(flight)
    if flight.plan is None:
        return BAD_INPUT
    plan = flight.plan
    if options.dry_run:
        if is_main():
            print(recipe.to_toml())
        return 0
    run, old = find_or_start(plan, options.runs, options.fresh)
    deadline = started + options.max_hours * 3600 if options.max_hours else None
    summaries: dict[tuple[str, bool], dict[str, Any]] = {}
    if is_main():
        print(f"{'going on with' if old else 'run'} {run.folder}")
        if recipe.evaluation.before:
            evaluate_all(plan, run, tests, True, summaries)

    with contextlib.ExitStack() as stack:
        tracker = None
        if project and is_main():
            from pengadil.training_tracking import TrainingTracker

            tracker = stack.enter_context(TrainingTracker(run, project, options.wandb_offline))
        complete = train_watched(plan, run, deadline, tracker)
        if not is_main():
            return 0
        if not complete:
            print(f"stopped after {options.max_hours:g} h, as asked: {run.folder}")
            print("run the same command again to go on from here")
            return 0
        evaluate_all(plan, run, tests, False, summaries)
        run.write_facts({**run.facts(), "evaluated": True})
        if tracker:
            after = {f"{t.key}-{recipe.evaluation.mode}": summaries[t.key, False] for t in tests}
            print(f"wandb: {tracker.finish(after)}")
    show_results(run, tests, summaries)
    return 0


def train_watched(
    plan: Plan, run: Run, deadline: float | None, tracker: TrainingTracker | None
) -> bool:
    """Train with a bar, and draw the curves; whether it came to its end."""
    from pengadil.curves.page import write_curves
    from pengadil.training.processes import is_main
    from pengadil.training.progress import training_progress
    from pengadil.training.run import train

    with training_progress(f"training {plan.recipe.name}", deadline=deadline) as watch:
        complete = train(plan, run, tracker.watching(watch) if tracker else watch)
    if is_main():
        write_curves(run.folder)
    return complete


def show_findings(flight: Preflight) -> None:
    """What was checked, a line each; what is wrong goes to stderr, with what to do."""
    from pengadil.verbs import shown

    for finding in flight.findings:
        if finding.level == "wrong":
            print(f"error: {shown(finding.text)}", file=sys.stderr)
        else:
            note = "note: " if finding.level == "note" else ""
            print(f"{finding.check + ':':<12}{note}{finding.text}")
    if flight.plan:
        show_plan(flight.plan)


def show_plan(plan: Plan) -> None:
    """What is trained, on what."""
    recipe = plan.recipe
    print(
        f"{recipe.name}: {plan.model.name} ({plan.model.revision}), prompt {plan.prompt.name}, "
        f"{len(plan.rows)} rows, {plan.tokens:,} tokens, longest row "
        f"{max(len(row.ids) for row in plan.rows)} of {recipe.data.max_length}, "
        f"{plan.steps} steps of {recipe.train.batch_size} rows, {what_is_trained(recipe)}"
    )


def what_is_trained(recipe: Recipe) -> str:
    """The method, with the setting that matters most to it."""
    settings = recipe.train
    return {
        "sft": f"loss: {settings.loss}",
        "orpo": f"orpo, beta {settings.beta:g}",
        "rewrite": "rewriting, loss: completion",
        "classifier": "classifier, all weights",
    }[settings.method]


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
    from pengadil.verbs import shown

    judged = [
        (run.evaluation(test.key, summaries[test.key, before]["mode"], before), summary)
        for test in tests
        for before in (True, False)
        if (summary := summaries.get((test.key, before)))
    ]
    if judged:
        print_results(judged)
    print(f"trained in {run.facts()['seconds']:.0f} s: {run.folder}")
    print(f"curves: {run.folder / 'training.html'}")
    if run.facts().get("method") != "classifier":
        print(shown(f"next: python scripts/export_gguf.py {run.folder}"))


if __name__ == "__main__":
    run_script(main)
