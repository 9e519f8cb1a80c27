"""Search for the settings that train a recipe best, by its validation.

    python scripts/sweep.py smoke --trials 20
    python scripts/sweep.py smoke --trials 20 --search train.learning_rate=1e-4..2e-3:log \\
        --search lora.rank=8,16,32 --search lora.alpha=1x,2x
    python scripts/sweep.py smoke --sampler grid --search lora.rank=8,16 --train.epochs 0.5

RECIPE is a name in recipes/ or a TOML file that has a validation; any of its fields can be
overridden. A search is a range (LOW..HIGH, :log, or a step as in 8..64:8), or values with commas;
without one, rank, alpha, learning rate, weight decay and ORPO's beta are searched. lora.alpha=2x is
twice the rank. Each trial is an ordinary run in sweeps/NAME/runs. Stopped, the same command goes
on; with more --trials it adds to them. The slices of the evaluation are never judged here.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pengadil.errors import PengadilError, run_script

if TYPE_CHECKING:
    from optuna import Study

    from pengadil.sweep.folder import Sweep
    from pengadil.training.plan import Plan


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        usage="%(prog)s RECIPE [--trials N] [--search FIELD=VALUES ...] [--FIELD VALUE ...] "
        "[options]",
        description=__doc__,
        epilog="The fields of a recipe: scripts/train.py --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--trials", type=int, default=20, metavar="N", help="in all, those before too; default: 20"
    )
    parser.add_argument(
        "--search", action="append", default=[], metavar="FIELD=VALUES", help="may be given again"
    )
    parser.add_argument(
        "--sampler",
        choices=("tpe", "random", "grid"),
        default="tpe",
        help="tpe goes where earlier trials were good (default); grid tries every combination",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the sampler")
    parser.add_argument(
        "--pruner",
        choices=("median", "halving"),
        default="median",
        help="a trial ends early where it is worse than the median of the others (default), or "
        "by successive halving",
    )
    parser.add_argument("--no-prune", action="store_true", help="train every trial to its end")
    parser.add_argument(
        "--prune-after",
        type=int,
        default=5,
        metavar="N",
        help="complete trials before any is pruned; default: 5",
    )
    parser.add_argument(
        "--max-hours", type=float, metavar="H", help="stop after so long, checkpoint saved"
    )
    parser.add_argument("--name", help="of the sweep's folder; default: the recipe's name")
    parser.add_argument(
        "--sweeps", type=Path, default=Path("sweeps"), metavar="DIR", help="default: sweeps"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the slices' files are")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    started = time.monotonic()
    parser = make_parser()
    options, words = parser.parse_known_args(arguments)
    if not words or words[0].startswith("-"):
        parser.error("name a RECIPE before the fields of it")
    if options.trials < 1 or options.prune_after < 1:
        parser.error("--trials and --prune-after are at least 1")
    if options.max_hours is not None and not options.max_hours > 0:
        parser.error("--max-hours is above 0")
    recipe, overrides = words[0], words[1:]

    from pengadil.sweep.folder import open_study
    from pengadil.sweep.study import run_trials
    from pengadil.sweep.terminal import say_trial, show_sweep
    from pengadil.training.progress import training_progress

    sys.stdout.reconfigure(errors="replace")
    sweep, plan = settled(options, recipe, overrides)
    show_sweep(sweep, plan, options.trials)
    deadline = started + options.max_hours * 3600 if options.max_hours else None
    with open_study(sweep) as study:
        try:
            ended = run_trials(sweep, study, options.trials, training_progress, say_trial, deadline)
        except (KeyboardInterrupt, PengadilError):
            show_results(sweep, study, recipe, overrides)
            raise
        show_results(sweep, study, recipe, overrides)
    if not ended:
        print(f"stopped after {options.max_hours:g} h: run the same command again to go on")


def settled(
    options: argparse.Namespace, recipe: str, overrides: Sequence[str]
) -> tuple[Sweep, Plan]:
    """The sweep as asked for and the recipe's own plan, both checked; nothing is written yet."""
    from pengadil.data.slices import load_slice
    from pengadil.folders import find
    from pengadil.recipe import load_recipe
    from pengadil.sweep.folder import sweep_of
    from pengadil.sweep.ordinary import check_plan, plan_facts
    from pengadil.sweep.reading import read_space

    base = load_recipe(recipe, overrides)
    space = read_space(options.search, recipe, overrides, grid=options.sampler == "grid")
    known = find("eval", "slices")
    tests = [load_slice(test, known, options.data) for test in base.evaluation.slices]
    plan = check_plan(base, tests)
    sweep = sweep_of(
        options.sweeps,
        options.name or base.name,
        recipe=base,
        space=space,
        facts=plan_facts(plan),
        sampler=options.sampler,
        pruner="none" if options.no_prune else options.pruner,
        prune_after=options.prune_after,
        seed=options.seed,
    )
    return sweep, plan


def show_results(sweep: Sweep, study: Study, recipe: str, overrides: Sequence[str]) -> None:
    """The tables so far, the files they are written to, and what to do with the best settings."""
    from pengadil.sweep.findings import findings, headline, next_command
    from pengadil.sweep.page import tables
    from pengadil.sweep.results import write_results
    from pengadil.terminal_tables import print_sections
    from pengadil.verbs import shown

    found = findings(sweep, study)
    written = write_results(sweep, found)
    print_sections(headline(found), tables(sweep, found))
    for path in written:
        print(path)
    if command := next_command(found, recipe, overrides):
        print(shown(f"next, to train the best settings and judge the test slices: {command}"))


if __name__ == "__main__":
    run_script(main)
