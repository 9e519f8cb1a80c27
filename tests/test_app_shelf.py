"""Models lent one at a time to many: loaded once, freed when long unused, tried again if broken."""

from __future__ import annotations

import gc
import threading
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from helpers_app import PageJudge
from hypothesis import given, settings
from hypothesis import strategies as st

from pengadil.app.shelf import Shelf
from pengadil.errors import PengadilError
from pengadil.prompts import load_prompt

PROMPT = load_prompt("verdict")


class Opener:
    """Opens judges, counts how often, and fails for the names in `broken`."""

    def __init__(self) -> None:
        self.opened: Counter[str] = Counter()
        self.broken: set[str] = set()
        self.at_once: list[int] = []
        self._now = 0

    def __call__(self, name: str) -> PageJudge:
        self._now += 1
        self.at_once.append(self._now)
        self.opened[name] += 1
        try:
            if name in self.broken:
                raise PengadilError(name, "broken", "Mend it.")
            return PageJudge(name)
        finally:
            self._now -= 1


def shelf_of(*names: str, kept: int = 2) -> tuple[Shelf, Opener]:
    opener = Opener()
    return Shelf(names, kept=kept, open_one=opener, prompt_of=lambda _: PROMPT), opener


def test_a_model_is_loaded_once_and_lent_with_its_prompt() -> None:
    shelf, opener = shelf_of("a", "b")
    assert not opener.opened
    for _ in range(3):
        with shelf.borrow("a") as lent:
            assert (lent.name, lent.judge.name, lent.prompt) == ("a", "a", PROMPT)
    assert opener.opened == {"a": 1}
    assert shelf.loaded == ("a",)


def test_names_are_kept_once_and_there_must_be_one() -> None:
    assert shelf_of("b", "a", "b")[0].names == ("b", "a")
    with pytest.raises(PengadilError, match="no model"):
        Shelf([])


def test_a_name_that_is_not_there_is_refused_with_what_is() -> None:
    shelf, _ = shelf_of("runs/satu")
    with pytest.raises(PengadilError, match=r"Did you mean runs/satu\?"), shelf.borrow("runs/sat"):
        pass


def test_the_longest_unused_is_freed_first_and_its_memory_with_it() -> None:
    shelf, opener = shelf_of("a", "b", "c")
    with shelf.borrow("a") as lent:
        gone = weakref.ref(lent.judge)
    del lent
    for name in ("b", "a", "b", "c"):
        with shelf.borrow(name):
            pass
    assert shelf.loaded == ("b", "c")
    gc.collect()
    assert gone() is None
    with shelf.borrow("a"):
        assert shelf.loaded == ("c", "a")
    assert opener.opened == {"a": 2, "b": 1, "c": 1}


def test_room_is_made_before_the_next_is_loaded() -> None:
    judges: list[Any] = []

    def open_one(name: str) -> PageJudge:
        gc.collect()
        assert sum(one() is not None for one in judges) == 0, "the one before is still in memory"
        judge = PageJudge(name)
        judges.append(weakref.ref(judge))
        return judge

    shelf = Shelf(["a", "b"], kept=1, open_one=open_one, prompt_of=lambda _: PROMPT)
    for name in ("a", "b", "a"):
        with shelf.borrow(name):
            pass


def test_what_is_lent_is_never_freed() -> None:
    shelf, opener = shelf_of("a", "b", "c", kept=1)
    with shelf.borrow("a") as first, shelf.borrow("b") as second, shelf.borrow("c"):
        assert set(shelf.loaded) == {"a", "b", "c"}
        assert (first.judge.name, second.judge.name) == ("a", "b")
    assert len(shelf.loaded) == 1
    assert sum(opener.opened.values()) == 3


def test_a_load_that_fails_is_tried_again_by_the_next() -> None:
    shelf, opener = shelf_of("a", "b")
    opener.broken = {"a"}
    for _ in range(2):
        with pytest.raises(PengadilError, match="broken"), shelf.borrow("a"):
            pass
    assert shelf.loaded == ()
    opener.broken = set()
    with shelf.borrow("a") as lent:
        assert lent.judge.name == "a"
    assert opener.opened == {"a": 3}


def test_what_goes_wrong_while_it_is_lent_gives_it_back() -> None:
    shelf, _ = shelf_of("a")
    with pytest.raises(ValueError, match="oops"), shelf.borrow("a"):
        raise ValueError("oops")
    with shelf.borrow("a", patience=1):
        pass


def test_one_user_at_a_time_and_a_turn_that_does_not_come_is_told() -> None:
    shelf, _ = shelf_of("a", "b")
    with shelf.borrow("a"):
        with pytest.raises(PengadilError, match="busy"), shelf.borrow("a", patience=0.01):
            pass
        with shelf.borrow("b", patience=1):  # others need not wait
            pass
    with shelf.borrow("a", patience=1):
        pass


def test_it_may_be_given_back_in_another_thread() -> None:
    """As Gradio does: each step of a generator runs where there is a thread free."""
    shelf, _ = shelf_of("a")

    def steps() -> Any:
        with shelf.borrow("a") as lent:
            yield lent.name
            yield lent.name

    begun = steps()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(next, begun).result() == "a"
    other = threading.Thread(target=begun.close)
    other.start()
    other.join()
    with shelf.borrow("a", patience=1):
        pass


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=40),
    st.integers(1, 4),
    st.sets(st.sampled_from("abcd"), max_size=2),
)
def test_many_threads_never_share_a_model_nor_load_two_at_a_time(
    wanted: list[str], kept: int, broken: set[str]
) -> None:
    shelf, opener = shelf_of(*"abcd", kept=kept)
    opener.broken = broken
    using: Counter[str] = Counter()
    most: Counter[str] = Counter()

    def use(name: str) -> str:
        try:
            with shelf.borrow(name) as lent:
                using[name] += 1
                most[name] = max(most[name], using[name])
                using[name] -= 1
                return lent.judge.name
        except PengadilError:
            return "broken"

    # What it costs after other tests have filled the memory is not what is tested here.
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(8) as pool:
        patch.setattr("pengadil.app.shelf.gc.collect", lambda: 0)
        got = list(pool.map(use, wanted))
    assert got == ["broken" if name in broken else name for name in wanted]
    assert set(most.values()) <= {1}
    assert max(opener.at_once) == 1
    assert len(shelf.loaded) <= kept
