"""From what a user calls a model to a judge, and to the prompt it was trained with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.folders import names
from pengadil.judges.base import Judge
from pengadil.models import PACKAGED, resolve_model
from pengadil.prompts import Prompt, load_prompt
from pengadil.runs import follow, is_run, open_run

DEFAULT_PROMPT = "verdict"
EXPORT_FACTS = "export.json"
RUNS = Path("runs")


def open_judge(model: str, revision: str = "", **settings: Any) -> Judge:
    """The judge of a run folder, a .gguf file, a model folder, a hub name or the packaged model.

    `revision` is a hub's commit or tag; `settings` go to the judge's own constructor. Raises
    PengadilError when there is no such model, when a run has not finished, and when its base
    model is no longer the one it trained.
    """
    path = Path(model)
    if is_run(path):
        return _run_judge(path, settings)
    if path.suffix.lower() == ".gguf":
        if not path.is_file():
            raise PengadilError(model, "no such file", _accepted())
        from pengadil.judges.llamacpp import LlamaCppJudge

        return LlamaCppJudge(path, **settings)
    if model != PACKAGED and not path.is_dir() and not _may_be_on_hub(model):
        raise PengadilError(repr(model), "no such model", _accepted())
    local = resolve_model(model, revision)
    from pengadil.judges.transformers_judge import TransformersJudge

    return TransformersJudge.open(local, **settings)


def judge_prompt(model: str, given: str | None = None) -> Prompt:
    """The prompt called `given`, else the one the model was trained with, else "verdict".

    A run folder and an export.json beside a .gguf name theirs with its hash. Raises
    PengadilError when that prompt is gone or says something else today.
    """
    if given is not None:
        return load_prompt(given)
    recorded = _recorded_prompt(Path(model))
    if recorded is None:
        return load_prompt(DEFAULT_PROMPT)
    name = recorded["name"]
    choose = f"Choose one with --prompt ({', '.join(names('prompts'))}, or a file)."
    try:
        prompt = load_prompt(name)
    except PengadilError as error:
        raise PengadilError(
            f"{model}, trained with prompt {name}", f"it cannot be read ({error.wrong})", choose
        ) from None
    if prompt.sha256 != recorded["sha256"]:
        raise PengadilError(
            f"prompt {name}",
            f"it says something else than when {model} was trained with it",
            f"Restore its text. {choose}",
        )
    return prompt


def _run_judge(path: Path, settings: dict[str, Any]) -> Judge:
    run = open_run(path)
    trained = run.facts()["base"]
    local = resolve_model(trained["name"], trained["revision"])
    if local.revision != trained["revision"]:
        raise PengadilError(
            str(path),
            f"its base model {local.name} is now {local.revision}, not {trained['revision']}",
            "Restore that model, or train again.",
        )
    from pengadil.judges.transformers_judge import TransformersJudge

    return TransformersJudge.open(local, adapter=run.adapter, **settings)


def _recorded_prompt(path: Path) -> dict[str, str] | None:
    if is_run(path):
        prompt: dict[str, str] = open_run(path).facts()["prompt"]
        return prompt
    beside = path.parent / EXPORT_FACTS
    if path.suffix.lower() != ".gguf" or not beside.is_file():
        return None
    try:
        prompt = json.loads(beside.read_text(encoding="utf-8"))["prompt"]
        return {key: prompt[key] for key in ("name", "sha256")}
    except (ValueError, KeyError, TypeError):
        raise PengadilError(
            str(beside), "it names no prompt", "Export again, or choose one with --prompt."
        ) from None


def _may_be_on_hub(model: str) -> bool:
    """Whether a name that is no local path has the form owner/model."""
    owner, _, name = model.partition("/")
    return bool(name) and "/" not in name and owner not in ("", ".", "..", "~", RUNS.name)


def _accepted() -> str:
    """What a model may be, with the runs that exist; for the end of an error."""
    latest = RUNS / "latest"
    runs = [latest.as_posix()] if is_run(latest) else []
    if RUNS.is_dir():
        runs += sorted(
            folder.as_posix()
            for folder in RUNS.iterdir()
            if is_run(folder) and follow(folder) == folder and folder != latest
        )
    there = f"In runs: {', '.join(runs)}." if runs else "There are no runs here yet."
    return (
        f"Give a run folder, a .gguf file, a model folder, a hub name (owner/model) or {PACKAGED}. "
        + there
    )
