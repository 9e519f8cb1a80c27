"""The folder of a sweep: what it is a sweep of, its trials, and that only one process is at it.

sweeps/smoke/
    sweep.json      recipe, search space, sampler, pruner; once there are trials, their summary
    recipe.toml     the recipe that every trial starts from
    journal.log     the trials, as Optuna keeps them: nothing is lost with a kill
    runs/           a run folder a trial
    results.csv     the trials as a table; sweep.html and sweep.md to read; pictures/
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pengadil.errors import PengadilError
from pengadil.recipe import Recipe, describe, load_recipe
from pengadil.records import drop_cut_line, write_whole
from pengadil.settings import shown
from pengadil.sweep.space import Parameter

if TYPE_CHECKING:
    from optuna import Study

FORMAT = 1
Sampler = Literal["tpe", "random", "grid"]
Pruner = Literal["median", "halving", "none"]


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep is: the same for all of its trials, however often it is stopped.

    `facts` are of the model and data (see `sweep_facts`); `prune_after` trials run to their end
    before any is pruned; `seed` is the sampler's.
    """

    folder: Path
    recipe: Recipe
    space: tuple[Parameter, ...]
    facts: Mapping[str, Any]
    sampler: Sampler = "tpe"
    pruner: Pruner = "median"
    prune_after: int = 5
    seed: int = 1

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    @property
    def recipe_file(self) -> Path:
        return self.folder / "recipe.toml"

    def settings(self) -> dict[str, Any]:
        """All that must stay the same, fit for JSON; the recipe is in a file of its own."""
        return {
            "recipe": self.recipe.name,
            "search": [str(parameter) for parameter in self.space],
            "sampler": self.sampler,
            "pruner": self.pruner,
            "prune_after": self.prune_after,
            "seed": self.seed,
            **self.facts,
        }


def sweep_of(sweeps: Path, name: str, **settings: Any) -> Sweep:
    """The sweep in `sweeps/name`; PengadilError where the name is none for a folder."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise PengadilError(
            f"--name {shown(name)}",
            "it is not made of letters, digits, '.', '-' and '_'",
            "Choose another.",
        )
    return Sweep(sweeps / name, **settings)


@contextmanager
def open_study(sweep: Sweep) -> Iterator[Study]:
    """The sweep's trials, new or as they were left; no other process may open them meanwhile.

    Raises PengadilError where the folder holds another sweep, where another process is at it, and
    where its journal cannot be read.
    """
    sweep.folder.mkdir(parents=True, exist_ok=True)
    with _alone(sweep.folder):
        _settle(sweep)
        yield _load(sweep.folder / "journal.log")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes out. The lock is the operating system's, so a kill opens it again."""
    with closing(sqlite3.connect(folder / "lock", timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise PengadilError(
                f"sweep {folder}",
                f"another process is at it ({error})",
                "Wait for it, or start a sweep of another --name.",
            ) from None
        yield


def _settle(sweep: Sweep) -> None:
    """Write down what the sweep is, or hold it against what is written there."""
    path = sweep.folder / "sweep.json"
    if not path.exists():
        write_whole(sweep.recipe_file, sweep.recipe.to_toml())
        write_settings(sweep, {})
        return
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        if written["format"] != FORMAT:
            raise ValueError(f"format {written['format']} is not {FORMAT}")
        earlier = load_recipe(sweep.recipe_file)
        before = dict(written["settings"])
    except (ValueError, KeyError, TypeError, OSError, PengadilError) as error:
        raise PengadilError(
            str(path), f"cannot be read ({error})", "Start a sweep of another --name."
        ) from None
    now = json.loads(json.dumps(sweep.settings()))
    changed = [
        f"{key} was {before.get(key)}, is {value}"
        for key, value in now.items()
        if before.get(key) != value
    ]
    if earlier.sha256 != sweep.recipe.sha256:
        were = {name: value for name, value, _ in describe(earlier)}
        changed += [
            f"{name} was {were[name]}, is {value}"
            for name, value, _ in describe(sweep.recipe)
            if value != were[name] and "." in name
        ]
    if changed:
        raise PengadilError(
            f"sweep {sweep.folder}",
            f"begun with other settings: {'; '.join(changed)}",
            "Give those of before, or start a sweep of another --name.",
        )


def write_settings(sweep: Sweep, summary: Mapping[str, Any]) -> None:
    """Write sweep.json as a whole: what the sweep is, and what has come of it."""
    whole = {"format": FORMAT, "settings": sweep.settings(), **summary}
    text = json.dumps(whole, ensure_ascii=False, indent=2)
    write_whole(sweep.folder / "sweep.json", text + "\n")


def _load(journal: Path) -> Study:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # Left by a kill in the midst of a line; no other process can be writing.
    drop_cut_line(journal)
    journal.with_name(journal.name + ".lock").unlink(missing_ok=True)
    # The library's default lock is a symbolic link, which Windows refuses to most users.
    backend = JournalFileBackend(str(journal), JournalFileOpenLock(str(journal)))
    try:
        return optuna.create_study(
            storage=JournalStorage(backend),
            study_name="sweep",
            direction="maximize",
            load_if_exists=True,
        )
    except (ValueError, KeyError) as error:
        raise PengadilError(
            str(journal), f"cannot be read ({error})", "Start a sweep of another --name."
        ) from None
