"""Rows are offered most doubtful first, decisions and undos stand as they were made."""

from __future__ import annotations

import json
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from helpers_reviewing import contoh_results, examples, judged_file, lines_of, own_results
from hypothesis import given, settings
from hypothesis import strategies as st

from pengadil.errors import PengadilError
from pengadil.records import write_jsonl
from pengadil.reviewing import standing as standing_module
from pengadil.reviewing.desk import Desk
from pengadil.reviewing.opening import find_works, open_work

MOST_DOUBTFUL_FIRST = [4, 3, 2, 1, 0, 5]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk.at(own_results(tmp_path / "hasil"))


def take(desk: Desk, person: str, tab: str = "") -> str:
    row = desk.next_row(person, tab or person)
    assert row is not None
    return row.id


def test_rows_come_most_doubtful_first_and_unreadable_ones_before_all(desk: Desk) -> None:
    order = [row.id for row in desk.work.rows]
    assert order == [f"sendiri-{index}" for index in MOST_DOUBTFUL_FIRST]
    for wanted in order:
        assert take(desk, "Aina") == wanted
        desk.answer("Aina", "Aina", wanted, 1)
    assert desk.next_row("Aina", "Aina") is None
    assert desk.progress("Aina").done == desk.progress("Aina").all == 6


def test_a_skipped_row_comes_back_last_and_is_not_done(desk: Desk) -> None:
    first = take(desk, "Aina")
    desk.skip("Aina", "Aina", first)
    second = take(desk, "Aina")
    assert second != first
    desk.skip("Aina", "Aina", second)
    for row in desk.work.rows[2:]:
        assert take(desk, "Aina") == row.id
        desk.answer("Aina", "Aina", row.id, 0)
    assert (desk.progress("Aina").done, desk.progress("Aina").skipped) == (4, 2)
    assert take(desk, "Aina") == first
    desk.skip("Aina", "Aina", first)
    assert take(desk, "Aina") == second


def test_the_last_decision_stands_and_an_undo_brings_back_the_one_before(desk: Desk) -> None:
    row = take(desk, "Aina")
    desk.answer("Aina", "a", row, 1)
    desk.answer("Aina", "a", row, 0)
    assert desk.standings()["Aina"].answers[row].answer == 0
    undone = desk.undo("Aina", "a")
    assert undone is not None
    assert undone.id == row
    assert desk.standings()["Aina"].answers[row].answer == 1
    desk.undo("Aina", "a")
    assert desk.standings()["Aina"].answers == {}
    assert desk.undo("Aina", "a") is None
    acts = [line["act"] for line in lines_of(desk.work.folder)]
    assert acts.count("answered") == 2
    assert acts.count("undone") == 2


def test_an_undo_takes_back_what_was_done_in_its_own_tab(desk: Desk) -> None:
    desk.answer("Aina", "kiri", "sendiri-1", 1)
    desk.answer("Aina", "kanan", "sendiri-2", 1)
    undone = desk.undo("Aina", "kiri")
    assert undone is not None
    assert undone.id == "sendiri-1"
    again = desk.undo("Aina", "tab baharu")  # after a restart: the last of all
    assert again is not None
    assert again.id == "sendiri-2"


def test_two_people_are_given_different_rows_and_get_each_others_last(desk: Desk) -> None:
    order = [row.id for row in desk.work.rows]
    assert [take(desk, "Aina"), take(desk, "Badrul")] == order[:2]
    desk.answer("Aina", "Aina", order[0], 1)
    assert take(desk, "Aina") == order[2]  # order[1] is before Badrul
    for _ in order[2:]:
        desk.answer("Aina", "Aina", take(desk, "Aina"), 1)
    assert take(desk, "Aina") == order[1]  # nothing else is left
    assert desk.progress("Badrul").done == 0


def test_a_row_before_somebody_is_free_again_after_a_while(desk: Desk, monkeypatch) -> None:
    first = take(desk, "Aina")
    monkeypatch.setattr(standing_module, "HELD", timedelta(0))
    assert take(desk, "Badrul") == first


def test_the_same_browser_tab_gets_its_own_row_again(desk: Desk) -> None:
    assert take(desk, "Aina", "satu") == take(desk, "Aina", "satu")
    assert take(desk, "Aina", "dua") != take(desk, "Aina", "satu")


def test_work_goes_on_after_a_restart(desk: Desk, tmp_path: Path) -> None:
    row = take(desk, "Siti Aminah")
    desk.answer("Siti Aminah", "x", row, 0, "Kerana dokumen berkata begitu.")
    again = Desk.at(tmp_path / "hasil")
    assert again.standings() == desk.standings()
    assert again.progress("siti  aminah").done == 1  # the same person, spelled otherwise
    assert again.standings()["Siti Aminah"].answers[row].reasoning == (
        "Kerana dokumen berkata begitu."
    )


def test_a_reasoning_is_kept_only_where_it_is_not_the_judges(tmp_path: Path) -> None:
    desk = Desk.at(own_results(tmp_path / "hasil", reasoning="Hakim kata.", prompt="reasoning"))
    said = [
        desk.answer("Aina", "a", "sendiri-0", 1, text).reasoning
        for text in ("Hakim kata.", "  Hakim kata. ", "", "Saya kata.\r\n", "\ud83d")
    ]
    assert said == [None, None, None, "Saya kata.", "?"]


