"""What a request's body holds, and what is wrong with one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pengadil.errors import PengadilError
from pengadil.serving.paths import ALL, CHECK, JUDGE
from pengadil.serving.refusals import RefusedError

# Of names that a request brings along, its path and its keys.
SHOWN = 60
SHAPES = {
    CHECK: '{"answer": "...", "documents": "..." or ["...", "..."]}',
    JUDGE: '{"document": "...", "statement": "..."} or a list of such',
}


@dataclass
class CheckRequest:
    """A chatbot's answer, and the document or documents that it should rest on."""

    answer: str
    documents: str | list[str]

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - as pydantic reads it


@dataclass
class JudgeRequest:
    """A document, and a statement or question about it."""

    document: str
    statement: str

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - as pydantic reads it


def check_text(name: str, text: str) -> None:
    """PengadilError unless it is a text, with a word in it."""
    if not text.strip():
        raise PengadilError(name, "it is empty", "Send a text of at least a word.")
    try:
        text.encode()
    except UnicodeEncodeError as error:  # JSON's "\\ud83d" is half of an emoji, and no letter
        half = ascii(text[error.start])
        raise PengadilError(name, f"half of a character ({half})", "Mend the text.") from None


def routed(status: int, method: str, path: str) -> RefusedError:
    """What FastAPI refuses before a route is asked."""
    if status == 400:
        return RefusedError(400, "the body", "it is not JSON in UTF-8", "Send JSON.")
    return RefusedError(
        status,
        f"{method} {path[:SHOWN]}",
        "no such route" if status == 404 else "not a method of this route",
        f"There are: {ALL}.",
    )


def misshapen(faults: Any, body: Any, path: str) -> RefusedError:
    """What is wrong with a body, without what it holds."""
    if any(fault["type"] == "json_invalid" for fault in faults):
        return RefusedError(400, "the body", "it is not JSON", f"Send {SHAPES[path]}.")
    if not isinstance(body, dict | list):
        return RefusedError(
            422,
            "the body",
            "it is not a JSON object, or not sent as JSON",
            f"Send {SHAPES[path]} with 'Content-Type: application/json'.",
        )
    # Where two shapes are allowed, only what is wrong by the one that was meant.
    meant = [fault for fault in faults if _is_list(fault["loc"]) == isinstance(body, list)]
    found = [
        f"{'.'.join(_place(fault['loc'])) or 'the body'}: {fault['msg']}"
        for fault in meant or faults
    ]
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return RefusedError(422, "the body", "; ".join(found[:3]) + more, f"Send {SHAPES[path]}.")


def _is_list(place: tuple[Any, ...]) -> bool:
    return any(str(step).startswith("list[") for step in place)


def _place(place: tuple[Any, ...]) -> list[str]:
    """Where in the body, without pydantic's names of shapes."""
    shapes = ("list[", JudgeRequest.__name__, CheckRequest.__name__, "str")
    return [str(step)[:SHOWN] for step in place[1:] if not str(step).startswith(shapes)]
