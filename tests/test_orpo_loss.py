"""ORPO: the loss of the paper on our own tokens, and the margin, whatever TRL does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import torch
from helpers_orpo import (
    Recipes,
    answer_log_probabilities,
    bundled_pairs,
    recipe,
    recipe_file,
    uneven_pairs,
    written_out_loss,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pengadil.data.bundled import load_bundled
from pengadil.prompts import load_prompt
from pengadil.runs import Run
from pengadil.tokens import Encoder
from pengadil.training import orpo, orpo_scores
from pengadil.training.attention import use_bundles
from pengadil.training.fitting import most_at_once
from pengadil.training.orpo import Engine
from pengadil.training.orpo_scores import LinearLogProbability, collate_pairs, pad_pairs
from pengadil.training.orpo_trainer import make_orpo_trainer, orpo_classes
from pengadil.training.orpo_validation import measure_pairs
from pengadil.training.pair_rows import PairRow
from pengadil.training.plan import Plan, make_plan
from pengadil.training.rows import IGNORED, make_rows
from pengadil.training.watch import Watch

__all__ = ["recipe", "recipe_file"]


@dataclass
class Made:
    """A trainer before its first step, and what it was made of."""

    trainer: Any
    engine: Engine
    plan: Plan

    def loss(self, pairs: Sequence[PairRow], step: Sequence[PairRow] = ()) -> tuple[Any, Any]:
        """The share of some pairs in the loss of a step, and its figures."""
        whole = self.trainer.measure(step or pairs)
        found: tuple[Any, Any] = self.trainer.compute(self.engine.model, pairs, whole)
        return found

    @contextmanager
    def plainly(self) -> Iterator[Any]:
        """The adapted model with attention as transformers computes it."""
        causal = self.engine.adapted.get_base_model()
        causal.set_attn_implementation("eager")
        yield self.engine.adapted
        use_bundles(causal)

    def gradients(self, loss: Any) -> dict[str, Any]:
        self.engine.adapted.zero_grad()
        loss.backward()
        parameters = dict(self.engine.adapted.named_parameters())
        return {name: item.grad.clone() for name, item in parameters.items() if item.requires_grad}


@pytest.fixture(scope="module")
def made(recipe: Recipes, tmp_path_factory: pytest.TempPathFactory) -> Made:
    from pengadil.training.reporting import Reporter

    plan = make_plan(recipe())
    engine = orpo.portable_engine(plan)
    torch.manual_seed(3)
    for name, parameter in engine.adapted.named_parameters():
        if "lora_B" in name:  # at zero, as it is made, the adapter does nothing
            torch.nn.init.normal_(parameter, std=0.1)
    place = Run(tmp_path_factory.mktemp("made"))
    reporter = Reporter(plan, place, Watch(), lambda folder: None)
    trainer = make_orpo_trainer(
        plan, place, reporter, engine.adapted, engine.model, engine.score, most_at_once(plan)
    )
    return Made(trainer, engine, plan)


# The loss


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 40),
    width=st.integers(1, 9),
    vocabulary=st.integers(2, 30),
    at_once=st.integers(1, 16),
    seed=st.integers(0, 2**32 - 1),
)
def test_log_probabilities_are_torchs_log_softmax(
    rows: int, width: int, vocabulary: int, at_once: int, seed: int
) -> None:
    chooser = torch.Generator().manual_seed(seed)
    ours = torch.randn(rows, width, generator=chooser).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    weight = 3 * torch.randn(vocabulary, width, generator=chooser)
    targets = torch.randint(vocabulary, (rows,), generator=chooser)
    outer = torch.randn(rows, generator=chooser)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orpo_scores, "ROWS_AT_ONCE", at_once)
        found = LinearLogProbability.apply(ours, weight, targets)
    expected = (theirs @ weight.T).log_softmax(dim=1).gather(1, targets[:, None])[:, 0]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    (found * outer).sum().backward()
    (expected * outer).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pairs", [uneven_pairs(), uneven_pairs()[1:2], uneven_pairs()[3:]])
def test_the_loss_is_that_of_the_paper(made: Made, pairs: list[PairRow]) -> None:
    """With padding and without, and its gradients too."""
    loss, figures = made.loss(pairs)
    ours = made.gradients(loss)
    with made.plainly() as adapted:
        expected = written_out_loss(adapted, pairs, beta=2.0)
        theirs = made.gradients(expected)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert ours.keys() == theirs.keys()
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, theirs[name], rtol=1e-3, atol=1e-5)
    assert figures["hits"] in range(len(pairs) + 1)


def test_the_preference_is_trls_and_the_likelihood_leaves_the_prompt_out(made: Made) -> None:
    """TRL takes the likelihood of prompt and answer; all else of its loss is the same."""
    pairs = uneven_pairs()
    loss, figures = made.loss(pairs)
    batch: dict[str, Any] = {}
    for side in ("chosen", "rejected"):
        rows = [(pair.prompt, getattr(pair, side)) for pair in pairs]
        longest = max(len(prompt) + len(answer) for prompt, answer in rows)
        kinds = {
            "input_ids": (0, lambda prompt, answer: [*prompt, *answer]),
            "attention_mask": (0, lambda prompt, answer: [1] * len([*prompt, *answer])),
            "labels": (IGNORED, lambda prompt, answer: [IGNORED] * len(prompt) + answer),
        }
        for kind, (padding, ids) in kinds.items():
            padded = [(ids(*row) + [padding] * longest)[:longest] for row in rows]
            batch[f"{side}_{kind}"] = torch.tensor(padded)
    trl = orpo_classes()[1]
    with made.plainly() as adapted, torch.no_grad():
        total, metrics = trl.get_batch_loss_metrics(made.trainer, adapted, batch)
        chosen, rejected, _, _, likelihood = trl.concatenated_forward(made.trainer, adapted, batch)
    assert loss.item() - figures["likelihood"] == pytest.approx(float(total - likelihood), rel=1e-5)
    assert figures["likelihood"] != pytest.approx(float(likelihood), rel=1e-2)
    assert figures["margin"] == pytest.approx(float((chosen - rejected).sum()), rel=1e-4)
    assert figures["log_odds"] / 4 == pytest.approx(metrics["log_odds_chosen"], rel=1e-4)
    assert figures["hits"] / 4 == metrics["rewards/accuracies"]
    assert figures["margin"] / 4 * 2.0 == pytest.approx(metrics["rewards/margins"], rel=1e-4)


def test_micro_batches_of_uneven_pairs_add_up_to_the_loss_of_the_step(made: Made) -> None:
    """Means over micro-batches would not: their pairs hold more tokens or fewer."""
    pairs = uneven_pairs()
    whole, figures = made.loss(pairs)
    parts = [made.loss(part, pairs) for part in (pairs[:1], pairs[1:3], pairs[3:])]
    assert sum(loss.item() for loss, _ in parts) == pytest.approx(whole.item(), rel=1e-5)
    for name, value in figures.items():
        assert sum(part[name] for _, part in parts) == pytest.approx(value, rel=1e-4)
    alone = [made.loss(part)[0].item() for part in (pairs[:1], pairs[1:])]
    assert sum(alone) / 2 != pytest.approx(whole.item(), rel=1e-3)


def test_answers_found_certain_have_a_finite_loss_and_gradient(made: Made) -> None:
    """TRL's gradient is not a number where a probability is 1."""
    averaged = torch.tensor([0.0, -0.5, 0.0], requires_grad=True)
    other = torch.tensor([-2.0, 0.0, 0.0], requires_grad=True)
    weighted, *_, log_odds = made.trainer.odds_ratio_loss(averaged, other)
    weighted.sum().backward()
    assert all(torch.isfinite(found).all() for found in (weighted, log_odds))
    assert torch.isfinite(averaged.grad).all()
    assert torch.isfinite(other.grad).all()
    assert torch.isfinite(orpo_scores.log_odds(torch.tensor([0.0, -1e-9, -1.0, -500.0]))).all()


