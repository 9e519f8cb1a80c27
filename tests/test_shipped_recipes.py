"""Every shipped recipe trained for two steps on a tiny random model of its own architecture.

Only what a moment on a CPU cannot do is another: the model, how many rows, steps and validations
there are, and the slices that need a hub.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers_tiny_models import make_tiny
from helpers_training import cpu_only, log

from pengadil.data.bundled import GRADES, load_bundled
from pengadil.data.named import named_sources
from pengadil.data.slices import load_slice
from pengadil.folders import find, names
from pengadil.prompts import load_prompt
from pengadil.recipe import Recipe, check_prompt, load_recipe, parse_source
from pengadil.records import Rewrite
from pengadil.training import run
from pengadil.training.plan import make_plan
from pengadil.training.watch import Validation, Watch

# What transformers calls the architecture of each recipe's model.
KINDS = {
    "gemma-3-270m": "gemma3_text",
    "laptop": "llama",
    "llama-orpo": "llama",
    "malaysian-deberta": "deberta-v2",
    "malaysian-mistral-v2": "mistral",
    "malaysian-mistral-v3": "mistral",
    "malaysian-mistral-v3-malay": "mistral",
    "mistral-puzzte": "mistral",
    "qwen-rewrite-20-steps": "qwen2",
    "qwen-rewrite-epoch": "qwen2",
    "smoke": "llama",
    "smoke-classifier": "deberta-v2",
    "smoke-orpo": "llama",
}
ROWS, VALIDATION_ROWS, STEPS = 24, 6, 2


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The folder of each kind's model, made once."""
    folder = tmp_path_factory.mktemp("tiny")

    def model(kind: str) -> Path:
        return folder / kind if (folder / kind).is_dir() else make_tiny(kind, folder / kind)

    return model


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with copies of what the hub has, small and invented."""
    monkeypatch.chdir(tmp_path)
    for source in named_sources().values():
        for split in filter(None, (source.train, source.validation)):
            owner, _, name = source.hub.partition("/")
            path = Path("data", owner, f"{name}-{split}.jsonl")
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = pairs() if source.kind == "preferences" else examples(source.hub, split)
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with Path("rewrites.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("LLM", "human"), *texts()])
    return tmp_path


def examples(hub: str, split: str) -> Iterator[dict[str, Any]]:
    """Rows of the bundled sample with the columns of a data set of the hub."""
    for row in load_bundled("contoh", "validation" if split == "validation" else "train", 2 * ROWS):
        if hub == "tasksource/puzzte":
            label = "entailment" if row.answer else "not entailment - unknown"
            yield {"puzzle_text": row.passage, "question": row.question, "answer": label}
            continue
        yield {
            "passage": row.passage,
            "question": row.question,
            "answer": row.answer,
            "language": {"ms": "Malay", "en": "English"}[row.language],
            "reasoning": row.reasoning,
        }


def pairs() -> Iterator[dict[str, Any]]:
    """Conversations, some of them long, with a better and a worse end."""
    for number, row in enumerate(load_bundled("contoh", "train", 2 * ROWS)):
        before = [
            {"role": "system", "content": "Jawab pendek."},
            {"role": "user", "content": row.passage},
            {"role": "assistant", "content": "Baik."},
            {"role": "user", "content": f"{row.question} " * (400 if number == 5 else 1)},
        ]
        chosen, rejected = (
            [*before, {"role": "assistant", "content": text}] for text in ("Ya.", "Entah.")
        )
        yield {"prompt": row.question, "chosen": chosen, "rejected": rejected, "source": "x"}


def texts() -> Iterator[tuple[str, str]]:
    for number, row in enumerate(load_bundled("contoh", "train", 2 * ROWS)):
        yield (
            f"Pada hakikatnya, {row.passage} {number}. " * (200 if number == 5 else 1),
            row.passage,
        )


def few(sources: tuple[str, ...], rows: int) -> str:
    """The same sources with fewer rows, as an option has them."""
    return ",".join(f"{parse_source(text)[0]}:{rows}" for text in sources)


def shrunk(name: str, model: Path) -> Recipe:
    """The recipe with a tiny model, few rows, two steps and a validation after them."""
    whole = load_recipe(name)
    options = {
        "model.name": str(model),
        "model.revision": "",
        "data.train": few(whole.data.train, ROWS),
        "train.max_steps": STEPS,
        "train.warmup_steps": min(whole.train.warmup_steps, 1),
        "evaluation.slices": "",
    }
    if whole.data.validation:
        options["data.validation"] = few(whole.data.validation, VALIDATION_ROWS)
    if whole.data.validation or whole.data.validation_share:
        options["train.validate_every"] = STEPS
    return load_recipe(name, [f"--{key}={value}" for key, value in options.items()])


def moved(trained: Path, base: Path) -> float:
    """How far training moved the weights: an adapter's second halves begin at 0."""
    from safetensors.torch import load_file

    [file] = trained.glob("*.safetensors")
    weights = load_file(file)
    if file.name == "adapter_model.safetensors":
        return max(
            float(weight.abs().max()) for name, weight in weights.items() if "lora_B" in name
        )
    before = load_file(base / "model.safetensors")
    both = [
        (weight, old)
        for name, weight in weights.items()
        for old in [before.get(name.removeprefix("deberta."))]
        if old is not None
    ]
    assert len(both) == len(before)
    return max(float((weight - old).abs().max()) for weight, old in both)


