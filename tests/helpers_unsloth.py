"""What the contract test runs in a process of its own, where Unsloth patches everything.

Unsloth imports without a GPU when UNSLOTH_ALLOW_CPU is 1, but then leaves TRL as it is; here it is
made to patch it all the same. Its model classes need Triton kernels, so the model is transformers'.
"""

from __future__ import annotations

import inspect
import json
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

CONNECTIONS: list[str] = []
TRAINER = ("model", "args", "train_dataset", "data_collator", "processing_class")


def main(recipe_file: str, folder: str, found: str) -> None:
    """Write what was found to the file `found`, as JSON."""
    no_network()
    patched_trl()
    Path(found).write_text(json.dumps(findings(Path(recipe_file), Path(folder))), encoding="utf-8")


def no_network() -> None:
    """Note down every attempt to connect, and let none succeed."""

    def refuse(_: Any, address: Any) -> None:
        CONNECTIONS.append(str(address))
        raise ConnectionRefusedError(str(address))

    def unknown(host: Any, *_: Any, **__: Any) -> None:
        CONNECTIONS.append(str(host))
        raise socket.gaierror(str(host))

    socket.socket.connect = refuse  # type: ignore[assignment, method-assign]
    socket.getaddrinfo = unknown  # type: ignore[assignment]


def patched_trl() -> None:
    from pengadil.training.unsloth_model import import_unsloth

    os.environ["UNSLOTH_ALLOW_CPU"] = "1"
    assert not {"transformers", "peft", "trl"} & sys.modules.keys()
    import_unsloth()
    os.environ["UNSLOTH_ALLOW_CPU"] = "0"
    from unsloth.models.llama import FastLlamaModel
    from unsloth.models.rl import PatchFastRL
    from unsloth.trainer import _patch_trl_trainer

    PatchFastRL(FastLanguageModel=FastLlamaModel)
    _patch_trl_trainer()


def findings(recipe_file: Path, folder: Path) -> dict[str, Any]:
    from trl import SFTConfig, SFTTrainer
    from unsloth import FastLanguageModel

    from pengadil.loading import load_causal
    from pengadil.recipe import load_recipe
    from pengadil.training import sft
    from pengadil.training.orpo_trainer import orpo_arguments, orpo_classes
    from pengadil.training.plan import make_plan
    from pengadil.training.unsloth_model import CACHE, adapter_arguments, loading_arguments

    plan = make_plan(load_recipe(recipe_file))
    float32 = plan
    plan = replace(plan, choice=replace(plan.choice, engine="unsloth", dtype="bfloat16"))
    causal = load_causal(plan.model.folder, "bfloat16", "eager", "cpu")
    loading, adapter = loading_arguments(plan, 8192), adapter_arguments(plan, causal)
    orpo_config, orpo_trainer = orpo_classes()
    known = sft.sft_arguments
    configured = known(plan, folder / "checkpoints")
    preferring = orpo_arguments(plan, folder / "checkpoints")
    # On a CPU ours asks for none of both; told so, Unsloth would choose one by itself.
    sft.sft_arguments = lambda *words: {**known(*words), "bf16": True}
    made = {
        "patched": [SFTTrainer.__name__, orpo_trainer.__name__],
        "loading": unnamed(FastLanguageModel.from_pretrained, loading),
        "adapter": unnamed(FastLanguageModel.get_peft_model, adapter),
        "targets": adapter["target_modules"],
        "sft": unnamed(SFTConfig.__init__, configured),
        "sft_changed": changed(SFTConfig, configured),
        "orpo": unnamed(orpo_config.__init__, preferring),
        "orpo_changed": changed(orpo_config, preferring),
        "trainers": {
            trainer.__name__: unnamed(
                trainer.__init__,
                dict.fromkeys(TRAINER),
            )
            for trainer in (SFTTrainer, orpo_trainer)
        },
        "losses": {
            loss: losses(with_loss(plan, loss), folder / loss) for loss in ("verdict", "completion")
        },
        "facts": facts(),
    }
    sft.sft_arguments = known
    made["loaded"] = loaded(plan, folder)
    made["in float32"] = refusal(float32, folder / "float32")
    made["connections"] = CONNECTIONS
    made["cache"] = (Path(os.environ["PENGADIL_HOME"]) / CACHE).is_dir()
    return made


def unnamed(function: Any, arguments: dict[str, Any]) -> list[str]:
    """Of our keyword arguments, those that the function takes only as further ones, if at all."""
    signature = inspect.signature(function)
    subject = {"self", "model"} & signature.parameters.keys()
    signature.bind(**{**dict.fromkeys(subject), **arguments})
    return sorted(arguments.keys() - signature.parameters.keys())


def changed(config: Any, arguments: dict[str, Any]) -> str:
    """What a config makes other values of, in words."""
    from pengadil.errors import PengadilError
    from pengadil.training.sft import check_unchanged

    try:
        check_unchanged(arguments, config(**arguments))
    except PengadilError as error:
        return error.wrong
    return ""


def with_loss(plan: Any, loss: str) -> Any:
    from pengadil.prompts import load_prompt
    from pengadil.training.plan import make_plan

    recipe = replace(plan.recipe, train=replace(plan.recipe.train, loss=loss))
    assert load_prompt(recipe.data.prompt).answer == "verdict"
    return replace(make_plan(recipe), choice=plan.choice)


