"""ORPO: the loss of the paper on our own tokens, whatever TRL does, and a preference that moves."""

from __future__ import annotations

import importlib.metadata
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from helpers_orpo import (
    answer_log_probabilities,
    bundled_pairs,
    share_apart,
    uneven_pairs,
    write_preferences,
    write_recipe,
    written_out_loss,
)
from helpers_runs import make_tiny_base
from helpers_training import cpu_only, difference, killed, log, stopped, trained
from hypothesis import given, settings
from hypothesis import strategies as st

from pengadil.data.bundled import load_bundled
from pengadil.errors import PengadilError
from pengadil.prompts import load_prompt
from pengadil.recipe import Recipe, load_recipe
from pengadil.runs import Run
from pengadil.tokens import Encoder
from pengadil.training import orpo, orpo_scores, run
from pengadil.training.attention import use_bundles
from pengadil.training.fitting import most_at_once
from pengadil.training.orpo import Engine
from pengadil.training.orpo_scores import LinearLogProbability, PairModel, collate_pairs, pad_pairs
from pengadil.training.orpo_trainer import make_orpo_trainer, orpo_classes
from pengadil.training.orpo_validation import Preferred, measure_pairs, summarise
from pengadil.training.pair_rows import PairRow
from pengadil.training.plan import Plan, make_plan
from pengadil.training.portable import load_adapted
from pengadil.training.rows import IGNORED, make_rows
from pengadil.training.watch import Watch

Recipes = Callable[..., Recipe]
VALIDATED = ("--data.validation", "contoh:12", "--train.validate_every", "3")


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("pilihan")
    with pytest.MonkeyPatch.context() as patch:
        cpu_only(patch)
        yield write_recipe(folder, make_tiny_base(folder / "base"))


@pytest.fixture(scope="module")
def recipe(recipe_file: Path) -> Recipes:
    return lambda *overrides: load_recipe(recipe_file, overrides)


