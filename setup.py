"""What pyproject.toml cannot say: the wheel carries the folders beside the package.

They go to pengadil/shipped/, laid out as here, so that the command `pengadil` runs the same scripts
from a wheel as from a checkout. An editable install uses the folders where they are.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import Command, setup
from setuptools.command.build import build

FOLDERS = ("scripts", "eval", "kaggle", "prompts", "recipes", "rubrics")
# Kaggle installs from the lists.
BESIDE = ("requirements*.txt", "LICENSE")
SUFFIXES = {".py", ".toml", ".md", ".ipynb"}
SHIPPED = "pengadil/shipped"


class BuildShipped(Command):  # type: ignore[misc]
    """Copy the folders into the package that is being built."""

    user_options = []  # noqa: RUF012 - as setuptools wants it
    editable_mode = False

    def initialize_options(self) -> None:
        self.build_lib: str | None = None

    def finalize_options(self) -> None:
        self.set_undefined_options("build_py", ("build_lib", "build_lib"))

    def run(self) -> None:
        if self.editable_mode:
            return
        # What an earlier build left there may be gone from the project.
        shutil.rmtree(Path(str(self.build_lib)) / SHIPPED, ignore_errors=True)
        for target, source in self.get_output_mapping().items():
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

    def get_source_files(self) -> list[str]:
        """For the source distribution too."""
        found = [path for pattern in BESIDE for path in Path().glob(pattern)]
        for folder in FOLDERS:
            found += [path for path in Path(folder).rglob("*") if path.suffix in SUFFIXES]
        return sorted(path.as_posix() for path in found)

    def get_outputs(self) -> list[str]:
        return list(self.get_output_mapping())

    def get_output_mapping(self) -> dict[str, str]:
        target = Path(str(self.build_lib)) / SHIPPED
        return {str(target / name): name for name in self.get_source_files()}


class Build(build):  # type: ignore[misc]
    sub_commands = [*build.sub_commands, ("build_shipped", None)]  # noqa: RUF012


setup(cmdclass={"build": Build, "build_shipped": BuildShipped})
