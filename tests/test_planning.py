"""Plans: which engine a GPU has, what shape a model has, and how many rows fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers_memory import DEBERTA, LLAMA, write_config
from helpers_planning import CPU, T4, a_choice, a_recipe
from hypothesis import given
from hypothesis import strategies as st

from pengadil.errors import PengadilError
from pengadil.hardware import Hardware
from pengadil.planning.estimate import device_choice
from pengadil.planning.fit import CPU_TOKENS, GPU_TOKENS, batch_of, fit, most_tokens, usable
from pengadil.planning.gpus import find_gpu, published
from pengadil.planning.memory import memory
from pengadil.planning.shape import Shape, read_shape
from pengadil.recipe import Recipe

GIB = 2**30


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Shape:
    return read_shape(write_config(tmp_path_factory.mktemp("llama"), "llama", **LLAMA))


@pytest.fixture(scope="module")
def mistral(tmp_path_factory: pytest.TempPathFactory) -> Shape:
    return read_shape(write_config(tmp_path_factory.mktemp("mistral"), "mistral"))


def qlora(**settings: Any) -> Recipe:
    return a_recipe(**{"rank": 64, "load_in_4bit": True, **settings})


# GPUs and engines


@pytest.mark.parametrize(
    ("name", "engine", "dtype"),
    [
        ("t4", "unsloth", "float16"),
        ("p100", "portable", "float16"),
        ("l4", "unsloth", "bfloat16"),
        ("a100-40", "unsloth", "bfloat16"),
        ("A100-80", "unsloth", "bfloat16"),
        ("rtx3060", "unsloth", "bfloat16"),
    ],
)
def test_engine_and_precision_of_a_gpu_that_is_not_here(name: str, engine: str, dtype: str) -> None:
    gpu = find_gpu(name)
    choice = device_choice(a_recipe(), gpu.hardware, here=False)
    assert (choice.engine, choice.dtype) == (engine, dtype)
    assert published(gpu.hardware) is gpu


def test_a_p100_is_told_in_plain_words_what_still_serves_it() -> None:
    warning = find_gpu("p100").warning
    for word in ("Unsloth", "stock torch", "cu126", "bitsandbytes", "portable"):
        assert word in warning
    assert not find_gpu("t4").warning


def test_an_unknown_gpu_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(PengadilError, match=r"--gpu t5: not a GPU .* There are: t4, p100"):
        find_gpu("t5")
    assert published(Hardware("cuda", "NVIDIA H200", (9, 0), 139 * GIB, 1, 1, True)) is None
    assert published(CPU) is None


def test_an_encoder_is_trained_without_unsloth_on_any_gpu() -> None:
    choice = device_choice(a_recipe(rank=0, method="classifier"), T4, here=False)
    assert choice.engine == "portable"
    assert "encoders gain nothing" in choice.reason


# Shapes


@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen2", "gemma3_text"])
def test_a_shape_counts_what_the_model_has(kind: str, tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = write_config(tmp_path, kind, **LLAMA)
    shape = read_shape(folder)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    assert shape.parameters == model.num_parameters()
    assert shape.family == kind
    assert len(shape.linears) == 7 * 3
    assert (shape.width, shape.mlp, shape.layers, shape.vocabulary) == (128, 384, 3, 600)
    assert not shape.quantised
    # Gemma 3 normalises before and after both halves, and each head.
    assert shape.normed == (4 * 128 + (4 + 2) * 32 if kind == "gemma3_text" else 2 * 128)


def test_an_encoders_shape(tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    folder = write_config(tmp_path, "deberta-v2", **DEBERTA)
    shape = read_shape(folder, classifier=True)
    config = AutoConfig.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_config(config)
    assert shape.parameters == model.num_parameters()
    assert shape.relative == 2 * 64


def test_targets_are_chosen_as_peft_chooses_them(small: Shape) -> None:
    assert len(small.adapted(("q_proj", "v_proj"))) == 2 * 3
    assert small.adapter_parameters(4, ("q_proj",)) == 3 * 4 * (128 + 128)
    with pytest.raises(PengadilError, match="no layer has such a name"):
        small.adapted(("query",))


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "no-such-model"}', encoding="utf-8")
    with pytest.raises(PengadilError, match="describes no causal language model"):
        read_shape(tmp_path)


# What fits


def test_logits_are_counted_in_the_slices_that_the_loss_makes() -> None:
    from pengadil.planning.memory import LOGIT_ROWS
    from pengadil.training.linear_loss import ROWS_AT_ONCE

    assert LOGIT_ROWS == ROWS_AT_ONCE


def test_trainers_bound_what_is_computed_at_once() -> None:
    recipe, unsloth = a_recipe(), a_choice("unsloth", "float16")
    assert most_tokens(recipe, CPU, a_choice()) == CPU_TOKENS
    assert most_tokens(recipe, T4, unsloth) == GPU_TOKENS
    assert most_tokens(recipe, T4, a_choice()) is None
    assert most_tokens(a_recipe(method="orpo"), T4, unsloth) is None
    assert most_tokens(a_recipe(rank=0, method="classifier"), T4, a_choice()) == GPU_TOKENS
    assert most_tokens(a_recipe(micro_batch_size=2), CPU, a_choice()) is None


def test_mistral_fits_a_t4_and_not_a_gpu_of_four_gigabytes(mistral: Shape) -> None:
    recipe, choice = qlora(optimizer="paged_adamw_32bit"), a_choice("unsloth", "float16")
    found = fit(mistral, recipe, find_gpu("t4").hardware, choice, 2048)
    assert found.fits
    assert found.micro_batch_size * found.accumulation == 8
    assert found.memory.total <= found.usable == find_gpu("t4").hardware.memory_bytes
    little = fit(mistral, recipe, T4, choice, 2048, 4 * GIB)
    assert not little.fits
    assert little.micro_batch_size == 1
    assert "a single row would take" in little.reason
    assert "GPU with more memory" in little.reason


def test_the_largest_divisor_that_fits_is_taken(mistral: Shape) -> None:
    recipe, choice = qlora(), a_choice("portable", "float16")
    sizes = {
        rows: memory(mistral, recipe, T4, choice, batch_of(recipe, rows, 512)).total
        for rows in (1, 2, 4, 8)
    }
    for rows, total in sizes.items():
        found = fit(mistral, recipe, T4, choice, 512, total)
        assert (found.micro_batch_size, found.accumulation) == (rows, 8 // rows)
        assert found.memory.total == total
        less = fit(mistral, recipe, T4, choice, 512, total - 1)
        assert less.micro_batch_size == max(1, rows // 2)
        assert less.fits == (rows > 1)
    assert "all of it fits" in fit(mistral, recipe, T4, choice, 512, sizes[8]).limits
    assert "8 would take" in fit(mistral, recipe, T4, choice, 512, sizes[8] - 1).limits


@given(
    batch=st.integers(1, 96),
    longest=st.integers(1, 4096),
    room=st.integers(0, 64).map(lambda gibibytes: gibibytes * GIB),
    method=st.sampled_from(["sft", "orpo"]),
)
def test_whatever_is_asked_the_micro_batch_divides_the_batch(
    mistral: Shape, batch: int, longest: int, room: int, method: str
) -> None:
    recipe = qlora(batch_size=batch, method=method)
    found = fit(mistral, recipe, T4, a_choice("portable", "float16"), longest, room)
    assert batch % found.micro_batch_size == 0
    assert found.accumulation * found.micro_batch_size == batch
    assert found.fits == (found.memory.total <= room)
    assert found.fits or found.micro_batch_size == 1


def test_a_micro_batch_that_the_recipe_names_is_kept(mistral: Shape) -> None:
    recipe = qlora(micro_batch_size=4)
    found = fit(mistral, recipe, T4, a_choice("unsloth", "float16"), 2048, 4 * GIB)
    assert found.micro_batch_size == 4
    assert not found.fits
    assert "lower --train.micro_batch_size" in found.reason


def test_a_processor_computes_no_more_tokens_at_once_than_its_trainer(small: Shape) -> None:
    many, few = a_recipe(batch_size=64), a_recipe(batch_size=16)
    found = fit(small, many, CPU, a_choice(), 128)
    assert found.micro_batch_size == 64
    assert found.memory.total == fit(small, few, CPU, a_choice(), 128).memory.total
    assert f"{CPU_TOKENS:,} tokens" in found.limits


def test_a_pair_is_two_rows(small: Shape) -> None:
    pairs, rows = a_recipe(method="orpo", batch_size=2), a_recipe(batch_size=4)
    assert batch_of(pairs, 2, 100) == batch_of(rows, 4, 100)


def test_a_machines_own_memory_is_not_taken_whole() -> None:
    assert usable(T4) == T4.memory_bytes
    assert usable(CPU) < CPU.memory_bytes
