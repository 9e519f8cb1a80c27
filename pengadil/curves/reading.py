"""What a training has logged, read back from its run folder: finished, stopped or still going."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from pengadil.errors import PengadilError
from pengadil.runs import FINISHED, follow
from pengadil.training.watch import Step, Validation

LOG, VALIDATION = "log.jsonl", "validation.jsonl"
Line = TypeVar("Line", Step, Validation)


@dataclass(frozen=True, slots=True)
class Curves:
    """The steps of a training with the seconds since its start, and its validations, in order.

    `facts` is what run.json says, `recipe` the resolved recipe's tables; both may be empty.
    """

    name: str
    folder: Path
    steps: list[Step]
    seconds: list[float]
    validations: list[Validation] = field(default_factory=list)
    facts: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        return self.facts.get("status") == FINISHED

    @property
    def best(self) -> Validation | None:
        """The newest validation that none before it was better than."""
        return next((found for found in reversed(self.validations) if found.best), None)

    def setting(self, table: str, key: str) -> Any:
        """A field of the recipe; None where it is not known."""
        found = self.recipe.get(table)
        return found.get(key) if isinstance(found, Mapping) else None

    @property
    def method(self) -> str:
        """How it was trained; recipes older than the field trained judges with SFT."""
        return str(self.setting("train", "method") or "sft")


def read_curves(run: Path) -> Curves:
    """The curves of a run folder; a `latest` is followed.

    A last line that is still being written is passed over, and so are fields of a newer version;
    a step that was made twice counts as it was the last time. Raises PengadilError without a
    logged step, or where a line cannot be read.
    """
    folder = follow(run)
    lines = _lines(folder / LOG)
    if not lines:
        raise PengadilError(
            str(folder), f"no step is logged in its {LOG}", "Give the folder of a run in training."
        )
    steps = {row["step"]: (_made(Step, row, LOG), float(row.get("seconds", 0))) for row in lines}
    ordered = [steps[number] for number in sorted(steps)]
    found = {row["step"]: _made(Validation, row, VALIDATION) for row in _lines(folder / VALIDATION)}
    return Curves(
        name=folder.resolve().name,
        folder=folder,
        steps=[step for step, _ in ordered],
        seconds=[seconds for _, seconds in ordered],
        validations=[found[number] for number in sorted(found)],
        facts=_facts(folder / "run.json"),
        recipe=_recipe(folder / "recipe.toml"),
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a file that may be in the midst of being written; none where there is no file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise PengadilError(
            str(path), f"cannot be read ({error.strerror})", "Check its rights."
        ) from None
    rows = []
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not isinstance(row.get("step"), int):
            raise PengadilError(
                f"{path}, line {number}", "not a line of a training's log", "Remove that line."
            )
        rows.append(row)
    return rows


def _made(kind: type[Line], row: Mapping[str, Any], name: str) -> Line:
    """A Step or a Validation from the fields of it that a line has."""
    for one in fields(kind):
        if one.name not in row and one.default is MISSING and one.default_factory is MISSING:
            raise PengadilError(
                f"{name}, step {row['step']}", f"no field '{one.name}'", "Remove that line."
            )
    return kind(**{one.name: row[one.name] for one in fields(kind) if one.name in row})


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _recipe(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
