"""A model with an adapter as Unsloth loads it, and how Unsloth is imported."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pengadil.errors import PengadilError
from pengadil.loading import context_of
from pengadil.models import home
from pengadil.planning.lengths import counted
from pengadil.training.devices import use_one_gpu
from pengadil.training.micro import is_out_of_memory
from pengadil.training.processes import world

if TYPE_CHECKING:
    from pengadil.training.plan import Plan

# Read by Unsloth, TRL and W&B (which TRL loads with weave) when they are imported: nothing is sent.
ENVIRONMENT = {
    "UNSLOTH_DISABLE_STATISTICS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "WANDB_ERROR_REPORTING": "false",
}
# What Unsloth reads from there and trains otherwise for.
REFUSED = (
    "UNSLOTH_USE_MODELSCOPE",
    "UNSLOTH_ENABLE_FULL_FINETUNING",
    "UNSLOTH_FORCE_FLOAT32",
    "UNSLOTH_MIXED_PRECISION",
    "UNSLOTH_RETURN_HIDDEN_STATES",
    "UNSLOTH_RETURN_LOGITS",
    "UNSLOTH_TOKEN_BALANCE",
    "UNSLOTH_TOKEN_BUDGET",
)
CACHE = "unsloth_compiled_cache"
FORMATS = ("bfloat16", "float16")
PORTABLE = "Use --train.engine portable: it trains the same recipe."


def import_unsloth() -> None:
    """Import Unsloth, which patches transformers, peft and TRL: before them, to take all effect.

    One GPU is made visible, nothing is sent anywhere, and the code that Unsloth generates goes to
    the library's home. Raises PengadilError where it cannot be imported.
    """
    for name in REFUSED:
        os.environ.pop(name, None)
    os.environ.update(ENVIRONMENT)
    os.environ["UNSLOTH_COMPILE_LOCATION"] = str(home() / CACHE)
    use_one_gpu()
    with _refusals("it cannot be imported"):
        import unsloth  # noqa: F401


def load_unsloth(plan: Plan) -> Any:
    """The base model with a fresh adapter, ready to be trained by Unsloth's kernels.

    In 4 bits: NF4 with double quantisation. The adapter's weights are float32. Raises PengadilError
    where Unsloth does not take the model, or would train another than the recipe's.
    """
    _check(plan)
    import_unsloth()

    from transformers import AutoConfig
    from unsloth import FastLanguageModel

    config = AutoConfig.from_pretrained(plan.model.folder, trust_remote_code=False)
    arguments = loading_arguments(plan, context_of(config))
    with _refusals("it cannot load the model"):
        causal, _ = FastLanguageModel.from_pretrained(**arguments)
    _check_base(causal, config.get_text_config().vocab_size, plan.recipe.model.load_in_4bit)
    arguments = adapter_arguments(plan, causal)
    with _refusals("it cannot put an adapter on the model"):
        adapted = FastLanguageModel.get_peft_model(causal, **arguments)
    made = adapted.peft_config["default"]
    # A reader of the adapter finds its base by name, and needs none of Unsloth.
    made.base_model_name_or_path, made.auto_mapping = plan.recipe.model.name, None
    for parameter in adapted.parameters():
        if parameter.requires_grad:  # small steps are lost in a 16-bit weight
            parameter.data = parameter.data.float()
    return adapted


def loading_arguments(plan: Plan, context: int) -> dict[str, Any]:
    """Keyword arguments of FastLanguageModel.from_pretrained; `context` is the model's own."""
    import torch

    in_4bit = plan.recipe.model.load_in_4bit
    return {
        # With its full path, which cannot be taken for a name on the hub.
        "model_name": str(plan.model.folder.resolve()),
        "use_exact_model_name": True,  # no mirror that someone else has quantised
        "max_seq_length": longest(plan, context),
        "dtype": getattr(torch, plan.choice.dtype),
        "load_in_4bit": in_4bit,  # NF4 with double quantisation, computing in `dtype`
        "load_in_8bit": False,
        "load_in_16bit": not in_4bit,
        "full_finetuning": False,
        "device_map": {"": 0},
        "rope_scaling": None,
        "fix_tokenizer": False,  # ours is used
        "trust_remote_code": False,
        "use_gradient_checkpointing": "unsloth",
        "resize_model_vocab": None,
        "offload_embedding": False,
        "fast_inference": False,
        "random_state": plan.recipe.train.seed,
        "use_safetensors": True,
        "local_files_only": True,
    }


