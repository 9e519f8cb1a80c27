"""Nothing that was reported as saved is lost: not beside other programs, and not by a kill."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from helpers_reviewing import lines_of, own_results
from hypothesis import given
from hypothesis import strategies as st

from pengadil.errors import PengadilError
from pengadil.reviewing import journal
from pengadil.reviewing.desk import Desk
from pengadil.reviewing.entries import checked_name, file_name, same_person

ROWS = [(1, 0.6), (0, 0.3)] * 12
# Answers all rows of argv[1] as argv[2] in the tab argv[3], and tells each once it is saved.
REVIEWER = """
import sys
from pathlib import Path
from pengadil.reviewing.desk import Desk
desk = Desk.at(Path(sys.argv[1]))
print("ready", flush=True)
while row := desk.next_row(sys.argv[2], sys.argv[3]):
    desk.answer(sys.argv[2], sys.argv[3], row.id, 1, "Kerana begitu. " * 20)
    print(row.id, flush=True)
"""
HOLDER = """
import sys, time
from pathlib import Path
from pengadil.reviewing.journal import Journal
with Journal(Path(sys.argv[1])).held():
    print("held", flush=True)
    time.sleep(600)
"""


def start(code: str, *words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return own_results(tmp_path / "hasil", ROWS)


def test_two_programs_review_at_once_and_nothing_is_lost(folder: Path) -> None:
    """One person in two tabs and another one, each in a process of their own."""
    people = [("Aina", "kiri"), ("Aina", "kanan"), ("Badrul", "b")]
    processes = [start(REVIEWER, folder, *who) for who in people]
    told = [process.communicate(timeout=60)[0].split()[1:] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    saved = Counter(
        (line["person"], line["tab"], line["row"])
        for line in lines_of(folder / "reviews")
        if line["act"] == "answered"
    )
    assert saved == Counter(
        (*who, row) for who, rows in zip(people, told, strict=True) for row in rows
    )
    standings = Desk.at(folder).standings()
    assert {name: len(one.answers) for name, one in standings.items()} == {
        "Aina": 24,
        "Badrul": 24,
    }


def test_a_kill_in_the_middle_loses_nothing_that_was_saved(folder: Path) -> None:
    process = start(REVIEWER, folder, "Aina", "a")
    assert process.stdout is not None
    told = [process.stdout.readline().strip() for _ in range(8)][1:]
    process.kill()
    told += process.stdout.read().split()
    process.stdout.close()
    process.wait()
    answers = Desk.at(folder).standings()["Aina"].answers
    assert set(told) <= set(answers)
    assert len(answers) <= len(told) + 1  # saved, and killed before it could be told
    rest = start(REVIEWER, folder, "Aina", "a")
    rest.communicate(timeout=60)
    assert Desk.at(folder).progress("Aina").done == 24


def test_who_is_killed_while_writing_lets_go_of_the_folder(folder: Path) -> None:
    process = start(HOLDER, folder / "reviews")
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "held"
    process.kill()
    process.wait()
    process.stdout.close()
    desk = Desk.at(folder)
    desk.answer("Aina", "a", "sendiri-1", 1)
    assert desk.progress("Aina").done == 1


def test_a_folder_that_is_held_too_long_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "PATIENCE", 0.05)
    desk = Desk.at(folder)
    with journal.Journal(folder / "reviews").held(), pytest.raises(PengadilError, match="held"):
        desk.answer("Aina", "a", "sendiri-1", 1)
    desk.answer("Aina", "a", "sendiri-1", 1)
    assert desk.progress("Aina").done == 1


@pytest.mark.parametrize("cut", [b'{"key": "1', b'{"key": "caf\xc3', b"\x00\x00"])
def test_a_line_that_was_cut_off_is_no_line(folder: Path, cut: bytes) -> None:
    desk = Desk.at(folder)
    desk.answer("Aina", "a", "sendiri-1", 1)
    file = folder / "reviews" / "by-aina.jsonl"
    with file.open("ab") as end:
        end.write(cut)
    assert Desk.at(folder).progress("Aina").done == desk.progress("Aina").done == 1
    desk.answer("Aina", "a", "sendiri-2", 1)
    assert Desk.at(folder).progress("Aina").done == desk.progress("Aina").done == 2
    assert cut not in file.read_bytes()


@pytest.mark.parametrize("line", ["{", '{"key": "1"}', '["a"]'])
def test_a_whole_line_that_is_none_is_told_by_its_place(folder: Path, line: str) -> None:
    Desk.at(folder).answer("Aina", "a", "sendiri-1", 1)
    with (folder / "reviews" / "by-aina.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(PengadilError, match=r"by-aina\.jsonl, line 2"):
        Desk.at(folder).standings()


def test_keys_of_a_newer_version_are_ignored(folder: Path) -> None:
    Desk.at(folder).answer("Aina", "a", "sendiri-1", 1)
    file = folder / "reviews" / "by-aina.jsonl"
    file.write_text(file.read_text(encoding="utf-8").replace("{", '{"baharu": 1, ', 1), "utf-8")
    assert Desk.at(folder).progress("Aina").done == 1


def test_where_nothing_can_be_written_it_is_told(folder: Path) -> None:
    (folder / "reviews").write_text("a file in its place", encoding="utf-8")
    with pytest.raises(PengadilError, match="cannot be read or saved"):
        Desk.at(folder).answer("Aina", "a", "sendiri-1", 1)


@given(st.text(), st.text())
def test_two_names_share_a_file_only_if_they_are_one_person(first: str, second: str) -> None:
    try:
        checked_name(first), checked_name(second)
    except PengadilError:
        return
    one, two = file_name(first), file_name(second)
    assert (one == two) == (same_person(first) == same_person(second))
    for name in (one, two):
        assert name.isascii()
        assert len(name) < 64
        assert not set(name) & set('\\/:*?"<>| ')
    assert one == one.lower()  # on a disk that knows no capitals, too


def test_spellings_of_one_name_are_one_person() -> None:
    assert file_name("Aina") == file_name(" AINA ") == "by-aina.jsonl"
    assert file_name("Siti Aminah") != file_name("Siti-Aminah")
    assert file_name("CON") == "by-con.jsonl"