def test_there_is_an_architecture_for_each_recipe() -> None:
    assert sorted(KINDS) == names("recipes")


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_shipped_recipe_trains(
    name: str, tiny: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu_only(monkeypatch)
    recipe = shrunk(name, tiny(KINDS[name]))
    plan = make_plan(recipe)
    assert plan.steps == STEPS
    assert plan.choice.engine == "portable"
    found, old = run.find_or_start(plan, home / "runs")
    assert not old
    validations: list[Validation] = []
    assert run.train(plan, found, Watch(on_validation=validations.append))
    assert found.finished
    steps = log(found)
    assert [step["step"] for step in steps] == [1, 2]
    assert all(math.isfinite(step["loss"]) and step["learning_rate"] >= 0 for step in steps)
    assert moved(found.adapter, plan.model.folder) > 0
    watched = recipe.data.validation or recipe.data.validation_share
    assert [made.step for made in validations] == ([STEPS] if watched else [])
    assert all(math.isfinite(made.value) and made.n for made in validations)
    # The invented pairs and texts have a long one each; it is left out where the recipe says so.
    drops = recipe.data.long == "drop" and recipe.train.method != "classifier"
    assert bool(plan.dropped) == drops


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_shipped_recipe_says_what_it_is(name: str) -> None:
    recipe = load_recipe(name)
    check_prompt(recipe, load_prompt(recipe.data.prompt))
    assert recipe.description
    for text in (*recipe.data.train, *recipe.data.validation):
        source = parse_source(text)[0]
        assert source in GRADES or source in named_sources() or source.endswith(".csv")
    known = find("eval", "slices")
    bundled = [name for name in recipe.evaluation.slices if name in GRADES]
    assert all(load_slice(test, known).examples for test in bundled)
    lines = find("recipes", name).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith(f"# python scripts/train.py {name}")
    assert max(map(len, lines)) <= 100
    if any(parse_source(text)[0] not in GRADES for text in recipe.data.train):
        assert recipe.published, "its published result stands beside it"
    assert f"| `{name}` |" in find("recipes", "README", ".md").read_text(encoding="utf-8")


def test_a_row_of_rewrites_is_one_of_the_files_pairs(home: Path) -> None:
    """The invented file has the published file's columns."""
    from pengadil.data.rewrites import load_rewrites

    [row] = load_rewrites("rewrites.csv:1")
    assert row == Rewrite("rewrites-2", *next(texts()), "rewrites")
