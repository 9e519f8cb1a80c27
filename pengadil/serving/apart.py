"""Work on many things at once that one bad thing among them does not spoil."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from pengadil.errors import PengadilError
from pengadil.serving.refusals import UNPROCESSABLE, status_of

Item = TypeVar("Item")
Found = TypeVar("Found")


def apart(
    items: Sequence[Item], work: Callable[[Sequence[Item]], Sequence[Found]]
) -> list[Found | PengadilError]:
    """What comes of each item, in their order; of a bad one its error.

    All are worked on together; only where that fails, in halves, until the bad ones stand alone.
    Raises the errors that say nothing of an item: too late, too much, or the service is stopping.
    """
    if not items:
        return []
    try:
        return list(work(items))
    except PengadilError as error:
        if status_of(error) not in (UNPROCESSABLE, 500):
            raise
        if len(items) == 1:
            return [error]
    middle = len(items) // 2
    return apart(items[:middle], work) + apart(items[middle:], work)