def losses(plan: Any, folder: Path) -> list[float]:
    """Of each step, trained by Unsloth's patched trainer."""
    steps: list[float] = []
    trainer_of(plan, folder, lambda step: steps.append(step.loss)).train()
    return steps


def loaded(plan: Any, folder: Path) -> dict[str, Any]:
    """The adapter that `load_unsloth` makes, beside the portable engine's."""
    from safetensors.torch import load_file
    from transformers import set_seed

    from pengadil.errors import PengadilError
    from pengadil.training.adapters import save_adapter
    from pengadil.training.portable import load_adapted
    from pengadil.training.unsloth_model import load_unsloth

    # Unsloth's offloading checkpoints, which it takes from 512 tokens on, pin memory for a GPU.
    short = replace(plan.recipe, data=replace(plan.recipe.data, max_length=400))
    plan = replace(plan, recipe=short, choice=replace(plan.choice, dtype="float16"))
    set_seed(plan.recipe.train.seed)
    save_adapter(load_adapted(plan), plan.tokenizer, folder / "portable")
    stand_in_gpu()
    adapted = load_unsloth(plan)
    save_adapter(adapted, plan.tokenizer, folder / "unsloth")
    starts = [
        load_file(folder / name / "adapter_model.safetensors") for name in ("unsloth", "portable")
    ]
    configs = [
        json.loads((folder / name / "adapter_config.json").read_text(encoding="utf-8"))
        for name in ("unsloth", "portable")
    ]
    for config in configs:
        del config["target_modules"]  # by full names or by their last parts: the tensors tell
    in_4bit = replace(plan.recipe, model=replace(plan.recipe.model, load_in_4bit=True))
    try:
        load_unsloth(replace(plan, recipe=in_4bit))
        refused = ""
    except PengadilError as error:
        refused = error.wrong
    return {
        "model": type(adapted.get_base_model()).forward.__qualname__,
        "same files": sorted(path.name for path in (folder / "unsloth").iterdir())
        == sorted(path.name for path in (folder / "portable").iterdir()),
        "same config": configs[0] == configs[1],
        "same start": starts[0].keys() == starts[1].keys()
        and all(bool((starts[0][name] == starts[1][name]).all()) for name in starts[0]),
        "formats": sorted({str(part.dtype) for part in adapted.parameters() if part.requires_grad}),
        "4 bits without bitsandbytes": refused,
    }


def stand_in_gpu() -> None:
    """Answers to what Unsloth asks a GPU while it loads a model, which goes to the processor."""
    import torch
    from unsloth.models import llama

    from pengadil.training import unsloth_model

    about = SimpleNamespace(total_memory=2**34, major=7, minor=5, name="stand-in")
    torch.cuda.get_device_properties = lambda *_: about
    torch.cuda.mem_get_info = lambda *_: (2**34, 2**34)
    torch.cuda.current_device = lambda: 0
    llama.get_device_stats = lambda: ("stand-in", "", 16.0)
    llama.get_current_device = lambda: "cpu"
    known = unsloth_model.loading_arguments
    unsloth_model.loading_arguments = lambda *words: {**known(*words), "device_map": {"": "cpu"}}


def refusal(plan: Any, folder: Path) -> str:
    """What is said where Unsloth would silently train in another number format."""
    from pengadil.errors import PengadilError

    try:
        trainer_of(plan, folder, lambda step: None)
    except PengadilError as error:
        return error.wrong
    return ""


def trainer_of(plan: Any, folder: Path, on_step: Any) -> Any:
    from transformers import set_seed
    from trl import SFTConfig, SFTTrainer

    from pengadil.runs import Run
    from pengadil.training.portable import load_adapted
    from pengadil.training.reporting import Reporter
    from pengadil.training.sft import sft_trainer
    from pengadil.training.watch import Watch

    run = Run(folder)
    folder.mkdir()
    set_seed(plan.recipe.train.seed)
    adapted = load_adapted(plan)
    reporter = Reporter(plan, run, Watch(on_step), lambda folder: None)
    return sft_trainer((SFTConfig, SFTTrainer), plan, run, adapted, reporter, (4, None))


def facts() -> dict[str, bool]:
    """What the engine relies on and no signature tells, looked up in Unsloth's source."""
    from unsloth.models import _utils, llama
    from unsloth.utils import attention_dispatch

    loader = inspect.getsource(llama.FastLlamaModel.from_pretrained)
    statistics = inspect.getsource(_utils.get_statistics)
    attention = inspect.getsource(attention_dispatch._run_attention)
    backbone = inspect.getsource(llama.LlamaModel_fast_forward)
    return {
        "4 bits are NF4": 'bnb_4bit_quant_type = "nf4"' in loader,
        "quantised twice": "bnb_4bit_use_double_quant = True" in loader,
        "computing in the model's format": "bnb_4bit_compute_dtype = dtype" in loader,
        "statistics can be switched off": '"UNSLOTH_DISABLE_STATISTICS" in os.environ'
        in statistics,
        "causal without a mask": "base_mask = xformers.attn_bias.LowerTriangularMask()"
        in attention,
        "the backbone's gradient is left alone": '"_unsloth_head_reads_final_norm", False'
        in backbone,
    }
