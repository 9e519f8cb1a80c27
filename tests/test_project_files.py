"""CHANGELOG, CITATION and CONTRIBUTING say what is so."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import yaml

import pengadil

ROOT = Path(__file__).parent.parent
# Those of Keep a Changelog.
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
# Required by the Citation File Format 1.2.0, and what else this file may hold.
REQUIRED = {"cff-version", "message", "title", "authors"}
ALSO = {"type", "version", "date-released", "license", "keywords", "abstract"}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def citation() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text("CITATION.cff"))
    return loaded


def releases() -> list[tuple[str, str]]:
    """(version, date) of each release in the changelog, newest first."""
    return re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", text("CHANGELOG.md"), re.M)


def test_one_version_everywhere() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    newest, released = releases()[0]
    assert pengadil.__version__ == project["version"] == citation()["version"] == newest
    assert citation()["date-released"] == released
    assert citation()["license"] == project["license"]
    assert [author["name"] for author in project["authors"]] == [
        author["name"] for author in citation()["authors"]
    ]


def test_the_changelog_has_the_form_that_it_names() -> None:
    headings = re.findall(r"^(#+) (.+)$", text("CHANGELOG.md"), re.M)
    assert headings[:2] == [("#", "Changelog"), ("##", "[Unreleased]")]
    assert {heading for level, heading in headings if level == "###"} <= KINDS
    assert len([level for level, _ in headings if level == "##"]) == 1 + len(releases())
    days = [date.fromisoformat(day) for _, day in releases()]
    assert days == sorted(days, reverse=True)


def test_the_citation_is_one_and_names_nobody_who_is_not() -> None:
    found = citation()
    assert found["cff-version"] == "1.2.0"
    assert found.keys() >= REQUIRED
    assert found.keys() <= REQUIRED | ALSO
    assert found["type"] == "software"
    assert all(author.keys() == {"name"} for author in found["authors"])


def test_what_contributing_names_is_there() -> None:
    named = re.findall(r"`([^`\n]+)`", text("CONTRIBUTING.md"))
    paths = [name for name in named if "/" in name or name.endswith((".toml", ".yml", ".md"))]
    assert len(paths) > 15
    missing = [path for path in paths if not (ROOT / path.split()[0]).exists()]
    assert not missing
    targets = re.findall(r"`?make (\w+)`?(?=[`\n])", text("CONTRIBUTING.md"))
    assert {"install", "check", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", text("Makefile"), re.M), target


def test_what_the_changelog_calls_a_verb_is_one() -> None:
    from pengadil.verbs import VERBS

    named = re.findall(r"\(`([a-z ]+)`[),]", text("CHANGELOG.md"))
    named += re.findall(r"^- `([a-z ]+)`:", text("CHANGELOG.md"), re.M)
    assert len(named) > 9
    assert set(named) <= set(VERBS)
