"""Where a kernel on Kaggle is: queued, running or ended, and what it printed.

    python kaggle/status.py
    python kaggle/status.py --follow
    python kaggle/status.py --log
    python kaggle/status.py --all
    python kaggle/status.py me/pengadil-smoke

Without KERNEL it is the one that was pushed last from here (runs/kaggle.json).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pengadil.errors import run_script


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("kernel", nargs="?", default="", metavar="KERNEL", help="owner/name")
    parser.add_argument("--follow", action="store_true", help="watch it until it ends")
    parser.add_argument("--log", action="store_true", help="print what it has printed")
    parser.add_argument("--all", action="store_true", help="list all that was pushed from here")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = make_parser().parse_args(arguments)

    from pengadil.remote.following import follow, tail
    from pengadil.remote.pushed import all_pushed, named
    from pengadil.remote.service import COMPLETE, connect
    from pengadil.verbs import shown

    sys.stdout.reconfigure(errors="replace")
    if options.all:
        for push in all_pushed(options.runs):
            words = " ".join([push.settings.recipe, *push.settings.arguments])
            print(f"{push.when}  {push.label}  {words} on {push.settings.accelerator}")
        return 0
    kernel = named(options.runs, options.kernel)
    service = connect()
    state = follow(service, kernel) if options.follow else service.state(kernel)
    print(f"{kernel}: {state.name.replace('_', ' ')}")
    if state.message:
        print(state.message)
    hours = service.gpu_hours()
    if hours:
        print(f"GPU hours used this week: {hours[0]:.1f} of {hours[1]:.0f}")
    failed = state.ended and state.name != COMPLETE
    if options.log:
        print(service.log(kernel))
    elif failed:
        print(tail(service.log(kernel)))
    if state.ended:
        print(shown("next: python kaggle/pull.py"))
    return 1 if failed else 0


if __name__ == "__main__":
    run_script(main)