def adapter_arguments(plan: Plan, causal: Any) -> dict[str, Any]:
    """Keyword arguments of FastLanguageModel.get_peft_model."""
    settings = plan.recipe.lora
    return {
        "r": settings.rank,
        "target_modules": targets(settings.targets, causal),
        "lora_alpha": settings.alpha,
        "lora_dropout": settings.dropout,
        "bias": "none",
        "use_gradient_checkpointing": "unsloth",
        "random_state": plan.recipe.train.seed,
        "use_rslora": False,
        "modules_to_save": None,
        "init_lora_weights": True,
        "loftq_config": None,
    }


def targets(wanted: str | tuple[str, ...], causal: Any) -> list[str]:
    """The names of the layers to adapt: "all-linear" is all linear ones but the output layer.

    Raises PengadilError when the output layer is asked for: Unsloth would train a copy of it.
    """
    import torch

    output = causal.get_output_embeddings()
    linear = {
        name.rpartition(".")[2]: module
        for name, module in causal.named_modules()
        if isinstance(module, torch.nn.Linear)
    }
    if wanted == "all-linear":
        return sorted(name for name, module in linear.items() if module is not output)
    if any(linear.get(name.rpartition(".")[2]) is output for name in wanted):
        raise PengadilError(
            f"lora.targets = {', '.join(wanted)}",
            "the output layer is among them, and the loss is computed with it as it was",
            "Leave it out, or use all-linear.",
        )
    return list(wanted)


def longest(plan: Plan, context: int) -> int:
    """The most tokens that go through the model at once: Unsloth cuts off what is beyond.

    Never more than `context`, the length that the model was made for: Unsloth would stretch its
    positions. Raises PengadilError for a training row that is longer than that.
    """
    most = counted(plan.rows).longest
    if most > context:
        raise PengadilError(
            f"a row of {most} tokens",
            f"the model was made for {context}",
            "Lower --data.max_length, or take a model with a longer context.",
        )
    room = plan.recipe.data.max_length
    held = 0
    if plan.recipe.train.method == "sft" and plan.validation:
        assert plan.encoder is not None
        prompts = (plan.encoder.prompt(plan.prompt, example) for example in plan.validation)
        held = max(len(ids) for ids in prompts) + room
    return min(context, max(room, held))


def _check(plan: Plan) -> None:
    if world() > 1:
        raise PengadilError(
            f"{world()} processes",
            "the unsloth engine trains in one",
            "Use --train.engine portable.",
        )
    if plan.choice.dtype not in FORMATS:
        # Told to train in float32, Unsloth silently trains in 16 bits.
        raise PengadilError(
            f'model.dtype = "{plan.choice.dtype}"',
            "the unsloth engine computes in bfloat16 or float16",
            "Use --model.dtype auto, or --train.engine portable.",
        )


def _check_base(causal: Any, vocabulary: int, in_4bit: bool) -> None:
    """PengadilError where Unsloth has made another model of the folder's."""
    rows = causal.get_input_embeddings().weight.shape[0]
    if rows != vocabulary:
        raise PengadilError(
            "unsloth",
            f"it has made {rows} tokens of the model's {vocabulary}, for want of one to pad with",
            PORTABLE,
        )
    states = [
        module.weight.quant_state
        for module in causal.modules()
        if hasattr(getattr(module, "weight", None), "quant_state")
    ]
    as_asked = all(state.quant_type == "nf4" and state.nested for state in states)
    if bool(states) != in_4bit or not as_asked:
        raise PengadilError(
            "unsloth",
            "the model's 4 bits are not NF4 with double quantisation"
            if states
            else "it has not loaded the model in 4 bits",
            PORTABLE,
        )


@contextlib.contextmanager
def _refusals(what: str) -> Iterator[None]:
    """Whatever Unsloth stops at, in one line with the way out."""
    try:
        yield
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        memory = is_out_of_memory(error)
        next_step = "Use a smaller model, or --model.load_in_4bit true." if memory else PORTABLE
        raise PengadilError("unsloth", f"{what} ({lines[0]})", next_step) from error
