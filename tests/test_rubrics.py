"""Rubric files: what is sent, what is refused, and that answers pass through untouched."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pengadil.errors import PengadilError
from pengadil.folders import names
from pengadil.rating.rubrics import RATINGS, Rubric, load_rubric

SHIPPED = names("rubrics")
TWINS = {"bantuan": "helpfulness", "ketepatan": "correctness", "gaya": "style"}
AWKWARD = 'RM $5 ${x} $answer $criterion $$ {"rating": 5} </answer> %s\n\ttamat'
GOOD = """\
name = "n"
language = "en"
criterion = "c"
rate = '$criterion $scale {"rating": 1} $prompt $answer'
compare = '$criterion {"better": 1} $prompt $first $second'
[scale]
1 = "a"
2 = "b"
3 = "c"
4 = "d"
5 = "e"
"""


def write(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_three_rubrics_are_shipped_in_both_languages() -> None:
    assert set(SHIPPED) >= {*TWINS, *TWINS.values()}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_rubric_instructs_first_and_ends_with_the_answers(name: str) -> None:
    rubric = load_rubric(name)
    assert rubric.language == ("ms" if name in TWINS else "en")
    rating = rubric.rating_messages("PROMPT", "ANSWER")[0]["content"]
    better = rubric.better_messages("PROMPT", "FIRST", "SECOND")[0]["content"]
    assert rating.startswith(rubric.rating_opening)
    assert better.startswith(rubric.better_opening)
    assert all(f"\n{n}: {text}" in rubric.rating_opening for n, text in enumerate(rubric.scale, 1))
    assert rubric.criterion in rubric.rating_opening
    assert rubric.criterion in rubric.better_opening
    after = rating.removeprefix(rubric.rating_opening)
    assert re.fullmatch(r"PROMPT\n</\w+>\n\n<(\w+)>\nANSWER\n</\1>", after)
    after = better.removeprefix(rubric.better_opening)
    assert re.fullmatch(r"PROMPT\n</\w+>\n\n<(\w+)>\nFIRST\n</\1>\n\n<(\w+)>\nSECOND\n</\2>", after)
    assert rubric.rating_opening.rstrip().endswith(">")


@pytest.mark.parametrize("name", SHIPPED)
def test_the_json_shown_in_a_shipped_rubric_is_what_is_read(name: str) -> None:
    rubric = load_rubric(name)
    for text, form in ((rubric.rate, rubric.rating_form), (rubric.compare, rubric.better_form)):
        shown = [json.loads(found)[form.key] for found in re.findall(r"\{.*?\}", text)]
        assert shown == [form.choices[0], form.choices[-1]]
        assert '"reasoning"' not in text


@pytest.mark.parametrize(("malay", "english"), TWINS.items())
def test_twins_differ_in_words_alone(malay: str, english: str) -> None:
    one, other = load_rubric(malay), load_rubric(english)
    assert one.sha256 != other.sha256
    for text, twin in ((one.rate, other.rate), (one.compare, other.compare)):
        assert re.findall(r"\$\w+", text) == re.findall(r"\$\w+", twin)


@given(prompt=st.text() | st.just(AWKWARD), answer=st.text() | st.just(AWKWARD))
@settings(max_examples=40, deadline=None)
def test_texts_pass_through_untouched(prompt: str, answer: str) -> None:
    rubric = Rubric("r", "t", "en", "$5?", tuple("abcde"), "$$1 $criterion|$prompt|$answer|", "")
    content = rubric.rating_messages(prompt, answer)[0]["content"]
    assert content == f"$1 $5?|{prompt}|{answer}|"
    assert rubric.rating_opening == "$1 $5?|"


def test_forms_ask_for_what_is_read() -> None:
    rubric = load_rubric("helpfulness")
    assert rubric.rating_form.choices == RATINGS
    assert rubric.rating_form.text(4) == '{"rating": 4}'
    assert rubric.better_form.text(2) == '{"better": 2}'


def test_a_rubric_may_ask_for_a_reasoning(tmp_path: Path) -> None:
    text = GOOD.replace('{"rating"', '{"reasoning": "...", "rating"')
    text = text.replace('{"better"', '{"reasoning": "...", "better"')
    rubric = load_rubric(write(tmp_path, "reasoning = true\n" + text))
    assert rubric.rating_form.reasoning
    assert rubric.better_form.reasoning
    for wrong, fault in (
        (text, 'rate asks for a "reasoning": set reasoning = true'),
        ("reasoning = true\n" + GOOD, 'compare does not ask for a "reasoning"'),
        ("reasoning = 1\n" + GOOD, "reasoning = 1 is neither true nor false"),
    ):
        with pytest.raises(PengadilError, match=re.escape(fault)):
            load_rubric(write(tmp_path, wrong))


def test_the_hash_is_of_what_is_sent(tmp_path: Path) -> None:
    plain = load_rubric(write(tmp_path, GOOD)).sha256
    assert load_rubric(write(tmp_path, "# why\n" + GOOD)).sha256 == plain
    assert load_rubric(write(tmp_path, GOOD.replace('name = "n"', 'name = "m"'))).sha256 == plain
    for old, new in (
        ('"e"', '"f"'),
        ('criterion = "c"', 'criterion = "d"'),
        ("$first", "1 $first"),
    ):
        assert load_rubric(write(tmp_path, GOOD.replace(old, new))).sha256 != plain


def test_every_fault_of_a_rubric_is_reported_at_once(tmp_path: Path) -> None:
    text = """\
name = " "
langauge = "en"
criterion = 3
rate = 'RM $ 5 $anser {"better": 1}'
compare = '$criterion $prompt $first {"better": 1} $answer'
[scale]
1 = "a"
2 = ""
3 = "c"
4 = "d"
6 = "f"
"""
    with pytest.raises(PengadilError) as caught:
        load_rubric(write(tmp_path, text))
    for part in (
        "unknown key 'langauge' (Did you mean language?)",
        "no key language",
        "name = ' ' is not a text",
        "criterion = 3 is not a text",
        "unknown rating '6' in [scale]",
        "no description of 2 in [scale]",
        "no description of 5 in [scale]",
        "unknown placeholder $anser in rate",
        "no placeholder $scale in rate",
        "no placeholder $answer in rate",
        "a $ that begins no placeholder in rate",
        'rate does not ask for {"rating": ...}',
        "unknown placeholder $answer in compare",
        "no placeholder $second in compare",
    ):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('language = "en"', 'language = "eng"', "language = 'eng' is not an ISO 639-1 code"),
        ("[scale]", "[sclae]", "no table [scale]"),
        ("rate = ", "rote = ", "no key rate"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, old: str, new: str, fault: str) -> None:
    with pytest.raises(PengadilError, match=re.escape(fault)):
        load_rubric(write(tmp_path, GOOD.replace(old, new)))


def test_an_unknown_rubric_names_those_that_exist() -> None:
    with pytest.raises(PengadilError, match=r"no such rubric.*Did you mean bantuan"):
        load_rubric("bantua")
