"""What `pip install .` gives: the wheel holds what the checkout holds, and works by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("scripts", "eval", "kaggle", "prompts", "recipes", "rubrics")
LEFT = shutil.ignore_patterns("__pycache__", "*.egg-info")


class Installed(NamedTuple):
    """An environment with the wheel in it, and an empty folder to work in."""

    wheel: Path
    commands: Path
    empty: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [str(self.commands / "pengadil"), *words],
            cwd=self.empty,
            env=surroundings,
            capture_output=True,
            encoding="utf-8",
        )


def pip(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *words], check=True)


def copy_of_sources(target: Path) -> Path:
    """A build leaves folders beside the sources: not in this checkout."""
    target.mkdir()
    for folder in ("pengadil", *FOLDERS):
        shutil.copytree(ROOT / folder, target / folder, ignore=LEFT)
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copyfile(file, target / file.name)
    return target


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution: whoever has only that gets the same."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copy_of_sources(folder / "source")
    code = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=source, check=True, capture_output=True
    )
    [archive] = folder.glob("*.tar.gz")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(archive))
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel alone in a new environment that borrows all other packages from this one."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=False)
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = folder / "venv" / scripts / Path(sys.executable).name
    site = sysconfig.get_path(
        "purelib", "venv", {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    )
    # A path in a .pth file: its own .pth files, such as an editable install's, are not read.
    (Path(site) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    (folder / "empty").mkdir()
    return Installed(wheel, python.parent, folder / "empty")


def files_of(folder: Path) -> set[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}


def test_the_wheel_holds_the_package_and_the_folders_beside_it(wheel: Path) -> None:
    wanted = files_of(ROOT / "pengadil")
    for folder in FOLDERS:
        wanted |= {f"pengadil/shipped/{name}" for name in files_of(ROOT / folder)}
    for file in (*ROOT.glob("requirements*.txt"), ROOT / "LICENSE"):
        wanted.add(f"pengadil/shipped/{file.name}")
    with ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert held == wanted
        for name in sorted(held):
            original = ROOT / name.removeprefix("pengadil/shipped/")
            assert archive.read(name) == original.read_bytes(), name


def test_the_extras_are_the_lists_of_that_name(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        told = archive.read(name).decode("utf-8").partition("\n\n")[0].splitlines()
    extras = [line.partition(": ")[2] for line in told if line.startswith("Provides-Extra")]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(extras) == set(settings["tool"]["setuptools"]["dynamic"]["optional-dependencies"])
    for extra in extras:
        lines = (ROOT / f"requirements-{extra}.txt").read_text(encoding="utf-8").splitlines()
        for line in lines:
            if line.strip() and not line.startswith("#"):
                assert f'Requires-Dist: {line}; extra == "{extra}"' in told


def test_the_installed_command_lists_its_verbs(installed: Installed) -> None:
    done = installed.run("--help")
    assert done.returncode == 0
    assert "  train " in done.stdout
    assert "  kaggle push " in done.stdout


def test_it_plans_a_recipe_that_it_carries(installed: Installed) -> None:
    done = installed.run("plan", "smoke")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("smoke on ")


def test_it_judges_the_sample_in_an_empty_folder(installed: Installed) -> None:
    done = installed.run("evaluate", "smollm2-135m", "--slice", "contoh", "--limit", "4")
    assert done.returncode == 0, done.stderr
    [results] = (installed.empty / "results").iterdir()
    assert (results / "report.html").is_file()
    assert '"git_commit": null' in (results / "summary.json").read_text(encoding="utf-8")


def test_a_push_to_kaggle_sends_the_package_and_ones_own_recipes(installed: Installed) -> None:
    (installed.empty / "recipes").mkdir()
    recipe = (ROOT / "recipes" / "smoke.toml").read_text(encoding="utf-8")
    (installed.empty / "recipes" / "saya.toml").write_text(recipe, encoding="utf-8")
    done = installed.run("kaggle", "push", "--recipe", "saya", "--dry-run", "--no-plan")
    assert done.returncode == 0, done.stderr
    assert "nothing was sent" in done.stdout
    own = len(list((ROOT / "recipes").iterdir())) + 1
    assert f" recipes/ {own} (" in done.stdout
    assert f" pengadil/ {len(files_of(ROOT / 'pengadil'))} (" in done.stdout
