"""One GPU of several: which, and how the libraries are kept from taking all of them."""

from __future__ import annotations

import os
import shutil
import subprocess

from pengadil.training.processes import world

VISIBLE = "CUDA_VISIBLE_DEVICES"
SECONDS = 5.0  # for nvidia-smi to answer; a driver that hangs must not hold anything up


def use_one_gpu() -> str:
    """Let this process see one CUDA device, its first; a sentence for the user if there are more.

    Must come before torch is imported. Trainers of transformers spread a batch over all devices
    that they see, and TRL's refuse. Launched by accelerate, each process takes one of its own, and
    nothing is changed.
    """
    if world() > 1:
        return ""
    seen = visible_gpus()
    if len(seen) < 2:
        return ""
    os.environ[VISIBLE] = seen[0]
    return (
        f"one of the {len(seen)} GPUs is used (CUDA device {seen[0]}); "
        "accelerate launch scripts/train.py uses all, with the portable engine"
    )


def visible_gpus() -> list[str]:
    """The CUDA devices that this process may see, as CUDA_VISIBLE_DEVICES names them."""
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip()]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        listed = subprocess.run(
            [program, "--list-gpus"], capture_output=True, text=True, timeout=SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    count = sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    return [str(number) for number in range(count)]
