"""eval/reviews.py: counts and kappas in the terminal, and the exports as files."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from helpers_reviewing import contoh_results, own_results

from pengadil.comparison.people import read_human_verdicts
from pengadil.errors import PengadilError
from pengadil.records import read_examples
from pengadil.reviewing.desk import Desk

SCRIPT = Path(__file__).parent.parent / "eval" / "reviews.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT), run_name="reviews")


@pytest.fixture
def reviewed(tmp_path: Path) -> Path:
    folder = own_results(tmp_path / "hasil")
    desk = Desk.at(folder)
    for number, aina, badrul in ((0, 1, 1), (1, 1, 1), (2, 0, 1), (3, 0, 0)):
        desk.answer("Aina", "a", f"sendiri-{number}", aina)
        desk.answer("Badrul", "b", f"sendiri-{number}", badrul)
    desk.skip("Aina", "a", "sendiri-5")
    return folder


def test_it_counts_and_exports(
    script: dict[str, Any], reviewed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {name: tmp_path / f"{name}.jsonl" for name in ("rows", "pairs", "people")}
    asked = [word for name, path in names.items() for word in (f"--{name}", str(path))]
    script["main"]([str(reviewed), *asked])
    told = capsys.readouterr()
    assert "4 of 6 rows reviewed; 3 have a label by people, 1 of them another" in told.out
    assert "on 1 people are divided" in told.out
    assert "not the agreement on all rows" in " ".join(told.out.split())
    assert told.err == ""
    assert [row.id for row in read_examples(names["rows"])] == [
        "sendiri-3",
        "sendiri-1",
        "sendiri-0",
    ]
    assert len(names["pairs"].read_text(encoding="utf-8").splitlines()) == 1
    people = read_human_verdicts(names["people"])
    assert (sorted(people.by_person), people.left_open) == (["Aina", "Badrul"], 1)


def test_it_warns_of_a_test_slice(
    script: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = contoh_results(tmp_path / "hasil")
    desk = Desk.at(folder)
    desk.answer("Aina", "a", desk.work.rows[0].id, 1)
    script["main"]([str(folder)])
    assert capsys.readouterr().err == ""  # nothing is exported
    script["main"]([str(folder), "--rows", str(tmp_path / "rows.jsonl")])
    warned = capsys.readouterr().err
    assert warned.startswith("warning: these 1 rows are of the test slice contoh")


def test_what_cannot_be_exported_leaves_no_file(
    script: dict[str, Any], reviewed: Path, tmp_path: Path
) -> None:
    rows, pairs = tmp_path / "rows.jsonl", tmp_path / "pairs.jsonl"
    both = [str(reviewed), "--rows", str(rows), "--pairs"]
    with pytest.raises(PengadilError, match="lack a reasoning"):
        script["main"]([*both, str(pairs), "--prompt", "reasoning"])
    with pytest.raises(PengadilError, match="named twice"):
        script["main"]([*both, str(rows)])
    with pytest.raises(PengadilError, match=r"not a \.jsonl file"):
        script["main"]([*both, "pairs.csv"])
    with pytest.raises(PengadilError, match="no row has a label"):
        script["main"]([*both, str(pairs), "--min-reviewers", "3"])
    assert not rows.exists()
    assert not pairs.exists()
    rows.write_text("kept", encoding="utf-8")
    with pytest.raises(PengadilError, match="exists already"):
        script["main"]([str(reviewed), "--rows", str(rows)])
    assert rows.read_text(encoding="utf-8") == "kept"


def test_results_that_nobody_reviewed_are_told(script: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(PengadilError, match=r"nobody has reviewed it yet.*scripts/app\.py"):
        script["main"]([str(own_results(tmp_path / "hasil"))])
