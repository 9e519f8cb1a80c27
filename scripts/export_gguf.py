"""Export a trained judge as GGUF files that llama.cpp runs, each checked against the adapter.

    python scripts/export_gguf.py runs/latest
    python scripts/export_gguf.py runs/latest --quant q8_0,q4_k_m
    python scripts/export_gguf.py runs/latest --quant q4_k_m --work-dir /tmp --verify-rows 50
    python scripts/export_gguf.py runs/latest --adapter-only

RUN is a finished run folder, or an adapter's. The files go to gguf/ in it, with export.json, a
model card (README.md) and an Ollama Modelfile; a file is put there only when it reads every row as
the trained model does. Disk and memory are counted first. Stopped, the same command keeps what is
finished and makes the rest. docs/export.md says more.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pengadil.errors import run_script

if TYPE_CHECKING:
    from pengadil.export import Exported

WIDTH = 200


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
        "--work-dir",
        type=Path,
        metavar="DIR",
        help="for files that are removed again, such as 16 bits (default: where results go)",
    )
    parser.add_argument(
        "--verify-rows",
        "--slice-rows",
        type=int,
        default=200,
        metavar="N",
        help="rows of the test slice contoh to compare on (default: all 200)",
    )
    parser.add_argument(
        "--adapter-only",
        action="store_true",
        help="the adapter alone, to use with a GGUF of its base; nothing is merged",
    )
    parser.add_argument(
        "--merged", type=Path, metavar="DIR", help="write the merged model there too (safetensors)"
    )
    parser.add_argument(
        "--base", default="", metavar="MODEL", help="the 16-bit original of a base in 4 bits"
    )
    parser.add_argument(
        "--license", default="", metavar="ID", help="default: the base's, where its card is at hand"
    )
    parser.add_argument(
        "--card", type=Path, metavar="FILE", help="your own template of the model card"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="default: all")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)

    from pengadil.export import export_adapter, export_gguf, export_merged, recipe_quants
    from pengadil.export.card import TEMPLATE
    from pengadil.export.progress import export_progress

    if options.adapter_only:
        file = export_adapter(options.run, options.out, options.base, options.license)
        print(f"{file} ({file.stat().st_size / 1e6:,.0f} MB)")
        print(f"next: llama-server -m BASE.gguf --lora {file}")
        return
    quants = options.quant.split(",") if options.quant else recipe_quants(options.run)
    started = time.monotonic()
    with export_progress() as progress:
        if options.merged:
            export_merged(options.run, options.merged, options.base, progress)
        files = export_gguf(
            options.run,
            quants,
            options.out,
            options.verify_rows,
            progress,
            options.threads,
            work=options.work_dir,
            base=options.base,
            licence=options.license,
            card=options.card or TEMPLATE,
            tell=lambda line: print(line, file=sys.stderr),
        )
    show(files, time.monotonic() - started)


def show(files: Sequence[Exported], seconds: float) -> None:
    """A row for each file, and how to use the first."""
    from rich.console import Console
    from rich.table import Table

    from pengadil.export.card import COLUMNS, file_row
    from pengadil.verbs import shown

    table = Table()
    for at, name in enumerate((*COLUMNS, "seconds")):
        table.add_column(name, justify="left" if at < 2 else "right", no_wrap=at == 0)
    for made in files:
        row = file_row(made.file.name, {key: getattr(made, key) for key in made.__slots__})
        table.add_row(*row, "kept" if made.reused else f"{made.seconds:.0f}")
    console = Console(markup=False, highlight=False)
    # Where no one watches, no line is cut to the width of a screen.
    console.width = console.width if console.is_terminal else WIDTH
    console.print(table)
    print(f"token ids equal training's on every row; {seconds:.0f} s in all")
    print(shown(f"next: python eval/evaluate.py {files[0].file} --slice contoh"))


if __name__ == "__main__":
    run_script(main)
