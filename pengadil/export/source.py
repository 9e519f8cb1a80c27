"""What is exported: a finished run, or an adapter by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pengadil.errors import PengadilError
from pengadil.judges.base import SCORE
from pengadil.judges.opening import judge_prompt
from pengadil.models import LocalModel, file_sha256, resolve_model
from pengadil.prompts import Prompt
from pengadil.recipe import load_recipe
from pengadil.records import Example, read_judgements
from pengadil.runs import Run, is_run, open_run

WEIGHTS = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
FOLDER = "gguf"
DEFAULT_QUANT = "q8_0"


@dataclass(frozen=True, slots=True)
class Source:
    """An adapter, the base it belongs to, and the prompt it was trained with."""

    name: str
    folder: Path
    adapter: Path
    base: LocalModel
    prompt: Prompt
    run: Run | None = None

    @property
    def identity(self) -> dict[str, str | dict[str, str]]:
        """What makes a file made from this source out of date when it changes."""
        return {
            "source": self.name,
            "adapter_sha256": file_sha256(self.adapter / WEIGHTS),
            "base": {"name": self.base.name, "revision": self.base.revision},
            "prompt": {"name": self.prompt.name, "sha256": self.prompt.sha256},
        }


def open_source(path: Path) -> Source:
    """The run at a path (`latest` is followed), the run an adapter folder is in, or an adapter.

    Raises PengadilError when it is none of these, when the run has not finished, and when its
    base model or its prompt is no longer what it was trained with.
    """
    if not is_run(path) and (path / ADAPTER_CONFIG).is_file():
        if not is_run(path.resolve().parent):
            return _bare_adapter(path)
        path = path.resolve().parent
    run = open_run(path)
    if run.facts().get("method") == "classifier":
        raise PengadilError(
            str(path),
            "an encoder classifier, which has no GGUF",
            "Judge with the run folder itself.",
        )
    trained = run.facts()["base"]
    base = resolve_model(trained["name"], trained["revision"])
    if trained["revision"] and base.revision != trained["revision"]:
        raise PengadilError(
            str(path),
            f"its base {base.name} is now {base.revision}, not {trained['revision']}",
            "Restore that model, or train again.",
        )
    _check_adapter(run.adapter)
    folder = run.folder.resolve()
    return Source(folder.name, run.folder, run.adapter, base, judge_prompt(str(run.folder)), run)


def recipe_quants(path: Path) -> tuple[str, ...]:
    """The quantisations that the run's recipe names; q8_0 for an adapter by itself.

    Raises PengadilError as `open_source` does.
    """
    run = open_source(path).run
    return load_recipe(run.recipe_file).export.quant if run else (DEFAULT_QUANT,)


def _bare_adapter(path: Path) -> Source:
    _check_adapter(path)
    config = json.loads((path / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    base = resolve_model(config.get("base_model_name_or_path") or "", config.get("revision") or "")
    return Source(path.resolve().name, path, path, base, judge_prompt(str(path)))


def _check_adapter(adapter: Path) -> None:
    for name in (ADAPTER_CONFIG, WEIGHTS, "tokenizer.json"):
        if not (adapter / name).is_file():
            raise PengadilError(
                str(adapter), f"no {name} in it", "Train again; a finished run has one."
            )


def adapter_verdicts(
    source: Source,
    slice_name: str,
    examples: Sequence[Example],
    advance: Callable[[int], None],
) -> dict[str, int | None]:
    """The adapter's verdicts by id: those of the run's evaluation if whole, else judged now."""
    recorded = _recorded_verdicts(source, slice_name, examples)
    if recorded is not None:
        return recorded
    from pengadil.judges.transformers_judge import TransformersJudge

    judge = TransformersJudge.open(source.base, adapter=source.adapter)
    verdicts: dict[str, int | None] = {}
    for batch in judge.judge(examples, source.prompt, SCORE):
        verdicts |= {row.id: row.verdict for row in batch}
        advance(len(verdicts))
    return verdicts


def _recorded_verdicts(
    source: Source, slice_name: str, examples: Sequence[Example]
) -> dict[str, int | None] | None:
    """None unless the run was evaluated to the end, on these rows and with its own prompt."""
    if source.run is None:
        return None
    folder = source.run.evaluation(slice_name, SCORE)
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if summary.get("prompt", {}).get("sha256") != source.prompt.sha256:
        return None
    judged = {row.id: row for row in read_judgements(folder / "results.jsonl")}
    for example in examples:
        if example.id not in judged or judged[example.id].gold != example.answer:
            return None
    return {example.id: judged[example.id].verdict for example in examples}
