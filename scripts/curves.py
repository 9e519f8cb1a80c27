"""Draw the curves of a training, finished or not, or of several side by side.

    python scripts/curves.py runs/latest
    python scripts/curves.py runs/latest --against seconds
    python scripts/curves.py runs/sft runs/orpo --out results/sft-orpo

RUN is a run folder. Of one, curves.png and training.html are drawn into it anew; of several, into
results/curves-FIRST-SECOND unless --out says where. Only the logs are read: no model is needed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pengadil.errors import run_script


def make_parser() -> argparse.ArgumentParser:
    from pengadil.curves.lines import AGAINST

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path, help="a run folder")
    parser.add_argument(
        "--against", choices=AGAINST, default="step", help="what lies on the level axis"
    )
    parser.add_argument("--out", "--output", type=Path, metavar="DIR", help="where the files go")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)

    from pengadil.curves.figures import headline, numbers_section
    from pengadil.curves.page import read_all, write_all
    from pengadil.terminal_tables import print_sections

    sys.stdout.reconfigure(errors="replace")
    runs = read_all(options.runs)
    names = "-".join(run.folder.resolve().name for run in runs)
    default = runs[0].folder if len(runs) == 1 else Path("results") / f"curves-{names}"
    written = write_all(runs, options.out or default, options.against)
    print_sections(headline(runs), [numbers_section(runs)])
    for path in written:
        print(path)


if __name__ == "__main__":
    run_script(main)
