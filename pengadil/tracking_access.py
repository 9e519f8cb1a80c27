"""What logging to W&B and to Weave has in common: library, key, silence, and nothing told unasked.

Both services take their key from WANDB_API_KEY alone, and neither ever asks for one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError

PROJECT = "pengadil"
KEY = "WANDB_API_KEY"
INIT_TIMEOUT = 30  # seconds


def need(library: str, sends: bool = True) -> None:
    """PengadilError unless the library is there and, to send something, leave and a key."""
    if importlib.util.find_spec(library) is None:
        raise PengadilError(library, "it is not installed", f"Run: python -m pip install {library}")
    if not sends:
        return
    if mode() in ("offline", "disabled"):
        raise PengadilError(
            f"WANDB_MODE={mode()}", "nothing may be sent", "Unset it, or log offline."
        )
    if not os.environ.get(KEY, "").strip():
        raise PengadilError(
            f"no {KEY}",
            f"{library} cannot log in",
            f"Set {KEY} in the environment, or log offline.",
        )


def mode() -> str:
    """What WANDB_MODE asks for, "dryrun" being an old word for "offline"."""
    asked = os.environ.get("WANDB_MODE", "").lower()
    return "offline" if asked == "dryrun" else asked


def reason(kind: str, said: str) -> str:
    """A library's error in one line, without the key."""
    first = (said.strip().splitlines() or ["no more is known"])[0]
    if key := os.environ.get(KEY, "").strip():
        first = first.replace(key, "(key)")
    return f"{kind}: {first}"


def project_of(name: str | None) -> tuple[str | None, str]:
    """(entity, project) of "entity/project" or "project"; without a name, our own."""
    entity, _, project = (name or PROJECT).rpartition("/")
    return entity or None, project


def wandb_settings(finish_timeout: float) -> Any:
    """wandb.Settings that print nothing and tell nothing of user, host, code or machine.

    What takes longer than `finish_timeout` seconds to be sent at the end is an error.
    """
    import wandb

    return wandb.Settings(
        silent=True,
        console="off",
        # A run that is being logged in this process is left alone.
        reinit="create_new",
        # Neither the host's name, nor the user's, nor what else is installed.
        host="",
        username="",
        program="",
        disable_git=True,
        disable_code=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
        init_timeout=INIT_TIMEOUT,
        # A file that has been tried too often is dropped without a word, so none is: the time
        # ends first, and that is told.
        finish_timeout=finish_timeout,
        finish_timeout_raises=True,
        x_graphql_retry_max=3,
    )


@contextlib.contextmanager
def quiet_wandb(folder: Path) -> Iterator[None]:
    """Silence, and nothing of W&B's outside of the folder's own `wandb/`.

    Its cache and its staging area, which `wandb sync` reads, would else lie in the home folder.
    """
    place = (folder / "wandb").resolve()
    with quiet(WANDB_CACHE_DIR=str(place / "cache"), WANDB_DATA_DIR=str(place / "data")):
        yield


@contextlib.contextmanager
def quiet(**environment: str) -> Iterator[None]:
    """Nothing on the screen, no error reports to the makers, and these environment variables."""
    environment = {"WANDB_ERROR_REPORTING": "false", **environment}
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
