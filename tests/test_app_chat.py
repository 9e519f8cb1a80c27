"""The Chat / rewrite tab without a browser: what is asked, kept, shown, stopped and refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from helpers_judges import FakeJudge
from helpers_rating import LengthJudge
from hypothesis import given
from hypothesis import strategies as st

from pengadil.app import chat_events, chat_tab
from pengadil.app.chat_events import Stops, again, choices, first_choice, sampling_of, send
from pengadil.app.chat_show import state_words, talk_html
from pengadil.app.chat_talk import CHAT, DONE, FAILED, REWRITE, STOPPED, Reply, Talk, Turn
from pengadil.app.chat_words import WORDS
from pengadil.app.context import Context
from pengadil.app.shelf import Shelf
from pengadil.errors import PengadilError
from pengadil.judges.base import DEFAULT_SAMPLING, Judge, Sampling
from pengadil.prompts import Prompt, load_prompt

EVIL = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> **tebal** [x](javascript:1) {{7}} ${7}"
)


@dataclass
class Talker(LengthJudge):
    """Answers with its name and how many messages it was sent; keeps what it was asked."""

    talked: list[list[dict[str, str]]] = field(default_factory=list)
    samplings: list[Sampling] = field(default_factory=list)
    closed: int = 0
    says: str = ""

    def write(
        self, messages: Sequence[dict[str, str]], sampling: Sampling = DEFAULT_SAMPLING
    ) -> Iterator[str]:
        if len(messages[-1]["content"]) > self.longest:
            raise PengadilError("the conversation (9 tokens)", "too long", "Begin a new one.")
        self.talked.append(list(messages))
        self.samplings.append(sampling)
        return self._pieces(self.says or f"{self.name} {len(messages)}")

    def _pieces(self, text: str) -> Iterator[str]:
        try:
            yield from text
        finally:
            self.closed += 1


@dataclass
class Page:
    """A shelf of two talkers, a classifier and one that cannot be opened, and its events."""

    ali: Talker = field(default_factory=lambda: Talker("ali"))
    siti: Talker = field(default_factory=lambda: Talker("siti", longest=200))
    prompt: str = "verdict"
    language: Any = "en"

    def __post_init__(self) -> None:
        self.opened: list[str] = []
        names = ("ali", "siti", "kelas", "tiada")
        shelf = Shelf(names, kept=3, open_one=self._open, prompt_of=self._prompt)
        self.context, self.stops = Context(shelf, self.language), Stops()

    def _open(self, name: str) -> Judge:
        self.opened.append(name)
        if name == "tiada":
            raise PengadilError("tiada", "no such model", "Check the name.")
        return {"ali": self.ali, "siti": self.siti, "kelas": FakeJudge()}[name]

    def _prompt(self, _: str) -> Prompt:
        return load_prompt(self.prompt)

    def steps(
        self, message: str, models: Sequence[str] = ("ali",), talk: Talk | None = None, **given: Any
    ) -> list[Talk]:
        kind, sampling = given.get("kind", CHAT), given.get("sampling", DEFAULT_SAMPLING)
        asked = (models, kind, message, sampling)
        return list(send(self.context, self.stops, talk or Talk(), *asked))

    def say(self, *given: Any, **more: Any) -> Talk:
        return self.steps(*given, **more)[-1]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    monkeypatch.setattr(chat_events, "PACE", 0.0)
    return Page()


def states(talk: Talk) -> list[tuple[str, str, str]]:
    return [(reply.model, reply.text, reply.state) for reply in talk.turns[-1].replies]


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def test_an_answer_grows_piece_by_piece(page: Page) -> None:
    steps = page.steps("  Apa khabar?  ")
    texts = [talk.turns[-1].replies[0].text for talk in steps]
    assert texts[-6:] == ["a", "al", "ali", "ali ", "ali 1", "ali 1"]
    assert [talk.turns[-1].text for talk in steps] == ["Apa khabar?"] * len(steps)
    assert states(steps[-1]) == [("ali", "ali 1", DONE)]
    assert page.ali.talked == [[user("Apa khabar?")]]
    assert page.ali.closed == 1


def test_the_models_answer_side_by_side(page: Page) -> None:
    talk = page.say("Hai", ["ali", "siti"])
    assert states(talk) == [("ali", "ali 1", DONE), ("siti", "siti 1", DONE)]
    assert page.siti.talked == [[user("Hai")]]
    shown = talk_html(page.context, talk)
    assert shown.count('class="asked"') == 1
    assert shown.count('class="reply done"') == 2
    assert "ali 1" in shown
    assert "siti 1" in shown


def test_a_conversation_goes_on_and_each_model_sees_its_own_answers(page: Page) -> None:
    talk = page.say("Satu", ["ali", "siti"])
    talk = page.say("Dua", ["siti", "ali"], talk)
    before = [user("Satu"), assistant("siti 1"), user("Dua")]
    assert page.siti.talked[-1] == before
    assert page.ali.talked[-1] == [user("Satu"), assistant("ali 1"), user("Dua")]
    assert [turn.text for turn in talk.turns] == ["Satu", "Dua"]


def test_a_model_chosen_later_takes_the_conversation_up(page: Page) -> None:
    talk = page.say("Satu", ["ali"])
    talk = page.say("Dua", ["siti"], talk)
    assert page.siti.talked == [[user("Satu"), assistant("ali 1"), user("Dua")]]
    assert page.opened == ["ali", "siti"]
    page.say("Tiga", ["ali"], talk)
    assert page.ali.talked[-1][-2:] == [assistant("siti 3"), user("Tiga")]


def test_the_last_message_is_answered_again_by_others_too(page: Page) -> None:
    talk = page.say("Satu", ["ali"])
    hot = Sampling(8, 1.0, 5)
    talk = list(again(page.context, page.stops, talk, ["siti", "ali"], hot))[-1]
    assert len(talk.turns) == 1
    assert states(talk) == [("ali", "ali 1", DONE), ("siti", "siti 1", DONE)]
    assert page.siti.talked == [[user("Satu")]]
    assert page.ali.samplings == [DEFAULT_SAMPLING, hot]


def test_a_classifier_is_told_apart_in_words(page: Page) -> None:
    talk = page.say("Hai", ["kelas", "ali"])
    assert [reply.state for reply in talk.turns[-1].replies] == [FAILED, DONE]
    assert "does not chat" in talk_html(page.context, talk)


def test_a_classifier_s_folder_is_told_before_it_is_loaded(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kelas"
    folder.mkdir()
    config = '{"architectures": ["DebertaV2ForSequenceClassification"]}'
    (folder / "config.json").write_text(config, encoding="utf-8")
    run = tmp_path / "run"
    run.mkdir()
    facts = '{"format": 1, "status": "finished", "method": "classifier"}'
    (run / "run.json").write_text(facts, encoding="utf-8")
    shelf = Shelf([str(folder), str(run), "ali"], open_one=page._open, prompt_of=page._prompt)
    context = replace(page.context, shelf=shelf)
    labels = [label for label, _ in choices(context)]
    assert [label.endswith("(does not chat)") for label in labels] == [True, True, False]
    assert first_choice(context) == ["ali"]
    for name in (str(folder), str(run)):
        *_, talk = send(context, page.stops, Talk(), [name], CHAT, "Hai", DEFAULT_SAMPLING)
        assert talk.turns[-1].replies[0].note.startswith("This model does not chat")
    assert page.opened == []


@pytest.mark.parametrize(
    ("language", "trained", "expected"),
    [
        ("ms", "verdict", "rewrite"),
        ("en", "verdict", "rewrite-en"),
        ("en", "rewrite", "rewrite"),
    ],
)
def test_a_text_is_rewritten_as_the_model_was_taught(
    monkeypatch: pytest.MonkeyPatch, language: str, trained: str, expected: str
) -> None:
    page = Page(prompt=trained, language=language)
    text = "Pada hakikatnya $teks {ini} \\ panjang."
    talk = page.say("Hai", ["ali"])
    talk = page.say(text, ["ali"], talk, kind=REWRITE)
    asked = load_prompt(expected).render_text(text)
    assert page.ali.talked[-1] == asked  # alone, as in training
    page.say("Lebih pendek", ["ali"], talk)
    rewritten = [*asked, assistant("ali 1"), user("Lebih pendek")]
    assert page.ali.talked[-1] == [user("Hai"), assistant("ali 1"), *rewritten]


def test_stop_ends_the_writing_and_keeps_what_was_written(page: Page) -> None:
    asked = (["ali", "siti"], CHAT, "Hai", DEFAULT_SAMPLING)
    steps = []
    for talk in send(page.context, page.stops, Talk(), *asked):
        steps.append(talk)
        if talk.turns[-1].replies[0].text == "al":
            page.stops.ask(talk)
    assert states(steps[-1]) == [("ali", "ali", STOPPED), ("siti", "", STOPPED)]
    assert page.ali.closed == 1
    assert page.siti.talked == []
    # The next message is written again, after what was kept.
    page.say("Lagi", ["ali"], steps[-1])
    assert page.ali.talked[-1] == [user("Hai"), assistant("ali"), user("Lagi")]


def test_closing_gives_the_model_back(page: Page) -> None:
    going = send(page.context, page.stops, Talk(), ["ali"], CHAT, "Hai", DEFAULT_SAMPLING)
    while not next(going).turns[-1].replies[0].text:
        pass
    going.close()  # type: ignore[attr-defined]
    assert page.ali.closed == 1
    with page.context.shelf.borrow("ali", patience=0.1):
        pass


def test_what_is_too_long_or_not_there_fails_in_words_and_the_others_answer(page: Page) -> None:
    talk = page.say("x" * 201, ["siti", "tiada", "ali"])
    shown = talk_html(page.context, talk)
    assert [reply.state for reply in talk.turns[-1].replies] == [FAILED, FAILED, DONE]
    assert "too long" in shown
    assert "no such model" in shown


def test_a_turn_that_nobody_answered_is_not_sent_again(page: Page) -> None:
    talk = page.say("x" * 201, ["siti"])
    page.say("Hai", ["siti"], talk)
    assert page.siti.talked == [[user("Hai")]]


def test_a_fault_inside_is_told_without_its_details(
    page: Page, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> Iterator[str]:
        raise RuntimeError("rahsia")

    monkeypatch.setattr(page.ali, "write", broken)
    shown = talk_html(page.context, page.say("Hai"))
    assert "RuntimeError" in shown
    assert "rahsia" not in shown
    assert "rahsia" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("message", "models", "words"),
    [
        (" \n", ["ali"], "no_message"),
        (None, ["ali"], "no_message"),
        ("Hai", [], "no_model"),
        ("x" * (chat_events.MOST_CHARACTERS + 1), ["ali"], "long_message"),
        ("x" * 9 + " " * chat_events.MOST_CHARACTERS, ["ali"], "long_message"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_nothing_is_lost(
    page: Page, message: Any, models: list[str], words: str
) -> None:
    before = page.say("Hai")
    after = page.say(message, models, before)
    assert after.turns == before.turns
    assert after.trouble
    assert after.trouble[:12] == page.context.say(WORDS, words)[:12]
    assert after.trouble in talk_html(page.context, after)
    assert page.say("Lagi", ["ali"], after).trouble == ""


def test_there_must_be_a_message_to_answer_again(page: Page) -> None:
    [talk] = again(page.context, page.stops, Talk(), ["ali"], DEFAULT_SAMPLING)
    assert talk.trouble == page.context.say(WORDS, "no_turn")


def test_half_a_character_is_no_fault(page: Page) -> None:
    page.say("Hai \ud83d")
    assert page.ali.talked == [[user("Hai ?")]]


@given(text=st.text() | st.just(EVIL), note=st.just(EVIL), language=st.sampled_from(["ms", "en"]))
def test_texts_are_shown_as_text(text: str, note: str, language: Any) -> None:
    from html.parser import HTMLParser

    context = Page(language=language).context
    reply = Reply("ali", text, FAILED, note)
    found: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append(tag)
            assert not [name for name, _ in attrs if name.startswith("on")]

        def handle_data(self, data: str) -> None:
            found.append(data)

    Tags().feed(talk_html(context, Talk((Turn(CHAT, text, (reply,)),), trouble=text)))
    assert {"script", "img", "a", "b"}.isdisjoint(found)
    assert EVIL in found
    assert state_words(context, Talk((Turn(CHAT, text, (reply,)),)))


def test_every_word_is_there_in_both_languages() -> None:
    for key, (malay, english) in WORDS.items():
        assert malay, key
        assert english, key
        assert sorted(re.findall(r"{\w+}", malay)) == sorted(re.findall(r"{\w+}", english)), key


def test_settings_left_empty_are_the_usual_and_wrong_ones_are_told(page: Page) -> None:
    assert sampling_of(None, None, None) == Sampling()
    assert sampling_of(64.0, 0.5, 3.0) == Sampling(64, 0.5, 3)
    [talk] = chat_tab._grown(page.context, page.stops, Talk(), ["ali"], (64, 0.5, -1), CHAT, "Hai")
    assert "seed = -1" in talk.trouble
    assert page.ali.talked == []


def test_the_tab_is_built_and_sends(page: Page) -> None:
    """The real components; what their events hand over is what the page shows."""
    gradio = pytest.importorskip("gradio")
    with gradio.Blocks(analytics_enabled=False) as blocks:
        chat_tab.build(page.context)
    functions = {function.name: function for function in blocks.fns.values()}
    assert len(functions) >= 2
    event = chat_tab._sending(page.context, page.stops)
    rows = list(event(None, ["ali"], CHAT, "Hai", 16, 0.0, 0))
    assert rows[0][3] == ""  # the box is emptied once
    assert all(row[3] != "" for row in rows[1:])
    talk, shown, state, _ = rows[-1]
    assert "ali 1" in shown
    assert "done" in state
    rows = list(event(talk, ["ali"], CHAT, "", 16, 0.0, 0))
    assert all(row[3] != "" for row in rows)  # a refused message stays in its box
    stopping = chat_tab._stopping(page.context, page.stops)
    assert "Stopping" not in str(stopping(talk))
    assert "Stopping" in stopping(talk.with_reply(Reply("ali", "a", "writing")))
    talk, shown, state = chat_tab._clearing(page.context, page.stops)(talk)
    assert talk.turns == ()