@pytest.fixture(scope="module")
def undisturbed(recipe: Recipes, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(recipe(), tmp_path_factory.mktemp("undisturbed"))


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


# The training


def test_the_log_tells_what_is_preferred(undisturbed: Run) -> None:
    lines = log(undisturbed)
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    for line in lines:
        assert line["figures"].keys() == {"likelihood", "margin", "log_odds"}
        assert line["loss"] > line["figures"]["likelihood"] > 0
        assert line["accuracy"] * 8 in range(9)
    assert lines[0]["learning_rate"] == pytest.approx(1e-3)


def test_the_size_of_a_micro_batch_changes_nothing(recipe: Recipes, tmp_path: Path) -> None:
    """Not even in a last step that is not full."""
    some = ("--data.train", "contoh:27")
    large = trained(recipe(*some), tmp_path / "8")
    small = trained(recipe(*some, "--train.micro_batch_size", "2"), tmp_path / "2")
    for one, other in zip(log(small), log(large), strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)
        assert one["figures"] == pytest.approx(other["figures"], rel=1e-3, abs=1e-5)
    assert share_apart(small, large) < 0.01


def test_memory_that_does_not_suffice_changes_nothing_but_the_pairs_at_once(
    recipe: Recipes, undisturbed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(model: PairModel, **batch: Any) -> Any:
        if len(batch["input_ids"]) > 2:
            raise MemoryError("no more")
        return computed(model, **batch)

    computed = PairModel.forward
    monkeypatch.setattr(PairModel, "forward", forward)
    said: list[str] = []
    assert share_apart(trained(recipe(), tmp_path, say=said.append), undisturbed) < 0.01
    assert [text.split(";")[0] for text in said] == [
        "out of memory: 4 rows at once instead of 8",
        "out of memory: 2 rows at once instead of 4",
    ]


def test_killed_it_goes_on_to_the_same_adapter(
    recipe_file: Path, undisturbed: Run, tmp_path: Path
) -> None:
    left = killed(recipe_file, tmp_path, "fifth step")
    assert {path.name for path in left.checkpoints.iterdir()} == {"checkpoint-2", "checkpoint-4"}
    steps: list[int] = []
    assert trained(load_recipe(recipe_file), tmp_path, lambda step: steps.append(step.step)) == left
    assert steps == [5, 6]
    assert difference(left, undisturbed) < 1e-6


def test_dropout_is_the_recipes_and_goes_on_as_if_never_stopped(
    recipe: Recipes, undisturbed: Run, tmp_path: Path
) -> None:
    """TRL's trainer would take it out of the model."""
    dropping = recipe("--lora.dropout", "0.3")
    whole = trained(dropping, tmp_path / "whole")
    assert log(whole)[0]["loss"] == pytest.approx(log(undisturbed)[0]["loss"])  # B is still 0
    assert log(whole)[-1]["loss"] != pytest.approx(log(undisturbed)[-1]["loss"], rel=1e-6)
    stopped(dropping, tmp_path / "stopped", 3)
    assert difference(trained(dropping, tmp_path / "stopped"), whole) < 1e-6


def test_the_engines_train_the_same(
    recipe: Recipes, undisturbed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of Unsloth's path that a CPU can show: the adapted model is that of transformers."""
    from transformers import set_seed

    def load_unsloth(plan: Plan) -> Any:
        set_seed(plan.recipe.train.seed)
        return load_adapted(plan)

    monkeypatch.setattr("pengadil.training.unsloth_model.load_unsloth", load_unsloth)
    plan = make_plan(recipe(*VALIDATED, "--train.keep", "last"))
    monkeypatch.setattr(run, "trainer_of", lambda plan: orpo.train_orpo)
    runs = []
    for engine in ("portable", "unsloth"):
        this = replace(plan, choice=replace(plan.choice, engine=engine))
        found, _ = run.find_or_start(this, tmp_path / engine)
        run.train(this, found, Watch())
        runs.append(found)
    portable, unsloth = runs
    assert share_apart(portable, unsloth) < 0.01
    assert share_apart(unsloth, undisturbed) < 0.01
    first, second = (run.read_validations(found) for found in runs)
    for one, other in zip(first, second, strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-5)
        assert one.figures == pytest.approx(other.figures, abs=1e-4)


def test_nothing_is_sent_and_no_card_is_written(
    recipe: Recipes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl.trainer import base_trainer

    def send(**_: Any) -> None:
        raise AssertionError("TRL tells its makers of this training")

    monkeypatch.setattr(base_trainer, "send_telemetry", send)
    monkeypatch.delenv("CI", raising=False)
    left = stopped(recipe(), tmp_path, 5)
    assert not list(left.folder.rglob("README*"))
    assert not list(left.folder.rglob("*.bin"))


def test_a_pair_that_is_too_long_stops_the_plan(recipe: Recipes) -> None:
    with pytest.raises(PengadilError, match=r"48 rows: contoh\S+ \(\d+ tokens\)"):
        make_plan(recipe("--data.max_length", "64"))


# What it is measured by


def test_a_validation_of_judges_tells_verdicts_and_margin_with_intervals(
    recipe: Recipes, tmp_path: Path
) -> None:
    """Its verdicts are those that the trained judge gives in score mode."""
    from pengadil.judges.opening import open_judge

    found = trained(recipe(*VALIDATED, "--train.keep", "last"), tmp_path)
    measured = run.read_validations(found)
    assert [validation.step for validation in measured] == [3, 6]
    for validation in measured:
        assert (validation.metric, validation.n, validation.majority) == ("accuracy", 12, 0.5)
        assert validation.low <= validation.value <= validation.high
        figures = validation.figures
        for name in ("margin", "log_odds", "pairs"):
            assert figures[f"{name}_low"] <= figures[name] <= figures[f"{name}_high"]
    examples = load_bundled("contoh", "validation", 12, 1)
    judged = open_judge(str(found.folder)).judge(examples, load_prompt("verdict"), "score")
    right = [row.verdict == row.gold for batch in judged for row in batch]
    assert measured[-1].value == sum(right) / 12


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


def test_a_summary_of_margins() -> None:
    """The interval is worked out by hand: mean 1, deviation 2, of four pairs."""
    margins = [1.0, 1 + math.sqrt(6), 1.0, 1 - math.sqrt(6)]
    found = summarise(7, [Preferred(str(n), margin, 3.0) for n, margin in enumerate(margins)])
    assert (found.step, found.metric, found.n) == (7, "margin", 4)
    assert found.value == pytest.approx(1)
    assert found.high - found.value == pytest.approx(1.96 * 2 / 2, rel=1e-4)
    assert found.value - found.low == pytest.approx(found.high - found.value)
    assert found.figures["pairs"] == 0.75
    assert found.figures["log_odds"] == found.figures["log_odds_low"] == 3


def test_preferences_of_their_own_move_on_pairs_held_out(recipe: Recipes, tmp_path: Path) -> None:
    """The margin's interval leaves zero behind; there are no verdicts to tell of."""
    files = [
        write_preferences(tmp_path / "latih.jsonl", 48),
        write_preferences(tmp_path / "sah.jsonl", 16, 1000),
    ]
    moving = recipe(
        "--data.train", str(files[0]), "--data.validation", str(files[1]),
        "--train.learning_rate", "0.02", "--train.validate_every", "1",
    )  # fmt: skip
    measured = run.read_validations(trained(moving, tmp_path / "runs"))
    assert measured[-1].low > measured[0].high
    assert measured[-1].low > 0
    assert measured[-1].figures["pairs"] == 1
    assert {validation.metric for validation in measured} == {"margin"}


# TRL


@pytest.mark.parametrize("fault", ["no module", "no loss", "other version"])
def test_another_trl_is_refused_with_the_one_to_install(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = SimpleNamespace(ORPOConfig=object, ORPOTrainer=object)
    named = "trl.experimental.orpo"
    monkeypatch.setitem(sys.modules, named, None if fault == "no module" else module)
    if fault == "other version":
        monkeypatch.delattr(module, "ORPOTrainer")
    version = importlib.metadata.version("trl")
    with pytest.raises(PengadilError, match=rf"trl {version}: .*pip install \"trl>=1.15,<1.17\""):
        orpo_classes()


def test_without_trl_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setitem(sys.modules, "trl", None)
    monkeypatch.setitem(sys.modules, "trl.experimental.orpo", None)
    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(PengadilError, match="trl, which is not installed"):
        orpo_classes()
