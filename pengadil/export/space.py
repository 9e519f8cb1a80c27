"""The disk space of an export, known before work starts."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from pengadil.errors import PengadilError
from pengadil.export.merge import Size
from pengadil.export.quantise import F16, estimated_bytes

# Vocabulary and headers, which are not counted in weights; large vocabularies take 10 MB.
BESIDE_WEIGHTS = 16_000_000


def parts(size: Size, quants: Sequence[str]) -> dict[str, int]:
    """Bytes of everything that an export writes, by what it is."""
    sixteen_bits = 2 * size.parameters + BESIDE_WEIGHTS
    quantised = {
        quant: estimated_bytes(quant, size.parameters, size.embeddings, size.hidden)
        + BESIDE_WEIGHTS
        for quant in quants
        if quant != F16
    }
    return {"merged model": sixteen_bits, F16: sixteen_bits, **quantised}


def peak(needed: dict[str, int]) -> int:
    """The most that lies on the disk at once: the merged model goes once it is converted."""
    quantised = sum(needed.values()) - needed["merged model"] - needed[F16]
    return needed[F16] + max(needed["merged model"], quantised)


def check_space(folder: Path, size: Size, quants: Sequence[str]) -> dict[str, int]:
    """The parts and their bytes. Raises PengadilError if the folder's disk cannot hold them."""
    needed = parts(size, quants)
    free = shutil.disk_usage(folder).free
    if free < peak(needed):
        listed = ", ".join(f"{part} {_megabytes(count)}" for part, count in needed.items())
        raise PengadilError(
            str(folder),
            f"the export needs {_megabytes(peak(needed))} at its peak ({listed}), "
            f"and {_megabytes(free)} are free",
            "Free some space, or name a folder on another disk with --out.",
        )
    return needed


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