# The tokens


@pytest.mark.parametrize("prompt", ["verdict", "reasoning"])
def test_both_answers_have_the_ids_of_supervised_rows(small_encoder: Encoder, prompt: str) -> None:
    examples = load_bundled("contoh", "train", 6, 3)
    swapped = [replace(example, answer=1 - example.answer) for example in examples]
    asked = load_prompt(prompt)
    chosen = make_rows(examples, asked, small_encoder, 512, "completion")
    rejected = make_rows(swapped, asked, small_encoder, 512, "completion")
    for pair, right, wrong in zip(
        bundled_pairs(small_encoder, prompt=prompt), chosen, rejected, strict=True
    ):
        assert pair.id == right.id
        assert pair.prompt + pair.chosen == right.ids
        assert pair.prompt + pair.rejected == wrong.ids
        assert len(pair.prompt) == right.labels.count(IGNORED)


def test_what_the_model_computes_is_these_ids_and_each_prompt_once(small_encoder: Encoder) -> None:
    pairs = bundled_pairs(small_encoder) + uneven_pairs()
    for pair in pairs:
        batch = collate_pairs([pair], 0, torch.float32)
        ids = batch["input_ids"][0].tolist()
        shared = batch["attention_mask"].shape[3]
        assert shared == len(pair.prompt) - 1
        length = (len(ids) - shared) // 2
        for side, answer in enumerate((pair.chosen, pair.rejected)):
            end = ids[shared + side * length : shared + (side + 1) * length]
            assert ids[:shared] + end[: 1 + len(answer)] == pair.prompt + answer
    batch = collate_pairs(pairs, 0, torch.float32)
    padded = pad_pairs(pairs, 0)
    answers = [token for pair in pairs for token in pair.chosen + pair.rejected]
    for labels in (batch["labels"], padded["labels"]):
        assert labels[labels != IGNORED].tolist() == answers
    for number, pair in enumerate(pairs):
        row = padded["input_ids"][2 * number + 1].tolist()
        assert row[: len(pair.prompt) + len(pair.rejected)] == pair.prompt + pair.rejected
    kept = padded["labels"][:, :-1] != IGNORED
    assert torch.equal(padded["labels"][:, :-1][kept], padded["input_ids"][:, 1:][kept])


def test_the_trainer_sees_the_plans_pairs_in_their_order(made: Made) -> None:
    steps = list(made.trainer.get_train_dataloader())
    assert [pair for rows in steps for pair in rows] == made.plan.rows
    assert [len(rows) for rows in steps] == [8] * 6


def test_the_margin_is_that_of_the_formula(made: Made) -> None:
    pairs = uneven_pairs()
    with torch.no_grad():
        found = measure_pairs(partial(made.engine.score, made.engine.model), pairs)
        with made.plainly() as adapted:
            sides = [
                [float(answer_log_probabilities(adapted, pair.prompt, answer).mean())
                 for answer in (pair.chosen, pair.rejected)]
                for pair in pairs
            ]  # fmt: skip
    by_id = {one.id: one for one in found}
    for pair, (chosen, rejected) in zip(pairs, sides, strict=True):
        odds = [math.exp(side) / (1 - math.exp(side)) for side in (chosen, rejected)]
        assert by_id[pair.id].margin == pytest.approx(chosen - rejected, abs=1e-4)
        assert by_id[pair.id].log_odds == pytest.approx(math.log(odds[0] / odds[1]), abs=1e-4)
