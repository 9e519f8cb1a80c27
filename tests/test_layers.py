"""The floors of the library: imports go down, never in a circle, and never load what is heavy."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(str(importlib.util.find_spec("pengadil").submodule_search_locations[0]))
FLOORS = (
    (
        *("errors", "records", "verdict", "verdict_quotes", "verdict_words", "folders"),
        *("settings", "verbs"),
    ),
    (
        "forms",
        "prompts",
        "language",
        "naming",
        "conflicts",
        "recipe",
        "statistics",
        "calibration",
        "usage",
        "baselines",
    ),
    ("paired", "kappa"),
    (
        "data",
        "endpoint",
        "hardware",
        "models",
        "tiny_encoder",
        "loading",
        "tokens",
        "runs",
        "wording",
    ),
    ("judges", "tracking_access"),
    ("planning",),
    # It validates with a judge, and computes as many rows at once as the plan expects to fit.
    ("training",),
    # A report needs nothing but files, and an evaluation ends by writing one.
    ("summary", "report"),
    ("comparison", "curves", "tracking_content"),
    ("evaluation", "export", "terminal", "terminal_tables", "probes", "rating"),
    ("preflight", "sweep", "tracking", "training_tracking"),
    ("preparation", "exploration", "checking", "splitting", "listing"),
    ("judging", "remote", "guard"),
    ("reviewing",),
    # For people and for programs: pages and a service.
    ("app", "serving"),
    ("command", "__main__"),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
HEAVY = {
    *("accelerate", "bitsandbytes", "datasets", "gguf", "gradio", "huggingface_hub", "httpx"),
    *("jinja2", "llama_cpp", "matplotlib", "numpy", "openai", "pandas", "peft", "psutil"),
    *("rich", "safetensors", "scipy", "sklearn", "tokenizers", "torch", "transformers", "trl"),
    *(
        "optuna",
        "py3langid",
        "pyarrow",
        "rapidfuzz",
        "ray",
        "requests",
        "unsloth",
        "wandb",
        "weave",
    ),
    *("fastapi", "prometheus_client", "pydantic", "pypdf", "starlette", "uvicorn"),
}
# They define torch's and transformers' own kinds of class; whoever needs them imports them inside a
# function.
TORCH = {
    f"training/{name}.py"
    for name in (
        *("linear_loss", "objective", "orpo_scores", "reporting"),
        *("sft", "sft_loss", "sft_validation"),
    )
}
FILES = sorted(PACKAGE.rglob("*.py"))


def file_name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(node: ast.AST) -> list[str]:
    """The modules that an import statement may load, by their full names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports name their module in full"
        return [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that importing a module executes: not functions, nor what is for types only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from run_on_import(child)


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


MODULES = {module_of(path): path for path in FILES}
# All imports count here, those inside functions and those for types too.
USES = {
    module: {
        name
        for node in ast.walk(tree(path))
        for name in imported(node)
        if name in MODULES and name not in (module, "pengadil")
    }
    for module, path in MODULES.items()
}


@pytest.mark.parametrize("path", FILES, ids=map(file_name, FILES))
def test_no_heavy_library_is_loaded_on_import(path: Path) -> None:
    loaded = {
        name.split(".")[0] for node in run_on_import(tree(path)) for name in imported(node)
    } & HEAVY
    assert bool(loaded) == (file_name(path) in TORCH)
    assert loaded <= {"torch", "transformers"}


def test_every_room_has_its_floor_and_every_floor_its_rooms() -> None:
    assert {room_of(module) for module in MODULES} - {""} == set(FLOOR)


def test_imports_go_down() -> None:
    upward = {
        (room_of(module), room_of(used))
        for module, uses in USES.items()
        for used in uses
        if room_of(module) and FLOOR[room_of(used)] > FLOOR[room_of(module)]
    }
    assert not upward


def test_the_top_imports_nothing_but_the_guard_when_asked() -> None:
    assert USES["pengadil"] == {"pengadil.guard.guard"}
    at_once = {name for node in run_on_import(tree(MODULES["pengadil"])) for name in imported(node)}
    assert not at_once & MODULES.keys()


@pytest.mark.parametrize("level", ["modules", "rooms"])
def test_no_imports_go_in_a_circle(level: str) -> None:
    graph: dict[str, set[str]] = USES
    if level == "rooms":
        graph = {}
        for module, uses in USES.items():
            others = {room_of(used) for used in uses} - {room_of(module)}
            graph.setdefault(room_of(module), set()).update(others)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


def test_the_library_knows_nothing_of_the_folders_above_it() -> None:
    above = {"scripts", "eval", "tests", "benchmarks", "kaggle"}
    for path in FILES:
        for node in ast.walk(tree(path)):
            # The library of that name, and not our folder.
            names = [name for name in imported(node) if not name.startswith("kaggle.api")]
            assert not above & {name.split(".")[0] for name in names}, path


def test_importing_all_of_it_and_reading_a_verdict_loads_nothing_heavy() -> None:
    code = (
        "import importlib, json, sys\n"
        "names, heavy = json.loads(sys.argv[1]), set(json.loads(sys.argv[2]))\n"
        "found = {}\n"
        "for name in names:\n"
        "    importlib.import_module(name)\n"
        "    found[name] = sorted(heavy & set(sys.modules))\n"
        "sys.modules['pengadil.verdict'].read_verdict('{\"consistency\": 1}')\n"
        "found['read_verdict'] = sorted(heavy & set(sys.modules))\n"
        "print(json.dumps(found))"
    )
    light = sorted(module for module, path in MODULES.items() if file_name(path) not in TORCH)
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(light), json.dumps(sorted(HEAVY))],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert len(found) == len(light) + 1
    assert {name: loaded for name, loaded in found.items() if loaded} == {}
