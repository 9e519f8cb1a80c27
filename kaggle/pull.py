"""Fetch what a kernel on Kaggle made: adapter, evaluation and GGUF, as a run folder.

    python kaggle/pull.py
    python kaggle/pull.py me/pengadil-smoke
    python kaggle/pull.py --as my-judge

Without KERNEL it is the one that was pushed last from here (runs/kaggle.json). The run appears in
runs/ once all of it is there and each file is the one that the kernel wrote; nothing is ever
overwritten. Cut off, the same command goes on. It ends with 2 if the kernel had failed.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

from pengadil.errors import BAD_INPUT, PengadilError, run_script


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("kernel", nargs="?", default="", metavar="KERNEL", help="owner/name")
    parser.add_argument("--as", dest="name", default="", metavar="NAME", help="the run's name here")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = make_parser().parse_args(arguments)

    from pengadil.remote.pulling import pull, summaries
    from pengadil.remote.pushed import named
    from pengadil.remote.service import connect
    from pengadil.runs import Run, point_latest
    from pengadil.terminal import print_results
    from pengadil.verbs import shown

    sys.stdout.reconfigure(errors="replace")
    if options.name != Path(options.name).name:
        raise PengadilError(f"--as {options.name}", "not a name but a path", "Use --runs DIR too.")
    kernel = named(options.runs, options.kernel)
    service = connect()
    state = service.state(kernel)
    if not state.ended:
        raise PengadilError(
            kernel,
            f"is {state.name}: its output is there when it has ended",
            "Wait for it: python kaggle/status.py --follow",
        )
    pulled = pull(service, kernel, options.runs, as_name=options.name)
    results = summaries(pulled.folder)
    for _, same in itertools.groupby(
        results, key=lambda result: (result[1]["prompt"]["name"], result[1]["mode"])
    ):
        print_results(list(same))
    print(f"{'run' if pulled.new else 'was here already'}: {pulled.folder}")
    for file in pulled.gguf:
        print(f"GGUF: {file} ({file.stat().st_size / 1e6:,.0f} MB)")
    if pulled.new and pulled.manifest.get("training_done"):
        point_latest(Run(pulled.folder))
    reason = pulled.manifest.get("reason", "")
    match pulled.manifest["state"]:
        case "done":
            if pulled.gguf:
                print(shown(f"next: python scripts/judge.py {pulled.gguf[0]}"))
            return 0
        case "stopped":
            print(f"stopped: {reason}")
            print(shown("next: python kaggle/resume.py"))
            return 0
        case "running":
            print(
                "error: Kaggle ended it from outside; what it had kept is not checked",
                file=sys.stderr,
            )
        case _:
            print(f"error: it failed: {reason}", file=sys.stderr)
    return BAD_INPUT


if __name__ == "__main__":
    run_script(main)
