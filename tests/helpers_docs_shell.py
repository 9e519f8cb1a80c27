"""A page's commands, run one after the other in this process, so that torch is loaded once.

It knows no more of a shell than the pages use: pipes, `&&`, and `> file`.
"""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from helpers_docs import ROOT, call, script

# These end only when they are stopped.
GO_ON_RUNNING = ("scripts/app.py", "scripts/serve.py")
# The end of what a command has said, shown when it fails.
SHOWN = 1500


class UnknownError(AssertionError):
    """A line that a test can neither run nor check."""


def run_line(line: str, more: Sequence[tuple[str, tuple[str, ...]]] = ()) -> None:
    """Run one line; `more` are patterns of commands and words that shorten them.

    AssertionError if a command fails, or is none that is known here.
    """
    words = shlex.shlex(line, posix=True, punctuation_chars="|&>")
    words.whitespace_split = True
    words.commenters = ""
    given, command, target = b"", [], ""
    for token in [*words, "&&"]:
        if token in ("|", "&&"):
            output = _run(command, given, more)
            if target:
                Path(target).write_bytes(output)
            given, command, target = (output if token == "|" else b""), [], ""
        elif token == ">" or target == ">":
            target = token
        else:
            command.append(token)


def _run(command: list[str], given: bytes, more: Sequence[tuple[str, tuple[str, ...]]]) -> bytes:
    match command:
        case ["echo", *words]:
            return f"{' '.join(words)}\n".encode()
        case ["cat", *files]:
            return b"".join(Path(name).read_bytes() for name in files)
        case ["mkdir", name] | ["mkdir", "-p", name]:
            Path(name).mkdir(parents=True, exist_ok=True)
        case ["make", *targets]:
            check_targets(targets)
        case ["python", "-m", "pip", "install", *words]:
            check_pip(words)
        case ["python", "-m", "venv", _] | ["source", ".venv/bin/activate"]:
            pass
        case ["pengadil", *words]:
            name, rest = call(command) or ("", [])
            if name in GO_ON_RUNNING:
                return _run(["python", name, *rest], given, more)
            return called(_pengadil(), words + _added(shlex.join([name, *rest]), rest, more), given)
        case ["python", name, *_] if name in GO_ON_RUNNING:
            raise UnknownError(f"{shlex.join(command)!r} goes on running: mark it needs: server")
        case ["python", name, *words] if name.endswith(".py") and (ROOT / name).is_file():
            added = _added(shlex.join(command[1:]), words, more)
            return called(script(name).main, words + added, given)
        case ["python", name] if Path(name).is_file():
            return called(lambda _: runpy.run_path(name, run_name="__main__") and None, (), given)
        case _:
            raise UnknownError(f"{shlex.join(command)!r} is neither run by the tests nor marked")
    return b""


def _pengadil() -> Any:
    from pengadil.command import main

    return main


def _added(
    command: str, words: Sequence[str], more: Sequence[tuple[str, tuple[str, ...]]]
) -> list[str]:
    """What shortens a command: options with their values, but for those that it has already."""
    found: list[str] = []
    for pattern, options in more:
        known = options[0] in found or (options[0] in words and options[0] not in LAST_COUNTS)
        if re.match(pattern, command) and not known:
            found += options
    return found


# Of these a parser takes the last.
LAST_COUNTS = ("--trials", "--limit", "--verify-rows", "--workers")


def called(main: Any, words: Sequence[str], given: bytes = b"") -> bytes:
    """What `main` with these words prints; AssertionError if it does not end well."""
    with _streams(given) as (out, err):
        try:
            code = main(list(words))
        except SystemExit as end:
            code = end.code
        except Exception as error:
            raise AssertionError(_told(words, repr(error), out, err)) from error
    if code:
        raise AssertionError(_told(words, f"exit code {code}", out, err))
    return out.getvalue()


def _told(words: Sequence[str], what: str, *said: io.BytesIO) -> str:
    heard = "\n".join(one.getvalue().decode(errors="replace")[-SHOWN:] for one in said)
    return f"{what} of: {shlex.join(words)}\n{heard}"


@contextlib.contextmanager
def _streams(given: bytes) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """Standard input, output and errors of a command, as a shell would give them."""
    out, err = io.BytesIO(), io.BytesIO()
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = io.TextIOWrapper(io.BytesIO(given), encoding="utf-8")
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(one, encoding="utf-8", write_through=True) for one in (out, err)
    )
    try:
        yield out, err
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            stream.detach()
        sys.stdin, sys.stdout, sys.stderr = before


def check_targets(targets: Sequence[str]) -> None:
    """AssertionError for a target that the Makefile has not."""
    made = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in targets:
        if "=" not in target:
            assert f"\n{target}:" in made, f"make {target}: no such target"


def check_pip(words: Sequence[str]) -> None:
    """AssertionError for a list that is not there, or a package that make does not install."""
    rest = iter(words)
    for word in rest:
        if word in ("-r", "--requirement"):
            name = next(rest)
            assert (ROOT / name).is_file(), f"pip install -r {name}: no such file"
        elif word == "--target":
            next(rest)
        elif not word.startswith("-") and word != ".":
            package, _, version = word.partition("==")
            made = (ROOT / "Makefile").read_text(encoding="utf-8")
            assert package in made, f"pip install {word}: make does not"
            assert version in made, f"pip install {word}: make installs another version"
