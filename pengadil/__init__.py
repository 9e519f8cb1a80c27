"""pengadil: a small open model as a judge of whether a statement agrees with a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pengadil.guard.guard import Guard as Guard

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`from pengadil import Guard`, whose module is loaded only when it is asked for."""
    if name == "Guard":
        from pengadil.guard.guard import Guard

        return Guard
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
