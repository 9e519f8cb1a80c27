"""The models of the page: loaded when first used, lent to one user at a time, few in memory."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from pengadil.errors import PengadilError, did_you_mean
from pengadil.judges.base import Judge
from pengadil.judges.opening import judge_prompt, open_judge
from pengadil.prompts import Prompt

KEPT = 2


@dataclass(frozen=True, slots=True)
class Lent:
    """A model in use: its name on the shelf, the judge, and the prompt it was trained with."""

    name: str
    judge: Judge
    prompt: Prompt


class Shelf:
    """Judges by name, of which the `kept` last used stay in memory. Safe to use from any thread.

    `open_one` and `prompt_of` make the judge and the prompt of a name. Models that are in use at
    the same time are all in memory, even where they are more than `kept`: nobody waits for a model
    but for the one that they asked for.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        kept: int = KEPT,
        open_one: Callable[[str], Judge] = open_judge,
        prompt_of: Callable[[str], Prompt] = judge_prompt,
    ) -> None:
        if not names:
            raise PengadilError("no model", "the page needs one", "Name it, as in runs/latest.")
        self.names = tuple(dict.fromkeys(names))
        self._kept = max(1, kept)
        self._open_one, self._prompt_of = open_one, prompt_of
        self._turns = {name: Lock() for name in self.names}
        # Two loads at once would need both models' memory at their highest, and from_pretrained
        # sets torch's default dtype for the whole process.
        self._opening = Lock()
        self._guard = Lock()
        # In the order of their last use, the latest last; those lent are in `_lent` too.
        self._open: dict[str, Lent] = {}
        self._lent: set[str] = set()

    @property
    def loaded(self) -> tuple[str, ...]:
        """The names of the models in memory, the last used last."""
        with self._guard:
            return tuple(self._open)

    @contextmanager
    def borrow(self, name: str, patience: float = -1) -> Iterator[Lent]:
        """The model for the time of the `with`, for this user alone; loaded if it is not yet.

        Waits for its turn, `patience` seconds at most (-1: without end). It may be left in another
        thread than it was entered in, as Gradio does with generators. Not to be borrowed twice by
        one user at a time. Raises PengadilError for a name that is not here, a turn that does not
        come, and what `open_judge` and `judge_prompt` raise: then the next borrower tries again.
        """
        if name not in self._turns:
            raise PengadilError(repr(name), "no such model here", did_you_mean(name, self.names))
        if not self._turns[name].acquire(timeout=patience):
            raise PengadilError(name, "it is still busy with others", "Try again in a while.")
        try:
            lent = self._take(name)
            try:
                yield lent
            finally:
                with self._guard:
                    self._lent.discard(name)
                del lent
                self._free()
        finally:
            self._turns[name].release()

    def _take(self, name: str) -> Lent:
        with self._guard:
            self._lent.add(name)
            if name in self._open:
                self._open[name] = self._open.pop(name)
                return self._open[name]
        try:
            with self._opening:
                self._free(room=1)
                lent = Lent(name, self._open_one(name), self._prompt_of(name))
        except BaseException:
            with self._guard:
                self._lent.discard(name)
            raise
        with self._guard:
            self._open[name] = lent
        return lent

    def _free(self, room: int = 0) -> None:
        """Let go of those longest unused until `room` more may be opened."""
        with self._guard:
            idle = [name for name in self._open if name not in self._lent]
            over = len(self._open) + room - self._kept
            freed = [self._open.pop(name) for name in idle[: max(0, over)]]
        if not freed:
            return
        freed.clear()
        gc.collect()  # a model's modules refer to each other
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()
