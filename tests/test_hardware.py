"""What follows from a device, on made-up hardware; and that this machine is described."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
from typing import Any

import pytest

from pengadil import hardware
from pengadil.errors import PengadilError
from pengadil.hardware import (
    Hardware,
    check_kernels,
    choose,
    detect,
    processor,
    provenance,
    versions,
)

GIB = 2**30
OLD_CPU = Hardware("cpu", "an old processor", None, 8 * GIB, 4, 4, bf16_fast=False)
NEW_CPU = Hardware("cpu", "a new processor", None, 8 * GIB, 4, 4, bf16_fast=True)
APPLE = Hardware("mps", "Apple M2", None, 16 * GIB, 8, 8, bf16_fast=False)
P100 = Hardware("cuda", "Tesla P100", (6, 0), 16 * GIB, 4, 4, bf16_fast=False)
T4 = Hardware("cuda", "Tesla T4", (7, 5), 15 * GIB, 4, 4, bf16_fast=False)
A100 = Hardware("cuda", "A100", (8, 0), 40 * GIB, 12, 12, bf16_fast=True)


@pytest.fixture
def unsloth(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unsloth is there to be imported, or not, by the test's parameter."""
    found: Any = object() if getattr(request, "param", True) else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: found)


@pytest.mark.usefixtures("unsloth")
@pytest.mark.parametrize(
    ("machine", "engine", "dtype", "attention"),
    [
        (OLD_CPU, "portable", "float32", "eager"),
        (NEW_CPU, "portable", "bfloat16", "eager"),
        (APPLE, "portable", "float32", "sdpa"),
        (P100, "portable", "float16", "sdpa"),
        (T4, "unsloth", "float16", "sdpa"),
        (A100, "unsloth", "bfloat16", "sdpa"),
    ],
)
def test_engine_number_format_and_attention_follow_from_the_device(
    machine: Hardware, engine: str, dtype: str, attention: str
) -> None:
    choice = choose(machine)
    assert (choice.engine, choice.dtype, choice.attention) == (engine, dtype, attention)
    assert machine.name in choice.reason
    assert engine in choice.reason
    assert dtype in choice.reason
    assert "\n" not in choice.reason


@pytest.mark.usefixtures("unsloth")
@pytest.mark.parametrize("unsloth", [False], indirect=True)
def test_without_unsloth_a_gpu_is_portable_and_says_why() -> None:
    choice = choose(A100)
    assert choice.engine == "portable"
    assert "not installed" in choice.reason
    with pytest.raises(PengadilError, match="it is not installed"):
        choose(A100, "unsloth")


@pytest.mark.usefixtures("unsloth")
def test_an_engine_can_be_forced_where_it_runs() -> None:
    assert choose(A100, "portable").engine == "portable"
    assert choose(T4, "unsloth").engine == "unsloth"
    with pytest.raises(PengadilError, match=r"sm_70 or newer, and this is Tesla P100 \(sm_60\)"):
        choose(P100, "unsloth")
    with pytest.raises(PengadilError, match=r"NVIDIA GPU\. Use --train\.engine auto"):
        choose(NEW_CPU, "unsloth")


@pytest.mark.usefixtures("unsloth")
@pytest.mark.parametrize("unsloth", [False], indirect=True)
def test_another_machine_has_unsloth_if_it_is_said_to() -> None:
    assert choose(A100).engine == "portable"
    assert choose(A100, installed=True).engine == "unsloth"
    assert choose(P100, installed=True).engine == "portable"
    assert "not installed" in choose(T4, installed=False).reason


# What torch.cuda.get_arch_list() gives in the builds for CUDA 12.6, 12.8 and 13.0.
CU126 = ["sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"]
CU128 = ["sm_70", "sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]
CU130 = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120"]


@pytest.mark.parametrize(
    ("machine", "built", "served"),
    [
        (P100, CU126, True),
        (P100, CU128, False),
        (P100, CU130, False),
        (T4, CU126, True),
        (T4, CU130, True),
        (A100, CU130, True),
        # Kernels for an earlier GPU of the same generation run; of an earlier one, they do not.
        (dataclasses.replace(A100, capability=(8, 9)), CU130, True),
        (dataclasses.replace(A100, capability=(12, 1)), ["sm_90"], False),
        (dataclasses.replace(A100, capability=(12, 1)), ["compute_90"], True),
        (dataclasses.replace(A100, capability=(10, 3)), ["sm_100a"], False),
        (P100, [], True),  # a build without CUDA tells nothing
        (NEW_CPU, CU130, True),
    ],
)
def test_a_gpu_that_this_torch_has_no_kernels_for_is_told_what_to_install(
    machine: Hardware, built: list[str], served: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: built)
    if served:
        check_kernels(machine)
        return
    with pytest.raises(PengadilError) as refused:
        check_kernels(machine)
    assert machine.label in str(refused.value)
    assert ("cu126" in refused.value.next_step) == (machine is P100)


def test_a_p100s_mend_names_the_build_and_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: CU130)
    with pytest.raises(PengadilError, match=r"Tesla P100 \(sm_60\).* Unsloth") as refused:
        check_kernels(P100)
    for word in ("cu126", "bitsandbytes", "cuda126", "portable"):
        assert word in refused.value.next_step


@pytest.mark.usefixtures("unsloth")
def test_the_recipes_number_format_wins() -> None:
    choice = choose(T4, recipe_dtype="float32")
    assert choice.dtype == "float32"
    assert "float32: as the recipe asks" in choice.reason


def test_this_machine_is_detected() -> None:
    found = detect()
    assert found.device in ("cpu", "cuda", "mps")
    assert found.name
    assert found.cores == os.cpu_count()
    assert found.threads >= 1
    assert found.memory_bytes > 2**28
    assert (found.capability is not None) == (found.device == "cuda")
    assert choose(found).dtype in ("float32", "bfloat16", "float16")


def test_the_processor_is_described_whatever_gpu_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    found = processor()
    assert (found.device, found.capability) == ("cpu", None)
    assert found.memory_bytes > 2**28


def test_the_processor_is_asked_for_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def capabilities(**found: bool) -> None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)

    capabilities(avx512_bf16=True)
    assert hardware._cpu_bfloat16()
    capabilities(amx_bf16=True, avx512_bf16=False)
    assert hardware._cpu_bfloat16()
    capabilities(avx2=True)
    assert not hardware._cpu_bfloat16()
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not hardware._cpu_bfloat16()


def test_an_nvidia_gpu_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    class Card:
        name, major, minor, total_memory = "Tesla T4", 7, 5, 15 * GIB

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Card)
    found = detect()
    assert (found.device, found.name, found.capability) == ("cuda", "Tesla T4", (7, 5))
    assert found.memory_bytes == 15 * GIB
    assert not found.bf16_fast
    assert found.label == "Tesla T4 (sm_75)"


def test_provenance_is_json_and_names_no_host() -> None:
    import platform

    found = provenance()
    text = json.dumps(found)
    for key in ("platform", "processor", "cores", "memory_bytes", "device", "device_name"):
        assert found[key]
    assert platform.node() == "" or platform.node() not in text


def test_versions_leave_out_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "LIBRARIES", ("pytest", "no-such-library"))
    assert versions() == {"pytest": pytest.__version__}
