"""Export a trained judge as GGUF files that llama.cpp runs, each checked against the adapter.

    python scripts/export_gguf.py runs/latest
    python scripts/export_gguf.py runs/latest --quant q8_0,q4_k_m
    python scripts/export_gguf.py runs/latest --quant f16 --out exports --slice-rows 50

RUN is a finished run folder, or an adapter's. The files go to gguf/ in it, with export.json; a
file is put there only when it reads every row as the trained model does. Stopped, the same
command keeps what is finished and makes the rest.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pengadil.errors import run_script

if TYPE_CHECKING:
    from pengadil.export import Exported


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="what to export")
    parser.add_argument(
        "--quant", metavar="NAMES", help="q8_0,q4_k_m,... (default: what the run's recipe names)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: gguf in the run folder")
    parser.add_argument(
        "--slice-rows",
        type=int,
        default=200,
        metavar="N",
        help="rows of the test slice contoh to compare verdicts on (default: all 200)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="default: all")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)

    from pengadil.export import export_gguf, recipe_quants
    from pengadil.export.progress import export_progress

    quants = options.quant.split(",") if options.quant else recipe_quants(options.run)
    started = time.monotonic()
    with export_progress() as progress:
        files = export_gguf(
            options.run, quants, options.out, options.slice_rows, progress, options.threads
        )
    show(files, time.monotonic() - started)


def show(files: Sequence[Exported], seconds: float) -> None:
    """A row for each file, and how to use the first."""
    from rich.console import Console
    from rich.table import Table

    table = Table("file", title_justify="left")
    for name in ("MB", "same verdicts as adapter", "accuracy", "adapter's", "seconds"):
        table.add_column(name, justify="right")
    for made in files:
        table.add_row(
            made.file.name,
            f"{made.bytes / 1e6:,.0f}",
            f"{made.agreeing}/{made.rows}",
            f"{100 * made.correct / made.rows:.1f} %",
            f"{100 * made.adapter_correct / made.rows:.1f} %",
            "kept" if made.reused else f"{made.seconds:.0f}",
        )
    Console(markup=False, highlight=False, soft_wrap=True).print(table)
    print(f"token ids equal training's on every row; {seconds:.0f} s in all")
    print(f"next: python eval/evaluate.py {files[0].file} --slice contoh")


if __name__ == "__main__":
    run_script(main)
