"""What a request is told when it gets no answer: a status, and an error's three parts as JSON."""

from __future__ import annotations

from typing import Any

from pengadil.errors import PengadilError

UNPROCESSABLE = 422
# Nginx's number for a client that went away: for the metrics alone, nobody is sent it.
CLIENT_GONE = 499


class RefusedError(PengadilError):
    """An error with the status of its answer; `retry_after` are seconds, where waiting helps."""

    def __init__(
        self, status: int, found: str, wrong: str, next_step: str, retry_after: int | None = None
    ) -> None:
        super().__init__(found, wrong, next_step)
        self.status, self.retry_after = status, retry_after


def status_of(error: PengadilError) -> int:
    """The status of an error's answer: whatever was not refused by the service is bad input."""
    return error.status if isinstance(error, RefusedError) else UNPROCESSABLE


def as_error(error: PengadilError) -> dict[str, Any]:
    """The body that every refused request gets."""
    parts = {"found": error.found, "wrong": error.wrong, "next": error.next_step}
    return {"error": parts}


def headers_of(error: PengadilError) -> dict[str, str]:
    """What stands above the body: when to come again, and that a key is wanted."""
    if not isinstance(error, RefusedError):
        return {}
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return headers | ({"WWW-Authenticate": "Bearer"} if error.status == 401 else {})


def failed(error: BaseException) -> RefusedError:
    """What a request is told of an error that nobody expected; its text may quote texts."""
    return RefusedError(
        500,
        "this request",
        f"the judge failed on it ({type(error).__name__})",
        "Send it again; if it fails again, the service's log says where.",
    )


def late(seconds: float) -> RefusedError:
    """What a request is told that was not answered in time."""
    return RefusedError(
        504,
        "this request",
        f"it was not answered within {seconds:g} seconds, and is dropped",
        "Send fewer or shorter texts at once, or start the service with a longer --timeout.",
    )


def stopping() -> RefusedError:
    """What a request is told when the service ends or its judge has."""
    return RefusedError(503, "the service", "it is stopping", "Send the request again later.", 5)
