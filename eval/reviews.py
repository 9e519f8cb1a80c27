"""What people said of a judge's rows: counts, kappa, and rows to train on.

    python eval/reviews.py runs/latest/evaluation/contoh-score
    python eval/reviews.py results/smoke-validation.jsonl-score --data data --rows reviewed.jsonl
    python eval/reviews.py judged.jsonl --rows reviewed.jsonl --pairs pairs.jsonl --min-reviewers 2
    python eval/reviews.py judged.jsonl --people people.jsonl

RESULTS is a results folder, or a file that scripts/judge.py wrote; people review it in the page
that scripts/app.py opens. Exported are rows on which everybody who answered says the same; with
--min-reviewers, rows with so many answers, by their majority. --rows is for train.py's
--data.train, --pairs for its ORPO recipes, --people for eval/agreement.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pengadil.errors import PengadilError, run_script

if TYPE_CHECKING:
    from pengadil.reviewing.labels import Labels
    from pengadil.reviewing.rows import Work
    from pengadil.reviewing.standing import Standing

EXPORTS = ("rows", "pairs", "people")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "results", metavar="RESULTS", type=Path, help="a results folder or a file of judged rows"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="where the judged slice's file is, if not bundled"
    )
    parser.add_argument("--rows", type=Path, metavar="FILE", help="write rows to train on")
    parser.add_argument("--pairs", type=Path, metavar="FILE", help="write preference pairs")
    parser.add_argument("--people", type=Path, metavar="FILE", help="write each person's verdicts")
    parser.add_argument(
        "--min-reviewers",
        type=int,
        metavar="N",
        help="export by majority, of rows with N answers or more",
    )
    parser.add_argument(
        "--prompt", metavar="NAME", help="of the pairs; default: the one the rows were judged with"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)

    from pengadil.reviewing.desk import Desk
    from pengadil.reviewing.labels import labels_of
    from pengadil.reviewing.show import headline, sections
    from pengadil.terminal_tables import print_sections

    sys.stdout.reconfigure(errors="replace")
    check_out({name: getattr(options, name) for name in EXPORTS})
    desk = Desk.at(options.results, options.data)
    standings = desk.standings()
    if not standings:
        raise PengadilError(
            str(options.results),
            "nobody has reviewed it yet",
            "Open the page and its Review tab: python scripts/app.py MODEL",
        )
    found = labels_of(desk.work, standings, options.min_reviewers)
    print_sections(headline(desk.work, standings, found), sections(desk.work, standings))
    export(desk.work, standings, found, options)


def check_out(files: Mapping[str, Path | None]) -> None:
    """PengadilError for a file that is not to be written over, or is of another kind."""
    named = {name: path for name, path in files.items() if path is not None}
    for name, path in named.items():
        if path.suffix != ".jsonl":
            raise PengadilError(f"--{name} {path}", "not a .jsonl file", f"Name it {name}.jsonl.")
        if path.exists():
            raise PengadilError(f"--{name} {path}", "it exists already", "Name another.")
        if list(named.values()).count(path) > 1:
            raise PengadilError(f"--{name} {path}", "it is named twice", "Name two files.")


def export(
    work: Work, standings: Mapping[str, Standing], found: Labels, options: argparse.Namespace
) -> None:
    """Write the files that are asked for, all or none, and say what is in each."""
    from pengadil.records import write_jsonl
    from pengadil.reviewing.exports import (
        people_lines,
        preference_pairs,
        prompt_of,
        training_rows,
    )
    from pengadil.reviewing.tested import warnings_on

    rows = training_rows(work, found.labels)
    if (options.rows or options.pairs) and not rows:
        raise PengadilError(work.title, "no row has a label by people", "Review some rows first.")
    files: list[tuple[Path, Sequence[Any], str]] = []
    if options.rows:
        without = sum(not row.reasoning for row in rows)
        told = f"{len(rows):,} rows, {without:,} of them without a reasoning"
        files.append((options.rows, rows, told))
    if options.pairs:
        pairs = preference_pairs(work, found.labels, prompt_of(work, options.prompt))
        told = f"{len(pairs.no_reasoning):,} lack a reasoning, {len(pairs.no_answer):,} the judge's"
        told = f"of the overruled rows {told} answer"
        if not pairs.preferences:
            raise PengadilError(
                f"--pairs {options.pairs}",
                f"there is no pair to write ({told})",
                "Overrule rows, and correct their reasoning where the prompt asks for one.",
            )
        told = f"{len(pairs.preferences):,} pairs; {told}"
        files.append((options.pairs, pairs.preferences, told))
    if options.people:
        said = list(people_lines(standings))
        files.append((options.people, said, f"{len(said):,} verdicts"))
    if options.rows or options.pairs:
        for text in warnings_on(work, rows):
            print(f"warning: {text}", file=sys.stderr)
    for path, records, told in files:
        write_jsonl(path, records)
        print(f"{path}: {told}")


if __name__ == "__main__":
    run_script(main)
