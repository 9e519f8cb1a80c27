"""Errors end in one line and an exit status; surprises keep their traceback."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable

import pytest

from pengadil.errors import BAD_INPUT, INTERRUPTED, PengadilError, did_you_mean, run_script


def raising(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


def status(main: Callable[[], int | None]) -> object:
    with pytest.raises(SystemExit) as stopped:
        run_script(main)
    return stopped.value.code


def test_the_message_says_what_was_found_what_is_wrong_and_what_to_do() -> None:
    error = PengadilError("rows.jsonl, line 3", "no field 'answer'", "Add it.")
    assert str(error) == "rows.jsonl, line 3: no field 'answer'. Add it."
    assert (error.found, error.wrong, error.next_step) == (
        "rows.jsonl, line 3",
        "no field 'answer'",
        "Add it.",
    )


def test_close_names_come_first_else_all_that_exist() -> None:
    assert did_you_mean("contho", ["contoh", "smoke"]) == "Did you mean contoh?"
    assert did_you_mean("satu", ["satu12", "satu1", "z"]) == "Did you mean satu1 or satu12?"
    assert did_you_mean("zzz", ["contoh", "smoke"]) == "There are: contoh, smoke."
    assert did_you_mean("zzz", []) == "There are: none."


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (3, 3)])
def test_a_script_exits_with_what_its_main_returns(returned: int | None, code: int) -> None:
    assert status(lambda: returned) == code


def test_bad_input_is_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert status(raising(PengadilError("a", "b", "C."))) == BAD_INPUT == 2
    assert capsys.readouterr().err == "error: a: b. C.\n"


def test_ctrl_c_says_to_run_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert status(raising(KeyboardInterrupt())) == INTERRUPTED == 130
    told = capsys.readouterr().err
    assert told.startswith("stopped: run the same command again")
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "runs/adapter"),
        # As safetensors and torch word it; the former's own class is not an OSError.
        ValueError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534"),
    ],
    ids=["python", "safetensors", "torch"],
)
def test_a_full_disk_is_one_line_and_exit_2(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(raising(error)) == BAD_INPUT
    told = capsys.readouterr().err
    assert "the disk is full" in told
    assert told.count("\n") == 1
    assert ("runs/adapter" in told) == isinstance(error, OSError)


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "no"), RuntimeError("bug")])
def test_a_surprise_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        run_script(raising(error))


def test_a_real_script_shows_no_traceback() -> None:
    code = (
        "from pengadil.errors import *\n"
        "def main(): raise PengadilError('x.gguf', 'no such file', 'Check the path.')\n"
        "run_script(main)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip() == "error: x.gguf: no such file. Check the path."
    assert done.stdout == ""
