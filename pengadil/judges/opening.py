"""From what a user calls a model to a judge, and to the prompt it was trained with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.folders import names
from pengadil.judges.base import Judge
from pengadil.models import PACKAGED, LocalModel, resolve_model
from pengadil.prompts import Prompt, load_prompt
from pengadil.recipe import load_recipe
from pengadil.runs import follow, is_run, open_run

DEFAULT_PROMPT = "verdict"
EXPORT_FACTS = "export.json"
RUNS = Path("runs")
ENDPOINT = "endpoint:"
ENDPOINT_SETTINGS = {
    *("base_url", "concurrency", "requests_per_minute", "tokens_per_minute", "timeout"),
    *("thinking_tokens", "prices"),
}


def open_judge(model: str, **settings: Any) -> Judge:
    """The judge of what a user calls a model.

    A run folder, a .gguf file, a model folder, a hub name, the packaged model, or
    "endpoint:NAME". `settings` are the options of `judges.options`; a hub name takes a
    `revision`. Raises PengadilError when there is no such model, when a run has not finished,
    when its base model is no longer the one it trained, and for settings of another kind.
    """
    path = Path(model)
    if model.startswith(ENDPOINT):
        _refuse_others("a model at an endpoint", settings, ENDPOINT_SETTINGS)
        from pengadil.judges.endpoint.judge import EndpointJudge

        return EndpointJudge(model.removeprefix(ENDPOINT), **settings)
    if is_run(path):
        return _run_judge(path, settings)
    if path.suffix.lower() == ".gguf":
        if not path.is_file():
            raise PengadilError(model, "no such file", _accepted())
        _refuse_others("a .gguf file", settings, {"threads"})
        from pengadil.judges.llamacpp.judge import LlamaCppJudge

        return LlamaCppJudge(path, **settings)
    if model != PACKAGED and not path.is_dir() and not may_be_on_hub(model):
        raise PengadilError(repr(model), "no such model", _accepted())
    local = resolve_model(model, settings.pop("revision", ""))
    from pengadil.judges.encoder import EncoderJudge, is_classifier

    if is_classifier(local.folder):
        _refuse_others("an encoder classifier", settings, {"cut", "dtype"})
        return EncoderJudge.open(local, **settings)
    _refuse_others("a causal model", settings, {"dtype"})
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


def _refuse_others(kind: str, settings: dict[str, Any], taken: set[str]) -> None:
    """PengadilError for settings that a kind of judge does not take."""
    other = sorted(set(settings) - taken)
    if other:
        named = ", ".join("--" + name.replace("_", "-") for name in other)
        takes = ", ".join("--" + name.replace("_", "-") for name in sorted(taken)) or "none"
        raise PengadilError(named, f"not for {kind}", f"Leave it out; options here: {takes}.")


def _run_judge(path: Path, settings: dict[str, Any]) -> Judge:
    run = open_run(path)
    trained = run.facts()["base"]
    if run.facts().get("method") == "classifier":
        _refuse_others("a run of an encoder classifier", settings, {"cut", "dtype"})
        from pengadil.judges.encoder import EncoderJudge

        # All of its weights were trained: the base is only named.
        base = LocalModel(trained["name"], run.adapter, trained["revision"])
        dtype = load_recipe(run.recipe_file).model.dtype
        return EncoderJudge.open(base, trained=run.adapter, **{"dtype": dtype, **settings})
    local = resolve_model(trained["name"], trained["revision"])
    if local.revision != trained["revision"]:
        raise PengadilError(
            str(path),
            f"its base model {local.name} is now {local.revision}, not {trained['revision']}",
            "Restore that model, or train again.",
        )
    _refuse_others("a run", settings, {"dtype"})
    from pengadil.judges.transformers_judge import TransformersJudge

    trained_as = load_recipe(run.recipe_file).model
    return TransformersJudge.open(
        local,
        run.adapter,
        settings.get("dtype", trained_as.dtype),
        load_in_4bit=trained_as.load_in_4bit,
    )


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


def may_be_on_hub(model: str) -> bool:
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
        f"Give a run folder, a .gguf file, a model folder, a hub name (owner/model), {PACKAGED} "
        f"or {ENDPOINT}NAME. {there}"
    )
