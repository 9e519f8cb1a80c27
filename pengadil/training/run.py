"""A recipe to a run folder: rows checked, adapter trained, everything recorded."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pengadil import runs
from pengadil.data.slices import Slice
from pengadil.data.sources import leaks, load_rows, rows_sha256
from pengadil.errors import PengadilError
from pengadil.hardware import Choice, Hardware, choose, detect, provenance, versions
from pengadil.loading import load_tokenizer
from pengadil.models import LocalModel, resolve_model
from pengadil.prompts import Prompt, load_prompt
from pengadil.recipe import Recipe, check_prompt
from pengadil.records import Appender, Example, drop_cut_line, read_jsonl, write_whole
from pengadil.runs import Run
from pengadil.tokens import Encoder
from pengadil.training.checkpoints import newest_complete, step_of
from pengadil.training.portable import Step, train_portable
from pengadil.training.rows import TrainingRow, make_rows, training_order


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a training needs, checked before it starts."""

    recipe: Recipe
    model: LocalModel
    prompt: Prompt
    encoder: Encoder
    tokenizer: Any
    sources: dict[str, list[Example]]
    rows: list[TrainingRow]  # in the order of training, repeated where there are more epochs
    hardware: Hardware
    choice: Choice

    @property
    def steps(self) -> int:
        return -(-len(self.rows) // self.recipe.train.batch_size)

    @property
    def tokens(self) -> int:
        return sum(len(row.ids) for row in self.rows)

    def data_facts(self) -> list[dict[str, Any]]:
        """Source, number of rows and SHA-256 of each of the recipe's sources."""
        return [
            {"source": name, "rows": len(examples), "sha256": rows_sha256(examples)}
            for name, examples in self.sources.items()
        ]


def make_plan(recipe: Recipe, tests: Sequence[Slice] = ()) -> Plan:
    """Resolve and check everything that can fail, before any time is spent on training.

    Raises PengadilError for an unknown model, source or prompt, rows that are too long, training
    rows that stand in a test slice, and an engine that does not run here.
    """
    prompt = load_prompt(recipe.data.prompt)
    check_prompt(recipe, prompt)
    sources = {name: load_rows(name, seed=recipe.train.seed) for name in recipe.data.train}
    for test in tests:
        leaked = [row for rows in sources.values() for row in leaks(rows, test.examples)]
        if leaked:
            raise PengadilError(
                f"{len(leaked)} training rows ({', '.join(leaked[:3])} ...)",
                f"they stand in the test slice {test.name} too",
                "Remove them from the training data: a score on rows seen before means nothing.",
            )
    hardware = detect()
    choice = choose(hardware, recipe.train.engine, recipe.model.dtype)
    if choice.engine != "portable":
        if recipe.train.engine == choice.engine:
            raise PengadilError(
                f'train.engine = "{choice.engine}"',
                "this version trains with the portable engine only",
                "Use --train.engine portable.",
            )
        choice = choose(hardware, "portable", recipe.model.dtype)
    model = resolve_model(recipe.model.name, recipe.model.revision)
    tokenizer = load_tokenizer(model.folder)
    encoder = Encoder.of_tokenizer(tokenizer, model.name)
    made = [
        make_rows(
            examples,
            prompt,
            encoder,
            recipe.data.max_length,
            recipe.train.loss,
            recipe.train.verdict_weight,
        )
        for examples in sources.values()
    ]
    flat = [row for rows in made for row in rows]
    wanted = round(len(flat) * recipe.train.epochs)
    if recipe.train.max_steps:
        wanted = recipe.train.max_steps * recipe.train.batch_size
    order = training_order(made, recipe.data.order, recipe.train.seed, max(1, wanted))
    rows = [flat[index] for index in order]
    return Plan(recipe, model, prompt, encoder, tokenizer, sources, rows, hardware, choice)


def find_or_start(plan: Plan, folder: Path, fresh: bool = False) -> tuple[Run, bool]:
    """The newest unfinished run of this plan, else a new one; and whether it is old.

    Recipe, base model, prompt and data must be the same. `fresh` always starts a new one.
    """
    planned = {
        "recipe": plan.recipe.name,
        "recipe_sha256": plan.recipe.sha256,
        "base": {"name": plan.model.name, "revision": plan.model.revision},
        "prompt": {"name": plan.prompt.name, "sha256": plan.prompt.sha256},
        "data": plan.data_facts(),
    }
    if not fresh:
        for path in sorted(folder.glob(f"{plan.recipe.name}-*"), reverse=True):
            run = Run(path)
            with contextlib.suppress(PengadilError):  # no run, or one of another version
                facts = run.facts()
                if not facts["evaluated"] and all(facts[key] == planned[key] for key in planned):
                    return run, True
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    run = Run(folder / f"{plan.recipe.name}-{stamp}")
    number = 1
    while run.folder.exists():
        number += 1
        run = Run(folder / f"{plan.recipe.name}-{stamp}-{number}")
    run.folder.mkdir(parents=True)
    run.recipe_file.write_text(plan.recipe.to_toml(), encoding="utf-8")
    run.write_facts(
        {
            "status": runs.TRAINING,
            "evaluated": False,
            **planned,
            "engine": asdict(plan.choice),
            "versions": versions(),
            "hardware": provenance(),
            "steps": plan.steps,
            "seconds": 0.0,
        }
    )
    return run, False


def train(plan: Plan, run: Run, on_step: Callable[[Step], None]) -> None:
    """Train the plan into the run folder, and make `latest` point to it.

    A run whose adapter is whole is not trained again. `run.json` says "finished" only when adapter
    and tokenizer are in place; then the checkpoints, of no more use, are removed.
    """
    if not run.finished:
        _train(plan, run, on_step)
    shutil.rmtree(run.checkpoints, ignore_errors=True)
    runs.point_latest(run)


def _train(plan: Plan, run: Run, on_step: Callable[[Step], None]) -> None:
    started = time.monotonic()
    before = _go_back(run.log, step_of(newest_complete(run.checkpoints)))

    def seconds() -> float:
        return round(before + time.monotonic() - started, 3)

    with Appender(run.log) as log:

        def record(step: Step) -> None:
            log.add_text(json.dumps({**asdict(step), "seconds": seconds()}))
            on_step(step)

        train_portable(
            recipe=plan.recipe,
            model_folder=plan.model.folder,
            rows=plan.rows,
            verdicts=plan.encoder.verdict,
            tokenizer=plan.tokenizer,
            pad_id=_pad_id(plan),
            hardware=plan.hardware,
            choice=plan.choice,
            checkpoints=run.checkpoints,
            adapter=run.adapter,
            on_step=record,
        )
    run.write_facts({**run.facts(), "status": runs.FINISHED, "seconds": seconds()})


def _go_back(log: Path, steps: int) -> float:
    """Keep the first `steps` steps of a log, those of the checkpoint; the seconds they took.

    The steps after it are lost with a kill, and will be made and logged again.
    """
    if not log.exists():
        return 0.0
    drop_cut_line(log)
    kept = [row for _, row in read_jsonl(log) if row["step"] <= steps]
    write_whole(log, "".join(json.dumps(row) + "\n" for row in kept))
    return float(kept[-1]["seconds"]) if kept else 0.0


def _pad_id(plan: Plan) -> int:
    pad = plan.tokenizer.pad_token_id
    return plan.encoder.eos_id if pad is None else int(pad)
