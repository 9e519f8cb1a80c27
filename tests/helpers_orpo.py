"""Small trainings by preference: recipes, pairs, and ORPO's loss written out pair by pair."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers_runs import make_tiny_base
from helpers_training import cpu_only, weights

from pengadil.data.bundled import load_bundled
from pengadil.data.preferences import preferences_from_examples
from pengadil.prompts import load_prompt
from pengadil.recipe import Recipe, load_recipe
from pengadil.runs import Run
from pengadil.tokens import Encoder
from pengadil.training.pair_rows import PairRow, make_pair_rows

Recipes = Callable[..., Recipe]
RECIPE = """\
name = "pilihan"

[model]
name = {base}
dtype = "float32"

[data]
train = ["contoh:48"]

[lora]
rank = 4
alpha = 8

[train]
method = "orpo"
beta = 2.0
batch_size = 8
learning_rate = 1e-3
save_every = 2

[evaluation]
slices = []
"""


def write_recipe(folder: Path, base: Path) -> Path:
    """pilihan.toml in a folder: 6 steps of 8 pairs on the model in `base`, a checkpoint every 2."""
    path = folder / "pilihan.toml"
    path.write_text(RECIPE.format(base=json.dumps(str(base))), encoding="utf-8")
    return path


def bundled_pairs(encoder: Encoder, count: int = 6, prompt: str = "verdict") -> list[PairRow]:
    """Pairs of the easy grade, which share documents."""
    examples = load_bundled("contoh", "train", count, 3)
    return make_pair_rows(preferences_from_examples(examples, load_prompt(prompt)), encoder, 512)


def uneven_pairs() -> list[PairRow]:
    """Pairs whose prompts and answers are all of other lengths, one token at least."""
    return [
        PairRow("a", "1", [1, 7, 9, 4], [11, 12, 13, 2], [14, 2]),
        PairRow("b", "2", [1, 5], [2], [15, 16, 17, 18, 19, 2]),
        PairRow("c", "2", [1, 5], [20, 21, 2], [20, 22, 2]),
        PairRow("d", "3", [3], [23, 2], [24, 25, 2]),
    ]


def write_preferences(path: Path, count: int, first: int = 0) -> Path:
    """Questions to which the willing answer is the better one, whatever is asked."""
    lines = [
        {"id": f"{path.stem}-{n}", "prompt": f"Soalan {n}?", "chosen": "Ya", "rejected": "Tidak"}
        for n in range(first, first + count)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def share_apart(one: Run, other: Run) -> float:
    """The share of two adapters' weights that differ by more than 1e-5.

    Sums in another order give a weight whose gradient is next to nothing another sign of it, and
    AdamW takes a whole step by it.
    """
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    apart = sum(int(((first[name] - second[name]).abs() > 1e-5).sum()) for name in first)
    return apart / sum(tensor.numel() for tensor in first.values())


def answer_log_probabilities(causal: Any, prompt: Sequence[int], answer: Sequence[int]) -> Any:
    """Log-probability of each token of an answer (float64), by the model's own forward pass."""
    import torch

    ids = torch.tensor([[*prompt, *answer]])
    logits = causal(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1]
    return logits.double().log_softmax(dim=-1).gather(1, torch.tensor(answer)[:, None])[:, 0]


def written_out_loss(causal: Any, pairs: Sequence[PairRow], beta: float) -> Any:
    """ORPO's loss of pairs (Hong et al., 2024, section 4), a row at a time, in float64.

    The likelihood is the mean over all chosen tokens, the odds ratio's term that over the pairs.
    """
    import torch

    tokens, terms = [], []
    for pair in pairs:
        chosen = answer_log_probabilities(causal, pair.prompt, pair.chosen)
        rejected = answer_log_probabilities(causal, pair.prompt, pair.rejected)
        odds = [found.mean().exp() / (1 - found.mean().exp()) for found in (chosen, rejected)]
        tokens.append(-chosen)
        terms.append(-torch.log(1 / (1 + odds[1] / odds[0])))
    return torch.cat(tokens).mean() + beta * torch.stack(terms).mean()


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("pilihan")
    with pytest.MonkeyPatch.context() as patch:
        cpu_only(patch)
        yield write_recipe(folder, make_tiny_base(folder / "base"))


@pytest.fixture(scope="module")
def recipe(recipe_file: Path) -> Recipes:
    return lambda *overrides: load_recipe(recipe_file, overrides)
