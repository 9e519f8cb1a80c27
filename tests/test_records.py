"""JSONL in and out: nothing lost, nothing half-written, and faults that name their place."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pengadil.errors import PengadilError
from pengadil.records import (
    Appender,
    Example,
    Judgement,
    drop_cut_line,
    example_from,
    read_examples,
    read_jsonl,
    read_judgements,
    to_json,
    write_jsonl,
    write_whole,
)

# Each example overwrites the files of the one before.
SHARED_FOLDER = [HealthCheck.function_scoped_fixture]
ROW = {"passage": "Ali lahir di Ipoh.", "question": "Ali lahir di Muar.", "answer": 0}
AWKWARD = "\"'\\ \n\r\t\x0b\x1c\x85\u2028\u2029 \x00 { } $x %s نسخ 🐅 é"
# What UTF-8 can hold: anything but half of a surrogate pair.
TEXTS = st.text(st.characters(codec="utf-8"))
FILLED = TEXTS.filter(str.strip)
ROWS = st.lists(
    st.builds(
        Example,
        id=TEXTS,
        passage=FILLED,
        question=FILLED,
        answer=st.integers(0, 1),
        language=TEXTS,
        source=TEXTS,
        reasoning=TEXTS,
        evidence=TEXTS,
        group=TEXTS,
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda row: row.id,
)


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(rows=[Example(AWKWARD, AWKWARD, AWKWARD, 1, *[AWKWARD] * 5)])
@given(rows=ROWS)
def test_examples_come_back_as_they_were_written(tmp_path: Path, rows: list[Example]) -> None:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, rows)
    assert read_examples(path) == rows
    assert path.read_bytes().count(b"\n") == len(rows)
    with Appender(tmp_path / "more.jsonl") as more:
        more.add(rows)
    assert (tmp_path / "more.jsonl").read_bytes() == path.read_bytes()
    (tmp_path / "more.jsonl").unlink()


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(raw=TEXTS, probability=st.floats(0, 1) | st.none(), verdict=st.sampled_from([0, 1, None]))
def test_judgements_come_back_as_they_were_written(
    tmp_path: Path, raw: str, probability: float | None, verdict: int | None
) -> None:
    rows = [Judgement("a", 1, verdict, "score", probability, raw, 0.1, "ms", "s", "g")]
    rows.append(Judgement("b", None, verdict, "unreadable"))
    write_jsonl(tmp_path / "results.jsonl", rows)
    assert read_judgements(tmp_path / "results.jsonl") == rows


def test_a_line_keeps_field_order_and_malay_letters() -> None:
    assert to_json(Example("a", "é", "ق", 1)).startswith(
        '{"id": "a", "passage": "é", "question": "ق", "answer": 1, "language": "ms"'
    )


def test_what_a_row_leaves_out_has_a_default(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(f"\n{json.dumps(ROW | {'extra': [1]})}\n  \n{json.dumps(ROW)}", "utf-8")
    first, second = read_examples(path)
    assert first == Example("mine-2", **ROW, language="ms", source="mine")
    assert second == replace(first, id="mine-4")
    assert read_examples(path, "boolq")[0].source == "boolq"


def test_null_is_left_out_too_and_a_number_may_be_an_id(tmp_path: Path) -> None:
    [row] = read_examples(write(tmp_path / "a.jsonl", ROW | {"id": 7, "language": None}))
    assert (row.id, row.language) == ("7", "ms")


def test_boolq_writes_its_labels_as_true_and_false() -> None:
    labels = [example_from(ROW | {"answer": label}, "a", "a").answer for label in (True, False)]
    assert labels == [1, 0]
    assert {type(label) for label in labels} == {int}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        *[
            ({name: ...}, f"no field '{name}' (found: ")
            for name in ("passage", "question", "answer")
        ],
        ({"passage": ..., "question": ..., "answer": ...}, "(found: no fields)"),
        ({"answer": 2}, "label 2 is neither 0 nor 1"),
        ({"answer": -1}, "label -1 is neither 0 nor 1"),
        ({"answer": "1"}, "label '1' is neither 0 nor 1"),
        ({"answer": 1.0}, "label 1.0 is neither 0 nor 1"),
        ({"answer": None}, "label None is neither 0 nor 1"),
        ({"answer": [1]}, "label [1] is neither 0 nor 1"),
        ({"passage": ""}, "'passage' is not a text"),
        ({"question": " \n"}, "'question' is not a text"),
        ({"passage": 5}, "'passage' is not a text"),
        ({"question": "\ud83d"}, "half of a character ('\\ud83d')"),
    ],
)
def test_a_faulty_row_names_file_and_line(
    tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    faulty = {key: value for key, value in (ROW | changed).items() if value is not ...}
    path = write(tmp_path / "rows.jsonl", ROW, faulty)
    with pytest.raises(PengadilError) as refused:
        read_examples(path)
    assert refused.value.found == f"{path}, line 2"
    assert told in refused.value.wrong
    assert refused.value.next_step


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"passage": Ali}', "not JSON"),
        (b'{"passage": "cut', "not JSON"),
        (b"{} {}", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "a JSON list, not an object"),
        (b"null", "a JSON NoneType, not an object"),
        ('{"passage": "é"}'.encode("latin-1"), "not UTF-8 (byte 14 of the line)"),
        ("{}".encode("utf-16"), "not UTF-8"),
    ],
)
def test_a_line_that_is_no_object_names_file_and_line(
    tmp_path: Path, line: bytes, told: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n\n' + line + b"\n")
    rows = read_jsonl(path)
    assert next(rows) == (1, {"a": 1})
    with pytest.raises(PengadilError) as refused:
        next(rows)
    assert refused.value.found == f"{path}, line 3"
    assert told in refused.value.wrong


@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff"])
def test_a_file_without_rows_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(PengadilError, match=r"rows\.jsonl: the file has no rows"):
        read_examples(path)


def test_two_rows_of_one_id_are_refused_with_both_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", ROW | {"id": "x"}, ROW, ROW | {"id": "x"})
    with pytest.raises(PengadilError, match=r"line 3: id 'x' already stands in line 1"):
        read_examples(path)


def test_no_such_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PengadilError, match=r"gone\.jsonl: no such file"):
        read_examples(tmp_path / "gone.jsonl")
    with pytest.raises(PengadilError, match="cannot be read"):
        read_examples(tmp_path)


def test_a_windows_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    line = json.dumps(ROW).encode()
    path.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n" + line + b"\r\n")
    assert [row.id for row in read_examples(path)] == ["rows-1", "rows-2"]


def test_judgements_of_a_newer_version_are_read_and_incomplete_ones_refused(tmp_path: Path) -> None:
    row = {"id": "a", "gold": 1, "verdict": None, "rule": "x"}
    path = write(tmp_path / "results.jsonl", row | {"new": 1})
    assert read_judgements(path) == [Judgement("a", 1, None, "x")]
    for name in row:
        write(path, row, {key: value for key, value in row.items() if key != name})
        with pytest.raises(PengadilError, match=rf"results\.jsonl, line 2: no field '{name}'"):
            read_judgements(path)


def test_a_text_appears_whole_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    for text in ("satu\r\né\n", "dua\n"):
        write_whole(path, text)
        assert path.read_bytes() == text.encode()
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    write_whole(path, "lama\n")

    def full(_: int) -> None:
        raise OSError("full")

    with monkeypatch.context() as patch:
        patch.setattr("pengadil.records.os.fsync", full)
        with pytest.raises(OSError, match="full"):
            write_whole(path, "baharu\n")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "x" * 100_000 + "\ud83d")
    assert path.read_text(encoding="utf-8") == "lama\n"
    assert list(tmp_path.iterdir()) == [path]


def test_records_that_fail_half_way_write_nothing(tmp_path: Path) -> None:
    def rows():
        yield Example("a", "b", "c", 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_jsonl(tmp_path / "rows.jsonl", rows())
    assert list(tmp_path.iterdir()) == []


def test_appended_rows_are_on_disk_at_once(tmp_path: Path) -> None:
    """A process killed without a chance to close its files has lost nothing it added."""
    path = tmp_path / "rows.jsonl"
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from pengadil.records import Appender, Example\n"
        "appender = Appender(Path(sys.argv[1]))\n"
        "appender.add([Example('a', 'b', 'c', 1), Example('d', 'e', 'f', 0)])\n"
        'appender.add_text(\'{"id": "g"}\')\n'
        "os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert [row["id"] for _, row in read_jsonl(path)] == ["a", "d", "g"]


def test_nothing_to_add_adds_nothing(tmp_path: Path) -> None:
    with Appender(tmp_path / "new" / "rows.jsonl") as appender:
        appender.add([])
        appender.add_text("")
    assert (tmp_path / "new" / "rows.jsonl").read_bytes() == b""


@pytest.mark.parametrize("cut", ['{"id": "b", "pass', '{"id": "b"}', "é"])
def test_a_line_cut_by_a_kill_is_removed_before_more_is_added(tmp_path: Path, cut: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"id": "a"}\n' + cut.encode()[: len(cut.encode()) - (cut == "é")])
    with Appender(path) as appender:
        appender.add_text('{"id": "c"}')
    assert path.read_bytes() == b'{"id": "a"}\n{"id": "c"}\n'


@given(st.binary())
def test_dropping_a_cut_line_keeps_all_whole_ones(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.jsonl")
        path.write_bytes(content)
        drop_cut_line(path)
        kept = path.read_bytes()
        assert content.startswith(kept)
        assert kept == b"" or kept.endswith(b"\n")
        assert b"\n" not in content[len(kept) :]
        drop_cut_line(Path(folder, "gone.jsonl"))
