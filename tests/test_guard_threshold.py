"""The guard's threshold: what is caught at one, which is chosen, and where it is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers_guard import WordJudge
from hypothesis import given
from hypothesis import strategies as st

from pengadil.errors import PengadilError
from pengadil.guard.catching import Support, candidates, catching, choose
from pengadil.guard.guard import Guard
from pengadil.guard.habits import reading_for
from pengadil.guard.reading import PART_TOKENS
from pengadil.guard.thresholds import Chosen, level_of, threshold_file, threshold_of, write_chosen
from pengadil.judges.base import GENERATE, SCORE
from pengadil.prompts import load_prompt
from pengadil.runs import Run, point_latest

PROMPT = load_prompt("verdict")
CHOSEN = Chosen(
    threshold=0.3,
    mode=SCORE,
    prompt_sha256=PROMPT.sha256,
    criterion="highest F1 of contradictions",
    n=400,
    rows="contoh, validation",
    sha256="0" * 64,
    precision=0.9,
    recall=0.8,
)
ROWS = [
    *(Support(0, support) for support in (0.1, 0.2, 0.3, 0.7, None)),
    *(Support(1, support) for support in (0.25, 0.6, 0.8, 0.9, 0.95)),
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    made = Run(tmp_path / "runs" / "one")
    made.folder.mkdir(parents=True)
    prompt = {"name": PROMPT.name, "sha256": PROMPT.sha256}
    made.write_facts({"status": "finished", "prompt": prompt})
    return made.folder


def test_what_is_caught_at_a_threshold() -> None:
    found = catching(ROWS, 0.5)
    # Caught: three below, and the one that cannot be read; one right sentence is held back too.
    assert (found.n, found.wrong, found.flagged, found.caught) == (10, 5, 5, 4)
    assert (found.precision, found.recall, found.f1) == (0.8, 0.8, 0.8)
    assert (found.accuracy, found.majority, found.unreadable) == (0.8, 0.5, 1)
    low, high = found.recall_interval
    assert 0 < low < 0.8 < high < 1


def test_shares_of_nothing_are_none() -> None:
    found = catching([Support(1, 0.9)], 0.5)
    assert (found.precision, found.recall) == (None, None)
    assert catching([], 0.5).accuracy is None


@pytest.mark.parametrize(
    ("criterion", "recall", "precision"),
    [("precision=0.9", 0.6, 1.0), ("precision=0.8", 0.8, 0.8), ("recall=1", 1.0, 5 / 7)],
)
def test_a_criterion_is_met_as_well_as_can_be(
    criterion: str, recall: float, precision: float
) -> None:
    # Without the row that cannot be read and is always caught: 0.1, 0.2 below 0.25.
    rows = [row if row.support is not None else Support(0, 0.0) for row in ROWS]
    threshold, words = choose(rows, criterion)
    found = catching(rows, threshold)
    assert (found.recall, found.precision) == (recall, precision)
    assert criterion.partition("=")[2] in words


def test_the_highest_f1_where_no_threshold_reaches_the_share() -> None:
    rows = [Support(0, 0.8), Support(1, 0.2), Support(1, 0.9)]
    threshold, words = choose(rows, "precision=0.9")
    assert catching(rows, threshold).f1 == pytest.approx(2 / 3)
    assert "no threshold reached precision 0.9" in words


def test_of_equal_thresholds_the_one_nearest_the_middle() -> None:
    assert choose([Support(0, 0.1), Support(1, 0.9)], "f1")[0] == 0.5
    assert choose([Support(0, 0.1), Support(1, 0.3)], "f1")[0] == pytest.approx(0.2)


@given(
    st.lists(
        st.builds(
            Support, st.integers(0, 1), st.none() | st.floats(0, 1).map(lambda p: round(p, 6))
        )
    )
)
def test_candidates_tell_all_supports_apart(rows: list[Support]) -> None:
    values = sorted({row.support for row in rows if row.support is not None})
    outcomes = {tuple(value < at for value in values) for at in candidates(rows)}
    # None of them, the lowest, the two lowest ... and all of them, but where one is 0 or 1.
    assert len(outcomes) >= len(values) - 1 + (bool(values) and values[0] > 0)


@pytest.mark.parametrize("criterion", ["best", "precision", "precision=2", "recall=-1", "f1=0.9"])
def test_an_unknown_criterion_is_refused(criterion: str) -> None:
    with pytest.raises(PengadilError, match="no such criterion"):
        choose(ROWS, criterion)


def test_rows_of_one_label_are_refused() -> None:
    with pytest.raises(PengadilError, match="all have one label"):
        choose([Support(1, 0.4)], "f1")


def test_a_run_keeps_its_threshold_and_the_guard_finds_it(run: Path) -> None:
    write_chosen(threshold_file(str(run)), CHOSEN)
    assert (run / "guard.json").is_file()
    point_latest(Run(run))
    for named in (run, run.parent / "latest"):
        guard = Guard(WordJudge(), named=str(named))
        assert guard.level.threshold == 0.3
        assert guard.level.source == (
            "chosen on 400 sentences of contoh, validation (highest F1 of contradictions)"
        )
    assert Guard(WordJudge(), named=str(run), threshold=0.6).level.threshold == 0.6


def test_a_threshold_is_for_its_prompt_and_mode_alone(run: Path) -> None:
    write_chosen(threshold_file(str(run)), CHOSEN)
    assert threshold_of(str(run), PROMPT, SCORE) == CHOSEN
    assert threshold_of(str(run), load_prompt("verdict-en"), SCORE) is None
    assert threshold_of(str(run), PROMPT, GENERATE) is None
    level = level_of(None, str(run), load_prompt("verdict-en"), SCORE)
    assert (level.threshold, "none was chosen" in level.source) == (0.5, True)


def test_where_thresholds_are_kept(tmp_path: Path) -> None:
    gguf = tmp_path / "judge-Q8_0.gguf"
    assert threshold_file(str(gguf)) == tmp_path / "judge-Q8_0.guard.json"
    assert threshold_file(str(tmp_path)) == tmp_path / "guard.json"
    assert threshold_file("owner/model") is None
    assert threshold_file("endpoint:gpt") is None


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"format": 2}', json.dumps({"format": 1, "threshold": 0.5}), '{"format": 1}'],
)
def test_a_broken_threshold_is_refused_in_words(run: Path, content: str) -> None:
    (run / "guard.json").write_text(content, encoding="utf-8")
    with pytest.raises(PengadilError, match=r"eval/guard\.py MODEL --choose"):
        Guard(WordJudge(), named=str(run))


def test_a_threshold_beyond_a_share_is_refused(run: Path) -> None:
    write_chosen(threshold_file(str(run)), replace(CHOSEN, threshold=1.5))
    with pytest.raises(PengadilError, match="not from 0 to 1"):
        Guard(WordJudge(), named=str(run))


def test_parts_are_as_long_as_the_rows_that_a_run_was_trained_on(run: Path) -> None:
    assert reading_for(str(run)).part_tokens == PART_TOKENS
    (run / "recipe.toml").write_text("[train]\nbatch_size = 8\n", encoding="utf-8")
    steps = [{"step": step, "tokens": 1600 * step} for step in (1, 2)]
    lines = "".join(json.dumps(step) + "\n" for step in steps)
    (run / "log.jsonl").write_text(lines + '{"step": 3, "to', encoding="utf-8")
    assert reading_for(str(run)).part_tokens == 200
    assert reading_for(str(run / "gguf" / "judge.gguf")).part_tokens == 200
    assert reading_for(str(run), part_tokens=70, most_parts=2).part_tokens == 70
    # What the prompt takes is no part of a document.
    assert Guard(WordJudge(), named=str(run)).reading.part_tokens == 194
    assert reading_for("owner/model").part_tokens == PART_TOKENS
