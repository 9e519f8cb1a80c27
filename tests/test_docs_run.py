"""The documentation does what it says: each block runs, page by page, as its reader would run it.

A block that cannot run here says so on the line before it (`<!-- needs: gpu -->`); then the
arguments of our scripts are checked all the same. tests/helpers_docs.py lists the marks,
tests/helpers_docs_world.py what the commands find, and how long ones are shortened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers_docs import NEEDS, PAGES, ROOT, Block, blocks, check_arguments, commands
from helpers_docs_shell import called, run_line
from helpers_docs_world import World, answer, as_here, furnish, make_world, shorter
from helpers_endpoint import FakeEndpoint, served
from helpers_training import cpu_only

# Their commands are measurements, which take minutes each; test_docs.py checks their arguments.
NOT_RUN = ("benchmarks/README.md",)
RUN = [page for page in PAGES if page.relative_to(ROOT).as_posix() not in NOT_RUN]
# Languages of blocks that are no commands: shown, or saved under a name.
SHOWN = ("text", "json", "jsonl", "toml", "csv", "yaml", "bibtex")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        cpu_only(patch)
        yield make_world(tmp_path_factory.mktemp("docs"), patch)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEndpoint]:
    for running in served(monkeypatch):
        running.always = answer
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody")
        yield running


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_blocks_of_a_page_run(
    page: Path,
    tmp_path: Path,
    world: World,
    endpoint: FakeEndpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = blocks(page)
    if any(is_run(block) for block in shown):
        furnish(tmp_path, page, world)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__page__"}
    for block in shown:
        try:
            read(block, names)
        except AssertionError as error:
            pytest.fail(f"{block.place}: {error}", pytrace=False)
        os.chdir(tmp_path)


@pytest.mark.parametrize(
    ("language", "text", "needs"),
    [
        ("", "ollama create hakim", ""),
        ("", "step 50: validation accuracy 70.8 %", ""),
        ("bash", "make test", ""),
        ("", "make test", "patience"),
        ("", "python scripts/judge.py m --statment x", "server"),
        ("python", "raise ValueError", ""),
    ],
)
def test_a_block_that_is_neither_run_nor_rightly_marked_fails(
    language: str, text: str, needs: str
) -> None:
    with pytest.raises((AssertionError, SystemExit)):
        read(Block(ROOT / "README.md", 1, language, f"{text}\n", needs), {})


def is_run(block: Block) -> bool:
    return not block.needs and block.language in ("", "python")


def read(block: Block, names: dict[str, object]) -> None:
    """Do with a block what its reader does."""
    assert block.language in ("", "python", *SHOWN), f"```{block.language} is not known here"
    if block.needs:
        assert set(block.needs.split(", ")) <= set(NEEDS), f"needs: {block.needs}"
        for script, words in commands(block.text):
            check_arguments(script, words)
        if block.language == "python":
            compile(block.text, block.place, "exec")
    elif block.file:
        target = Path(block.file)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.text, encoding="utf-8")
    elif block.language == "python":
        code = compile(block.text, block.place, "exec")
        called(lambda _: exec(code, names), ())
    elif not block.language:
        for line in block.lines:
            run_line(as_here(block, line), shorter(block))