@pytest.mark.parametrize("again", ["judge", "verdict", "rows"])
def test_reviews_of_an_earlier_evaluation_do_not_count(tmp_path: Path, again: str) -> None:
    folder = own_results(tmp_path / "hasil")
    before = Desk.at(folder)
    before.answer("Aina", "a", "sendiri-1", 1)
    before.answer("Aina", "a", "sendiri-2", 1)
    if again == "judge":
        own_results(folder, model="hakim lain")
    elif again == "verdict":
        own_results(folder, [(1, 0.9), (1, 0.9), (1, 0.7), (0, 0.4), (None, None), (1, None)])
    else:
        own_results(folder, [(1, 0.9), (0, 0.1), (1, 0.7)])
    found = Desk.at(folder).standings()["Aina"]
    assert (len(found.answers), found.stale) == {"judge": (0, 2), "verdict": (1, 1)}.get(
        again, (0, 2)
    )
    own_results(folder)
    assert len(Desk.at(folder).standings()["Aina"].answers) == 2  # as it was: they count again


def test_the_same_evaluation_with_other_prices_is_the_same(tmp_path: Path) -> None:
    folder = own_results(tmp_path / "hasil")
    before = open_work(folder)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    summary["model"]["prices"] = {"input": 1.0}
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    assert open_work(folder) == before


def test_texts_come_from_the_slice_or_the_file_that_was_judged(tmp_path: Path) -> None:
    bundled = open_work(contoh_results(tmp_path / "contoh"))
    assert bundled.rows[0].example.passage
    assert bundled.slice_name == "contoh"
    folder = own_results(tmp_path / "luar" / "hasil")
    (folder.parent / "sendiri.jsonl").replace(tmp_path / "sendiri.jsonl")
    with pytest.raises(PengadilError, match=r"sendiri\.jsonl.*not at hand.*--data"):
        open_work(folder)
    assert len(open_work(folder, tmp_path).rows) == 6
    write_jsonl(tmp_path / "sendiri.jsonl", examples(6, first=1))
    with pytest.raises(PengadilError, match="as it was when it was judged"):
        open_work(folder, tmp_path)


def test_judged_rows_without_a_label_are_reviewed_too(tmp_path: Path) -> None:
    desk = Desk.at(judged_file(tmp_path / "judged.jsonl", reasoning="Sebab."))
    first = desk.work.rows[0]
    assert (first.id, first.verdict, first.judgement.gold) == ("sendiri-1", 1, None)
    assert first.reasoning == "Sebab."
    assert first.example.passage.startswith("Kedai 1")
    desk.answer("Aina", "a", first.id, 0)
    assert (tmp_path / "judged.jsonl.reviews" / "by-aina.jsonl").is_file()


def test_a_file_that_no_judge_wrote_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, examples(2))
    with pytest.raises(PengadilError, match=r"scripts/judge\.py"):
        open_work(path)


def test_what_can_be_reviewed_is_found_newest_first(tmp_path: Path) -> None:
    import os

    old = own_results(tmp_path / "results" / "lama")
    new = own_results(tmp_path / "runs" / "smoke-1" / "evaluation" / "contoh-score")
    file = judged_file(tmp_path / "results" / "judged.jsonl")
    (tmp_path / "results" / "nota.jsonl").write_text("", encoding="utf-8")
    for at, place in enumerate((old / "summary.json", f"{file}.summary.json")):
        os.utime(place, (at, at))
    assert find_works(tmp_path / "results", tmp_path / "runs") == [new, file, old]
    assert find_works(tmp_path / "tiada", tmp_path / "tiada") == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "Ai\x00na"])
def test_a_name_that_is_none_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises(PengadilError, match="name"):
        desk.next_row(name, "a")
    assert lines_of(desk.work.folder) == []


def test_what_is_no_decision_is_refused(desk: Desk) -> None:
    with pytest.raises(PengadilError, match="neither 0 nor 1"):
        desk.answer("Aina", "a", "sendiri-1", 2)
    with pytest.raises(PengadilError, match="not one of"):
        desk.skip("Aina", "a", "lain-1")
    with pytest.raises(PengadilError, match="Shorten"):
        desk.answer("Aina", "a", "sendiri-1", 1, "x" * 30_000)
    assert lines_of(desk.work.folder) == []


ACTS = st.sampled_from(["setuju", "tolak", "langkau", "undo"])
STEPS = st.lists(
    st.tuples(st.sampled_from(["Aina", "Badrul"]), st.sampled_from("12"), ACTS, st.integers(0, 2)),
    max_size=14,
)


@settings(max_examples=20, deadline=None)
@given(STEPS)
def test_any_sequence_of_decisions_and_undos_ends_as_it_should(steps) -> None:
    """Beside the plainest model of it: lists from which an undo removes an item."""
    with tempfile.TemporaryDirectory() as place:
        folder = own_results(Path(place) / "hasil", [(1, 0.9), (0, 0.2), (None, None)])
        desk = Desk.at(folder)
        done: dict[str, list[tuple[str, str, int | None]]] = {"Aina": [], "Badrul": []}
        for person, tab, act, number in steps:
            row, mine = f"sendiri-{number}", done[person]
            if act == "undo":
                last = {of: at for at, (_, of, _) in enumerate(mine)}  # those that stand
                own = [at for at in last.values() if mine[at][0] == tab]
                latest = max(own or last.values(), default=None)
                undone = desk.undo(person, tab)
                assert (undone and undone.id) == (None if latest is None else mine[latest][1])
                if latest is not None:
                    mine.pop(latest)
                continue
            if act == "langkau":
                desk.skip(person, tab, row)
            else:
                desk.answer(person, tab, row, int(act == "setuju"))
            mine.append((tab, row, None if act == "langkau" else int(act == "setuju")))
        for one in (desk, Desk.at(folder)):
            standings = one.standings()
            for person, mine in done.items():
                found = standings.get(person)
                stands = found.decisions.items() if found else ()
                wanted = {row: answer for _, row, answer in mine}
                assert {row: entry.answer for row, entry in stands} == wanted
