"""The pages of the documentation, and the blocks of commands and code that stand in them."""

from __future__ import annotations

import importlib.util
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pengadil.verbs import VERBS

ROOT = Path(__file__).parent.parent
# Read on a code host or in the built pages; those of them that are there.
PAGES = tuple(
    page
    for page in (
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(ROOT / folder / "README.md" for folder in ("benchmarks", "recipes")),
        *sorted((ROOT / "docs").glob("*.md")),
    )
    if page.is_file()
)
# What a block may be marked with: it is not run, its arguments are checked all the same.
NEEDS = {
    "gpu": "a GPU",
    "account": "an account with somebody else",
    "server": "a server that goes on running, or a program that is not ours",
    "hub": "rows or models from the hub",
    "time": "longer than a test may take",
}
_MARK = re.compile(r"^<!-- (needs|file): (.+?) -->$")
_FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})(.*)$")
_SCRIPT = re.compile(r"(?:scripts|eval|kaggle|benchmarks)/\w+\.py")


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line of its fence, its language ("" is commands), its text.

    `needs` is what it is marked with, so that it is not run; `file` the name under which the page
    tells its reader to save it.
    """

    page: Path
    line: int
    language: str
    text: str
    needs: str = ""
    file: str = ""

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"

    @property
    def lines(self) -> list[str]:
        """The commands: lines without comments, one that goes on after a backslash as one."""
        whole = self.text.replace("\\\n", " ").splitlines()
        bare = [line.partition(" # ")[0].strip() for line in whole]
        return [line for line in bare if line and not line.startswith("#")]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in order; an indented or an open one is an AssertionError."""
    found: list[Block] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence is None:
            at += 1
            continue
        assert not fence[1], f"{page.name}:{at + 1}: an indented block is not found by the tests"
        ends = (end for end in range(at + 1, len(lines)) if lines[end].startswith(fence[2]))
        end = next(ends, None)
        assert end is not None, f"{page.name}:{at + 1}: a block that is never closed"
        mark = _MARK.match(lines[at - 1]) if at else None
        given = {mark[1]: mark[2]} if mark else {}
        text = "".join(f"{line}\n" for line in lines[at + 1 : end])
        found.append(Block(page, at + 1, fence[3].strip(), text, **given))
        at = end + 1
    return found


def commands(text: str) -> list[tuple[str, list[str]]]:
    """(script, words) of each call of a script of ours in a text, also after a pipe or `&&`."""
    lines = text.replace("\\\\\n", " ").replace("\\\n", " ").splitlines()
    return [
        called
        for line in lines
        if "python " in line or "pengadil " in line
        for words in pieces(line.partition(" # ")[0])
        if (called := call(words))
    ]


def call(words: list[str]) -> tuple[str, list[str]] | None:
    """The script that a command runs, as `python SCRIPT` or `pengadil VERB`, and its words."""
    match words:
        case ["python", name, *rest] if _SCRIPT.fullmatch(name):
            return name, rest
        case ["pengadil", verb, *rest] if verb in VERBS:
            return VERBS[verb], rest
        case ["pengadil", verb, second, *rest] if f"{verb} {second}" in VERBS:
            return VERBS[f"{verb} {second}"], rest
    return None


def pieces(line: str) -> list[list[str]]:
    """The words of each command of a line, without where its output goes; [] if it is prose."""
    words = shlex.shlex(line.strip(), posix=True, punctuation_chars="|&>")
    words.whitespace_split = True
    words.commenters = ""
    try:
        tokens = list(words)
    except ValueError:
        return []
    found: list[list[str]] = [[]]
    skip = False
    for token in tokens:
        if token in ("|", "&&"):
            found.append([])
        elif token in (">", ">>"):
            skip = True
        elif skip:
            skip = False
        else:
            found[-1].append(token)
    return [piece for piece in found if piece]


def script(name: str) -> Any:
    """The module of a script, by its path from the root."""
    spec = importlib.util.spec_from_file_location("shown", ROOT / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_arguments(name: str, words: list[str]) -> None:
    """SystemExit or an AssertionError if a script does not take these words."""
    parser = script(name).make_parser()
    if name in WITH_OVERRIDES:
        known, rest = parser.parse_known_args(words)
        assert all(word.startswith("--") or not word.startswith("-") for word in rest), known
    else:
        parser.parse_args(words)


# The settings of a recipe are overrides on their command lines.
WITH_OVERRIDES = (
    *("scripts/train.py", "scripts/plan.py", "scripts/sweep.py"),
    "kaggle/push.py",
)
