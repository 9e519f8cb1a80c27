"""What the documentation shows is there: commands with their arguments, links, pictures, names."""

from __future__ import annotations

import argparse
import re
import struct
from pathlib import Path

import pytest
from helpers_docs import PAGES, ROOT, Block, blocks, check_arguments, commands, script

SCRIPTS = sorted(
    [
        *(ROOT / "scripts").glob("*.py"),
        *(ROOT / "eval").glob("*.py"),
        *(ROOT / "kaggle").glob("*.py"),
    ]
)
PICTURES = sorted((ROOT / "docs" / "pictures").iterdir())
PICTURE_BYTES = 200_000
# Folders of the machines that the project is written on.
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|tmp/\w|var/|mnt/|Users/)")
# What is written while a page is not finished.
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|TBD|XXX|lorem ipsum)\b|^[A-Z_]{4,}$")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def verbs() -> list[tuple[str, str]]:
    """(verb, the text of its --help around the options) of prepare_data.py."""
    parser = script("scripts/prepare_data.py").make_parser()
    [action] = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    return [
        (f"prepare_data.py {name}", f"{one.description or ''}\n{one.epilog or ''}")
        for name, one in action.choices.items()
    ]


SHOWN = (
    [
        (block.place, *command)
        for page in PAGES
        for block in blocks(page)
        if block.language != "python"
        for command in commands(block.text)
    ]
    + [
        (shown.name, *command)
        for shown in SCRIPTS
        for command in commands(shown.read_text(encoding="utf-8").split('"""')[1])
    ]
    + [(verb, *command) for verb, text in verbs() for command in commands(text)]
)


@pytest.mark.parametrize(("where", "name", "words"), SHOWN)
def test_a_shown_command_is_one_that_the_script_takes(
    where: str, name: str, words: list[str]
) -> None:
    check_arguments(name, words)


def test_commands_are_found() -> None:
    assert len(SHOWN) > 100
    assert {verb for verb, _ in verbs()} <= {where for where, *_ in SHOWN}
    assert {name for _, name, _ in SHOWN} >= {
        f"{shown.parent.name}/{shown.name}"
        for shown in SCRIPTS
        if shown.name not in ("demo.py", "kernel.py")  # run by make, and on Kaggle
    }


def test_every_slice_rubric_and_prompt_is_documented() -> None:
    from pengadil.folders import names, read_toml

    page = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    for name in read_toml(ROOT / "eval" / "slices.toml"):
        assert f"`{name}`" in page, name
    assert {"bantuan", "ketepatan", "gaya"} <= set(names("rubrics"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    """On a code host; the built pages are checked in test_docs_site.py."""
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        # Made of a README when the pages are built; elsewhere the README itself is meant.
        if page.parent.name == "docs" and name in ("recipes.md", "benchmarks.md"):
            pytest.fail(f"{link}: write ../{name.removesuffix('.md')}/README.md")
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """The anchors that a code host gives a page's headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    found = set()
    for heading in HEADING.findall(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_page_is_unfinished_or_names_a_place_on_somebody_s_machine(page: Path) -> None:
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        assert not MACHINE.search(line), f"{page.name}:{number}: {line}"
        assert not UNFINISHED.search(line), f"{page.name}:{number}: {line}"


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_pictures_are_small_and_used(picture: Path) -> None:
    shown = [page.read_text(encoding="utf-8") for page in [*PAGES, ROOT / "mkdocs.yml"]]
    assert any(f"pictures/{picture.name}" in text for text in shown)
    data = picture.read_bytes()
    assert len(data) < PICTURE_BYTES
    if picture.suffix == ".png":
        width, height = struct.unpack(">II", data[16:24])
        assert 300 <= width <= 2000, (width, height)
    else:
        assert picture.suffix == ".svg"
        assert "script" not in data.decode("utf-8")


def test_a_block_that_is_indented_or_never_closed_is_told(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for text, told in (("- a\n  ```\n  b\n  ```\n", "indented"), ("```\na\n", "never closed")):
        page.write_text(text, encoding="utf-8")
        with pytest.raises(AssertionError, match=told):
            blocks(page)


def test_a_mark_stands_on_the_line_before_its_block(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- needs: gpu -->\n```\na\n```\n\n<!-- file: x.toml -->\n```toml\nb\n```\n\n"
        "<!-- needs: server -->\n\n```\nc \\\n  d # e\n```\n",
        encoding="utf-8",
    )
    assert blocks(page) == [
        Block(page, 2, "", "a\n", needs="gpu"),
        Block(page, 7, "toml", "b\n", file="x.toml"),
        Block(page, 13, "", "c \\\n  d # e\n"),
    ]
    assert blocks(page)[2].lines == ["c    d"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("python eval/rate.py a", [("eval/rate.py", ["a"])]),
        (
            'cat a | python scripts/judge.py m --statement "b c" > d',
            [("scripts/judge.py", ["m", "--statement", "b c"])],
        ),
        ("x && python kaggle/pull.py", [("kaggle/pull.py", [])]),
        ("pengadil judge runs/latest", [("scripts/judge.py", ["runs/latest"])]),
        ("pengadil kaggle pull", [("kaggle/pull.py", [])]),
        ("accelerate launch --num_processes 2 scripts/train.py smoke", []),
        ("Run python scripts, please.", []),
    ],
)
def test_commands_of_a_line(line: str, found: list[tuple[str, list[str]]]) -> None:
    assert commands(line) == found
