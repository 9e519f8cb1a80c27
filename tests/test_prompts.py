"""Prompt files: what is sent, what is refused, and that passages pass through untouched."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pengadil import folders
from pengadil.errors import PengadilError
from pengadil.folders import find, names
from pengadil.prompts import Prompt, load_prompt
from pengadil.records import Example

REWRITES = ["rewrite", "rewrite-en"]
SHIPPED = [name for name in names("prompts") if name not in REWRITES]
AWKWARD = 'Harga $5 {x} ${y} "a" \'b\' \\n \\1 $question $passage $$ {"consistency": 0} %s\n\ttamat'


def example(passage: str = "Aminah menjual kuih.", question: str = "Kuih dijual.") -> Example:
    return Example("a", passage, question, 1)


def write(folder: Path, text: str, name: str = "mine.toml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def prompt_text(user: str = "$passage $question", answer: str = "verdict") -> str:
    return f"answer = '{answer}'\nlanguage = 'ms'\nuser = '''{user}'''\n"


def test_the_eight_prompts_are_shipped() -> None:
    twins = {"verdict", "consistency", "reasoning", "rewrite"}
    assert set(names("prompts")) >= twins | {f"{name}-en" for name in twins}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_prompt_instructs_first_and_ends_with_the_question(name: str) -> None:
    prompt = load_prompt(name)
    instruction, passage, rest = prompt.user.partition("$passage")
    assert passage
    assert prompt.user.count("$passage") == prompt.user.count("$question") == 1
    assert '"consistency": 1' in instruction
    assert '"consistency": 0' in instruction
    assert rest.endswith("$question")
    assert len(rest) < 50
    assert ('"reasoning"' in instruction) == (prompt.answer == "reasoning")
    assert prompt.language == ("en" if name.endswith("-en") else "ms")


@pytest.mark.parametrize("name", SHIPPED)
def test_the_json_shown_in_a_shipped_prompt_is_real_json(name: str) -> None:
    shown = re.findall(r"\{.*?\}", load_prompt(name).user)
    assert shown
    assert all(json.loads(text)["consistency"] in (0, 1) for text in shown)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_prompt_has_a_text_with_the_labels_in_the_other_order(name: str) -> None:
    prompt = load_prompt(name)
    swapped = prompt.swapped()
    assert (swapped.answer, swapped.language) == (prompt.answer, prompt.language)
    assert swapped.name == f"{name}+swapped"
    assert swapped.sha256 != prompt.sha256
    for label in (r'"consistency": ([01])', r"(?m)^([01]) \("):
        order = re.findall(label, prompt.user)
        assert re.findall(label, swapped.user) == order[::-1]
    assert set(re.findall(label, prompt.user)) in (set(), {"0", "1"})
    assert swapped.user.partition("$passage")[1:] == prompt.user.partition("$passage")[1:]
    shown = re.findall(r"\{.*?\}", swapped.user)
    assert all(json.loads(text)["consistency"] in (0, 1) for text in shown)
    # Neither order may be told by its length.
    assert abs(len(swapped.user) - len(prompt.user)) < 35


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_prompt_has_a_twin_in_the_other_language(name: str) -> None:
    prompt = load_prompt(name)
    twin = prompt.translated()
    assert twin.language != prompt.language
    assert twin.answer == prompt.answer
    assert twin.translated() == prompt
    for label in (r'"consistency": ([01])', r"(?m)^([01]) \("):
        for one, other in ((prompt, twin), (prompt.swapped(), twin.swapped())):
            assert re.findall(label, one.user) == re.findall(label, other.user)


def test_a_prompt_without_other_texts_says_which_key_gives_it_one(tmp_path: Path) -> None:
    bare = load_prompt(write(tmp_path, prompt_text()))
    with pytest.raises(PengadilError, match=r"labels in the other order.*key swapped"):
        bare.swapped()
    with pytest.raises(PengadilError, match=r"other language.*key twin"):
        bare.translated()


def test_other_texts_change_nothing_that_is_sent(tmp_path: Path) -> None:
    bare = load_prompt(write(tmp_path, prompt_text()))
    more = "swapped = '''\n$question $passage\n'''\ntwin = 'verdict-en'\n"
    full = load_prompt(write(tmp_path, prompt_text() + more))
    assert full.sha256 == bare.sha256
    assert full.swapped().user == "$question $passage"
    assert full.translated().name == "verdict-en"


@pytest.mark.parametrize(
    ("more", "part"),
    [
        ("swapped = '$passage'", "swapped: no placeholder $question"),
        ("swapped = 7", "swapped = 7 is not a text"),
        ("twin = ['verdict-en']", "twin = ['verdict-en'] is not a text"),
        ("swaped = ''", "unknown key 'swaped' (Did you mean swapped?)"),
    ],
)
def test_a_fault_in_other_texts_is_told(tmp_path: Path, more: str, part: str) -> None:
    with pytest.raises(PengadilError, match=re.escape(part)):
        load_prompt(write(tmp_path, prompt_text() + more))


@pytest.mark.parametrize("twin", ["consistency", "reasoning-en"])
def test_a_twin_of_the_same_language_or_another_answer_is_refused(
    tmp_path: Path, twin: str
) -> None:
    prompt = load_prompt(write(tmp_path, f"{prompt_text()}twin = '{twin}'\n"))
    with pytest.raises(PengadilError, match=f"twin {twin} is not the same"):
        prompt.translated()


def test_verdict_is_the_shortest_malay_prompt() -> None:
    malay = [load_prompt(name) for name in SHIPPED if not name.endswith("-en")]
    assert min(malay, key=lambda prompt: len(prompt.user)).name == "verdict"


def test_rendering_gives_one_user_message() -> None:
    (message,) = load_prompt("verdict").render(example())
    assert message["role"] == "user"
    assert message["content"].endswith("Dokumen: Aminah menjual kuih.\nPernyataan: Kuih dijual.")


@given(passage=st.text() | st.just(AWKWARD), question=st.text() | st.just(AWKWARD))
def test_passage_and_question_pass_through_untouched(passage: str, question: str) -> None:
    prompt = Prompt("p", "verdict", "ms", "<$passage|$question> costs $$5")
    content = prompt.render(example(passage, question))[0]["content"]
    assert content == f"<{passage}|{question}> costs $5"


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_prompts_carry_an_awkward_passage(name: str) -> None:
    content = load_prompt(name).render(example(AWKWARD, "Harga $5?"))[0]["content"]
    assert AWKWARD in content
    assert content.endswith("Harga $5?")


def test_the_hash_is_of_what_is_sent(tmp_path: Path) -> None:
    plain = load_prompt(write(tmp_path, prompt_text()))
    commented = load_prompt(write(tmp_path, "# why\n" + prompt_text("\n$passage $question\n")))
    assert plain.sha256 == commented.sha256
    assert len(plain.sha256) == 64
    reworded = load_prompt(write(tmp_path, prompt_text("$passage: $question")))
    reasoned = load_prompt(write(tmp_path, prompt_text(answer="reasoning")))
    assert len({plain.sha256, reworded.sha256, reasoned.sha256}) == 3


def test_windows_line_ends_and_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    text = prompt_text("a\n$passage\n$question")
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert load_prompt(str(path)).sha256 == load_prompt(write(tmp_path, text)).sha256


def test_a_prompt_may_be_in_any_language(tmp_path: Path) -> None:
    text = "answer = 'verdict'\nlanguage = 'id'\nuser = 'Dokumen: $passage $question'\n"
    assert load_prompt(write(tmp_path, text)).language == "id"


def test_every_fault_of_a_prompt_is_reported_at_once(tmp_path: Path) -> None:
    text = "answer = 'yes'\nlangauge = 'ms'\nuser = 'RM 5: $ 5, $pasage and ${context}'\n"
    with pytest.raises(PengadilError) as caught:
        load_prompt(write(tmp_path, text))
    for part in (
        "unknown key 'langauge' (Did you mean language?)",
        "no key language",
        "answer = 'yes' is none of verdict, reasoning, text",
        "unknown placeholder $pasage",
        "unknown placeholder $context",
        "no placeholder $passage",
        "no placeholder $question",
        "write $$ for a dollar sign",
    ):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("answer = 'verdict'\nlanguage = 'ms'\nuser = 7", "user = 7 is not a text"),
        ("answer = ['verdict']\nlanguage = 'ms'\nuser = '$passage $question'", "answer = "),
        ("answer = ", "not TOML"),
        ("answer = 'verdict'\nlanguage = 'indo'\nuser = '$passage $question'", "'indo' is not an"),
    ],
)
def test_a_malformed_prompt_is_refused(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(PengadilError, match=re.escape(part)):
        load_prompt(write(tmp_path, text))


def test_a_prompt_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"user = '\xff'")
    with pytest.raises(PengadilError, match="not UTF-8"):
        load_prompt(str(tmp_path / "mine.toml"))


def test_an_unknown_prompt_names_those_that_exist() -> None:
    with pytest.raises(PengadilError, match=r"no such prompt. Did you mean verdict"):
        load_prompt("verdct")
    with pytest.raises(PengadilError, match=r"There are: .*consistency.*verdict"):
        load_prompt("zzz")


def test_a_file_here_wins_over_the_one_beside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_prompt("verdict").user != "$passage $question"
    (tmp_path / "prompts").mkdir()
    write(tmp_path / "prompts", prompt_text(), "verdict.toml")
    write(tmp_path / "prompts", prompt_text(), "mine.toml")
    assert load_prompt("verdict").user == "$passage $question"
    assert load_prompt("mine.toml").name == "mine"
    assert {"mine", "verdict", "reasoning"} <= set(names("prompts"))


def test_a_folder_is_not_taken_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "verdict").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find("prompts", "verdict") == Path(folders.__file__).parents[1] / "prompts/verdict.toml"


@pytest.mark.parametrize("name", REWRITES)
def test_a_prompt_to_rewrite_puts_the_text_in_untouched_and_last(name: str) -> None:
    prompt = load_prompt(name)
    (message,) = prompt.render_text(AWKWARD)
    assert message["role"] == "user"
    assert message["content"].startswith(prompt.opening)
    assert message["content"].endswith(AWKWARD)
    assert prompt.translated().translated() == prompt
    assert prompt.translated().language != prompt.language


def test_a_prompt_to_rewrite_judges_nothing_and_one_to_judge_rewrites_nothing() -> None:
    rewrite = load_prompt("rewrite")
    for ask in (lambda: rewrite.form, lambda: rewrite.render(example()), rewrite.swapped):
        with pytest.raises(PengadilError, match="prompt rewrite: it"):
            ask()
    with pytest.raises(PengadilError, match="asks for a verdict, not for a text"):
        load_prompt("verdict").render_text("Teks.")


@pytest.mark.parametrize(
    ("user", "answer", "part"),
    [
        ("$passage $question", "text", "no placeholder $text"),
        ("$text $question", "text", "unknown placeholder $question"),
        ("$text", "verdict", "unknown placeholder $text"),
    ],
)
def test_placeholders_are_those_of_the_answer(
    tmp_path: Path, user: str, answer: str, part: str
) -> None:
    with pytest.raises(PengadilError, match=re.escape(part)):
        load_prompt(write(tmp_path, prompt_text(user, answer)))


def test_what_messages_share_is_what_they_begin_with() -> None:
    example = Example("a", "Ali $5 di {Ipoh}.", "Ya?", 1)
    for name in SHIPPED:
        prompt = load_prompt(name)
        [message] = prompt.render(example)
        shared = prompt.shared(example)
        assert message["content"].startswith(prompt.opening)
        assert message["content"].startswith(shared)
        assert message["content"].removeprefix(shared).startswith(example.question)
        assert shared.startswith(prompt.opening)
        assert example.passage in shared
    late = Prompt("late", "verdict", "ms", "$$1: $question, ${passage}")
    assert late.opening == "$1: "
    assert late.shared(example) == "$1: "
