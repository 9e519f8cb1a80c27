"""A conversation with several models: every message, and what each model answered to it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace

CHAT, REWRITE = "chat", "rewrite"
KINDS = (CHAT, REWRITE)
# What becomes of a reply: waiting for its model's turn, the model loading, then one of the others.
WAITING, LOADING, WRITING, DONE, STOPPED, FAILED = (
    *("waiting", "loading", "writing"),
    *("done", "stopped", "failed"),
)
UNDER_WAY = (WAITING, LOADING, WRITING)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model has written so far; `note` says why, where it failed."""

    model: str
    text: str = ""
    state: str = WAITING
    note: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """A message to chat about, or a text to rewrite, and the replies to it side by side."""

    kind: str
    text: str
    replies: tuple[Reply, ...] = ()

    def with_reply(self, reply: Reply) -> Turn:
        """The same turn with this reply in the place of its model's, or after the others."""
        replies = {known.model: known for known in self.replies} | {reply.model: reply}
        return replace(self, replies=tuple(replies.values()))

    def said_to(self, model: str) -> str:
        """What this model takes as answered: by itself, else by the first that did; "" if none."""
        own_first = sorted(self.replies, key=lambda reply: reply.model != model)
        return next((reply.text for reply in own_first if reply.text.strip()), "")


@dataclass(frozen=True, slots=True)
class Talk:
    """The turns in their order; `trouble` says what was wrong with a message not sent."""

    turns: tuple[Turn, ...] = ()
    trouble: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def with_reply(self, reply: Reply) -> Talk:
        """The conversation with a reply to its last message."""
        return replace(self, turns=(*self.turns[:-1], self.turns[-1].with_reply(reply)), trouble="")

    def reply_of(self, model: str) -> Reply:
        """That model's reply to the last message."""
        return next(reply for reply in self.turns[-1].replies if reply.model == model)

    def messages(
        self, model: str, rewriting: Callable[[str], list[dict[str, str]]]
    ) -> list[dict[str, str]]:
        """The chat messages that ask a model for its reply to the last turn.

        Earlier turns go before it, each with the reply that `said_to` this model, so that a model
        chosen later takes the conversation up; a turn that nobody answered is left out. A text
        to rewrite is sent alone, as in training; `rewriting` gives its messages.
        """
        *before, last = self.turns
        if last.kind == REWRITE:
            return rewriting(last.text)
        messages: list[dict[str, str]] = []
        for turn in before:
            if said := turn.said_to(model):
                messages += rewriting(turn.text) if turn.kind == REWRITE else [_user(turn.text)]
                messages.append({"role": "assistant", "content": said})
        return [*messages, _user(last.text)]


def under_way(talk: Talk | None) -> bool:
    """Whether a reply to the last message is still to come."""
    turns = talk.turns[-1:] if talk else ()
    return any(reply.state in UNDER_WAY for turn in turns for reply in turn.replies)


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}
