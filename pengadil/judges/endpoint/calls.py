"""One question of a judge to an endpoint: asked, then read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pengadil.endpoint.connection import FILTER_CODES, Connection
from pengadil.endpoint.faults import RefusedError, TransientError
from pengadil.endpoint.message import FILTERED, NO_CHOICES, message_of
from pengadil.endpoint.request import Wanted, no_logprobs
from pengadil.errors import PengadilError
from pengadil.forms import Form
from pengadil.judges.base import GENERATE, SCORE, Answer, Question, answer_tokens
from pengadil.judges.endpoint.reply import logprobs_of, read_reply

# JSON with other spaces, in another tokenizer, beside what a local judge may write.
REASONING_ROOM = 64


def wanted(form: Form, mode: str) -> Wanted:
    """What to ask an endpoint for, so that an answer has this form in this mode."""
    room = REASONING_ROOM if form.reasoning else 0
    schema = None if mode == GENERATE else form.schema()
    return Wanted(answer_tokens(form) + room, schema, logprobs=mode == SCORE)


@dataclass
class Caller:
    """Asks questions of one form in one mode through a connection."""

    connection: Connection
    form: Form
    mode: str
    _logprobs_seen: bool = False

    async def ask(self, question: Question) -> Answer:
        """The answer, read once: a text that cannot be read is not asked for again.

        Raises PengadilError for what no further attempt mends, and when the attempts are used up.
        """
        connection = self.connection
        try:
            reply = await connection.ask(question.messages, wanted(self.form, self.mode))
        except RefusedError as refusal:
            if refusal.code in FILTER_CODES:
                return Answer(None, FILTERED, None, refusal.message, 0.0)
            raise await _refused(connection, refusal, question.id) from None
        except TransientError as fault:
            raise _given_up(connection, fault) from None
        reading = read_reply(self.form, self.mode, reply.body)
        self._logprobs_seen |= bool(logprobs_of(reply.body))
        if self.mode == SCORE and reading.choice is not None and not self._logprobs_seen:
            raise no_logprobs(connection.endpoint.address.shown)
        return Answer(
            choice=reading.choice,
            rule=reading.rule,
            probabilities=reading.probabilities,
            raw=reading.raw,
            seconds=reply.seconds,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
        )


async def write_freely(
    connection: Connection, messages: Sequence[Mapping[str, str]], most_tokens: int
) -> None:
    """Ask for free text; a streaming connection tells of it as it comes.

    Raises PengadilError where the endpoint gives none.
    """
    try:
        reply = await connection.ask(messages, Wanted(most_tokens))
    except RefusedError as refusal:
        raise await _refused(connection, refusal, "the conversation") from None
    except TransientError as fault:
        raise _given_up(connection, fault) from None
    message = message_of(reply.body)
    if message.problem in (NO_CHOICES, FILTERED) and not message.text:
        raise PengadilError(
            connection.endpoint.address.shown,
            f"it gives no answer ({message.problem})",
            "Ask in other words.",
        )


async def _refused(connection: Connection, refusal: RefusedError, row: str) -> PengadilError:
    return await connection.explainer.refused(refusal, row, connection.progress())


def _given_up(connection: Connection, fault: TransientError) -> PengadilError:
    attempts = connection.endpoint.attempts
    return connection.explainer.given_up(fault, attempts, connection.progress())
