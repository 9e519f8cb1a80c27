"""The options of scripts/app.py, and the models that they name."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from pengadil.app.access import LOCAL, PASSWORD
from pengadil.app.context import LANGUAGES, Context
from pengadil.app.shelf import KEPT, Shelf
from pengadil.endpoint.options import add_endpoint_options
from pengadil.errors import PengadilError
from pengadil.judges.base import Judge
from pengadil.judges.opening import (
    ENDPOINT,
    ENDPOINT_SETTINGS,
    judge_prompt,
    may_be_on_hub,
    open_judge,
)
from pengadil.judging.served import is_address, served_model
from pengadil.models import PACKAGED
from pengadil.prompts import Prompt
from pengadil.runs import is_run

GGUF = ".gguf"


def add_app_options(parser: argparse.ArgumentParser) -> None:
    """Add the page's own options and those of its models."""
    page = parser.add_argument_group("the page")
    page.add_argument(
        "--language", choices=LANGUAGES, default="ms", help="of the first page (default: ms)"
    )
    page.add_argument("--open", action="store_true", help="open it in the browser")
    page.add_argument("--port", type=int, metavar="N", help="default: 7860, or a free one")
    page.add_argument(
        "--host", default=LOCAL, help=f"let this network in; needs a password in {PASSWORD}"
    )
    page.add_argument(
        "--share",
        action="store_true",
        help=f"let anyone in, through a tunnel of Gradio's; needs a password in {PASSWORD}",
    )
    models = parser.add_argument_group("the models")
    models.add_argument("--prompt", metavar="NAME", help="default: the one each was trained with")
    models.add_argument(
        "--keep", type=int, default=KEPT, metavar="N", help="models in memory (default: 2)"
    )
    models.add_argument("--dtype", choices=("bfloat16", "float16", "float32"))
    models.add_argument("--threads", type=int, metavar="N", help="of a .gguf (default: all cores)")
    endpoint = parser.add_argument_group(
        "endpoint:NAME", "What is written is sent there; the key comes from OPENAI_API_KEY."
    )
    add_endpoint_options(endpoint)


def context_of(options: argparse.Namespace) -> Context:
    """The page that the options name. PengadilError for models that do not exist."""
    threshold = options.threshold
    if threshold is not None and not 0 <= threshold <= 1:
        raise PengadilError(f"--threshold {threshold}", "not from 0 to 1", "Give it as in 0.5.")
    if options.keep < 1:
        raise PengadilError(f"--keep {options.keep}", "fewer than one model", "Keep one at least.")
    for model in options.models:
        check_model(model, options.prompt)
    settings = given_settings(options)
    taken = {name for model in options.models for name in taken_by(model)}
    for name in sorted(set(settings) - taken):
        raise PengadilError(
            "--" + name.replace("_", "-"), "for none of these models", "Leave it out."
        )
    shelf = Shelf(
        options.models,
        kept=options.keep,
        open_one=partial(open_named, settings=settings),
        prompt_of=partial(prompt_of, given=options.prompt),
    )
    return Context(shelf, options.language, options.results, threshold)


def check_model(model: str, prompt: str | None) -> None:
    """PengadilError if there is no such model here, or its prompt is gone; nothing is loaded.

    A name of the hub is believed until it is first used.
    """
    path = Path(model)
    here = is_run(path) or path.is_dir() or (path.suffix.lower() == GGUF and path.is_file())
    if not (here or may_be_on_hub(model) or model == PACKAGED or is_served(model)):
        open_judge(model)  # says what is wrong with it
    prompt_of(model, prompt)


def is_served(model: str) -> bool:
    """Whether it is a model behind an endpoint."""
    return model.startswith(ENDPOINT) or is_address(model)


def given_settings(options: argparse.Namespace) -> dict[str, Any]:
    """The options that were given and that a judge takes, by name."""
    names = ("dtype", "threads", *sorted(ENDPOINT_SETTINGS))
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def open_named(model: str, settings: dict[str, Any]) -> Judge:
    """The judge of a model, with those of the settings that its kind takes."""
    if is_address(model):
        base_url, served = served_model(model)
        model, settings = ENDPOINT + served, {**settings, "base_url": base_url}
    taken = taken_by(model)
    return open_judge(model, **{name: settings[name] for name in settings if name in taken})


def taken_by(model: str) -> set[str]:
    """The settings that a model of this kind takes."""
    if is_served(model):
        return ENDPOINT_SETTINGS
    return {"threads"} if Path(model).suffix.lower() == GGUF else {"dtype"}


def prompt_of(model: str, given: str | None) -> Prompt:
    """The prompt of a model. PengadilError where it is gone, or asks for no verdict."""
    prompt = judge_prompt(model, given)
    _ = prompt.form
    return prompt
