"""Choose the guard's threshold for a judge, and measure what it catches.

    python eval/guard.py runs/latest --choose
    python eval/guard.py runs/latest --choose --slice contoh-sederhana --criterion f1
    python eval/guard.py judge-q8_0.gguf --choose --rows rows.jsonl --criterion recall=0.95
    python eval/guard.py runs/latest --threshold 0.5 --documents 20 --joined
    python eval/guard.py endpoint:gpt-4o-mini --slice contoh --mode constrained

Answers of one to three sentences are made from rows whose labels are known, each checked against
three documents. With --choose, the threshold is chosen on validation rows (bundled ones, or yours
with --rows) and kept where the guard finds it: RUN/guard.json, NAME.guard.json beside NAME.gguf,
guard.json in a model folder; for other models it stands in the results. Then it is measured on the
test slice: precision and recall of catching contradicted sentences, and of holding back answers
with one. Stopped, the same command goes on from the last answers.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pengadil.errors import run_script


def make_parser() -> argparse.ArgumentParser:
    from pengadil.guard.reading import MOST_PARTS
    from pengadil.judges.base import MODES, SCORE
    from pengadil.judges.options import MODEL_HELP, add_judge_options

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument("--choose", action="store_true", help="choose the threshold, and keep it")
    parser.add_argument(
        "--criterion",
        default="precision=0.9",
        metavar="RULE",
        help="precision=0.9: the highest recall at that precision of catching contradictions "
        "(default); recall=0.9: the highest precision at that recall; f1: the highest F1",
    )
    parser.add_argument(
        "--threshold", type=float, metavar="P", help="measure this one (default: the one kept)"
    )
    rows = parser.add_argument_group("rows to choose on")
    rows.add_argument(
        "--rows", metavar="FILE", help="yours: .jsonl, .csv, .json or .parquet, labels 0 and 1"
    )
    rows.add_argument("--columns", nargs="+", default=[], metavar="OURS=THEIRS")
    rows.add_argument("--labels", nargs="+", default=[], metavar="LABEL=0")
    rows.add_argument(
        "--validation-rows", type=int, default=400, metavar="N", help="bundled ones (default: 400)"
    )
    test = parser.add_argument_group("the test")
    test.add_argument(
        "--slice",
        default="contoh",
        metavar="NAME",
        help="a name of eval/slices.toml or a .jsonl file (default: contoh)",
    )
    test.add_argument("--data", type=Path, metavar="DIR", help="where the slices' files are")
    test.add_argument("--limit", type=int, metavar="N", help="its first N rows only")
    test.add_argument(
        "--documents", type=int, default=3, metavar="N", help="given with an answer (default: 3)"
    )
    test.add_argument("--joined", action="store_true", help="as one long document")
    parser.add_argument(
        "--mode", choices=MODES, default=SCORE, help="how the judge answers (default: score)"
    )
    parser.add_argument("--prompt", metavar="NAME", help="default: the one it was trained with")
    parser.add_argument(
        "--part-tokens",
        type=int,
        metavar="N",
        help="documents are cut into parts of N tokens (default: as long as the judge's training "
        "rows)",
    )
    parser.add_argument(
        "--most-parts",
        type=int,
        metavar="N",
        help=f"so many parts are judged for a sentence (default: {MOST_PARTS})",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the results go")
    parser.add_argument("--fresh", action="store_true", help="throw earlier results there away")
    add_judge_options(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.choose and options.threshold is not None:
        parser.error("give either --choose or --threshold")
    if options.rows and not options.choose:
        parser.error("--rows are rows to choose on: give --choose, or measure them with --slice")

    from pengadil.guard.command import run

    run(options)


if __name__ == "__main__":
    run_script(main)
