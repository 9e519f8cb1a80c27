"""A finished run of a tiny random model: the real files of a real run, made in a second or two."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pengadil.judges.base import SCORE
from pengadil.models import resolve_model
from pengadil.prompts import load_prompt
from pengadil.records import Example, Judgement, write_jsonl, write_whole
from pengadil.runs import FINISHED, Run
from pengadil.tokens import Encoder

TINY = "tiny"
PROMPT = "verdict"
RECIPE = """\
name = "tiny"

[model]
name = {base}

[data]
train = ["contoh:8"]
prompt = "verdict"

[lora]
rank = 4
alpha = 8

[train]
batch_size = 4
learning_rate = 1e-3

[export]
quant = ["q8_0"]
"""


def make_tiny_base(folder: Path, seed: int = 1) -> Path:
    """A model folder: two layers of random weights under SmolLM2's tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    packaged = resolve_model("smollm2-135m").folder
    config = AutoConfig.from_pretrained(packaged)
    config.update(
        {
            "num_hidden_layers": 2,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 16,
            # Large weights, so that what is read early on decides the verdict.
            "initializer_range": 0.3,
        }
    )
    torch.manual_seed(seed)
    AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(packaged).save_pretrained(folder)
    return folder


def make_tiny_run(folder: Path, seed: int = 1) -> Run:
    """A finished run in `folder/runs/tiny` on a base in `folder/base`, with a random adapter."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = make_tiny_base(folder / "base", seed)
    run = Run(folder / "runs" / TINY)
    run.folder.mkdir(parents=True)
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    settings = LoraConfig(
        r=4,
        lora_alpha=8,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        init_lora_weights=False,
    )
    torch.manual_seed(seed)
    get_peft_model(model, settings).save_pretrained(run.adapter)
    AutoTokenizer.from_pretrained(base).save_pretrained(run.adapter)
    run.recipe_file.write_text(RECIPE.format(base=json.dumps(str(base))), encoding="utf-8")
    prompt = load_prompt(PROMPT)
    run.write_facts(
        {
            "status": FINISHED,
            "base": {"name": str(base), "revision": resolve_model(str(base)).revision},
            "prompt": {"name": prompt.name, "sha256": prompt.sha256},
        }
    )
    return run


def write_evaluation(run: Run, slice_name: str, examples: Sequence[Example]) -> list[Judgement]:
    """Judge with the run's adapter, one plain float32 forward pass a row, and keep the results."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    encoder = Encoder.of_tokenizer(AutoTokenizer.from_pretrained(run.adapter))
    base = AutoModelForCausalLM.from_pretrained(run.facts()["base"]["name"], dtype=torch.float32)
    model = PeftModel.from_pretrained(base, run.adapter).eval()
    prompt = load_prompt(PROMPT)
    judgements = []
    for example in examples:
        ids = encoder.prompt(prompt, example) + encoder.verdict.opening
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
        two = torch.softmax(logits[[encoder.verdict.zero, encoder.verdict.one]], dim=0)
        probability = float(two[1])
        judgements.append(
            Judgement(
                id=example.id,
                gold=example.answer,
                verdict=int(probability > 0.5),
                rule="score",
                probability=probability,
            )
        )
    folder = run.evaluation(slice_name, SCORE)
    write_jsonl(folder / "results.jsonl", judgements)
    summary = {"prompt": {"name": prompt.name, "sha256": prompt.sha256}}
    write_whole(folder / "summary.json", json.dumps(summary))
    return judgements
