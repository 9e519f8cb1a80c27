"""The GPUs that can be planned for without having them."""

from __future__ import annotations

from dataclasses import dataclass

from pengadil.errors import PengadilError, did_you_mean
from pengadil.hardware import BFLOAT16_FROM, OLD_GPU, UNSLOTH_FROM, Hardware

NONE = "none"
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as its maker publishes it.

    `gibibytes` is what torch can take of it (the driver keeps some of the nominal size back, more
    with error correction). `teraflops` is the published peak of 16-bit matrix products summed in
    float32, without sparsity; `peak_source` says where it stands.
    """

    label: str
    capability: tuple[int, int]
    gibibytes: float
    teraflops: float
    peak_source: str

    @property
    def hardware(self) -> Hardware:
        """The device as `hardware.detect` would describe it; the host's cores are not known."""
        return Hardware(
            device="cuda",
            name=self.label,
            capability=self.capability,
            memory_bytes=int(self.gibibytes * GIB),
            cores=1,
            threads=1,
            bf16_fast=self.capability >= BFLOAT16_FROM,
        )

    @property
    def warning(self) -> str:
        """What has to be done before this GPU trains at all, or an empty text."""
        if self.capability >= UNSLOTH_FROM:
            return ""
        return (
            f"Neither Unsloth nor stock torch (CUDA 12.8 and later) serves the {self.label} any "
            f"more. {OLD_GPU}"
        )


GPUS = {
    "t4": Gpu("Tesla T4", (7, 5), 14.6, 65, "NVIDIA's T4 data sheet"),
    # It has no tensor cores: summed in float32, 16-bit products run at its float32 rate.
    "p100": Gpu("Tesla P100 16 GB", (6, 0), 15.9, 9.3, "NVIDIA's P100 data sheet, PCIe, float32"),
    "l4": Gpu("NVIDIA L4", (8, 9), 22.0, 121, "NVIDIA's L4 data sheet, halved: without sparsity"),
    "a100-40": Gpu("NVIDIA A100 40 GB", (8, 0), 39.4, 312, "NVIDIA's A100 data sheet"),
    "a100-80": Gpu("NVIDIA A100 80 GB", (8, 0), 79.1, 312, "NVIDIA's A100 data sheet"),
    "rtx3060": Gpu(
        "GeForce RTX 3060 12 GB",
        (8, 6),
        11.75,
        25,
        "its 112 tensor cores at 1.78 GHz, 64 products a cycle each",
    ),
}


def find_gpu(name: str) -> Gpu:
    """The GPU of that name (t4, p100, ...). Raises PengadilError for another."""
    try:
        return GPUS[name.lower()]
    except KeyError:
        raise PengadilError(
            f"--gpu {name}", "not a GPU that is known here", did_you_mean(name, [*GPUS, NONE])
        ) from None


def published(hardware: Hardware) -> Gpu | None:
    """The GPU of the list that this device is, told by its name; None for any other."""
    for gpu in GPUS.values():
        words = gpu.label.split()
        known = words[1] if words[0] != "GeForce" else "3060"
        close = abs(hardware.memory_bytes / GIB - gpu.gibibytes) < gpu.gibibytes / 10
        if hardware.device == "cuda" and known in hardware.name and close:
            return gpu
    return None
