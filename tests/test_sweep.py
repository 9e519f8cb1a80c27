"""A sweep's trials: drawn, measured, pruned, stopped, gone on with, and written down."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

import pytest
from helpers_sweep import GOOD, RANKS, RATES, STEPS, Made, learned, make_sweep, swept

from pengadil.errors import PengadilError
from pengadil.recipe import Recipe
from pengadil.runs import Run
from pengadil.sweep.drawing import next_trial
from pengadil.sweep.findings import ENOUGH, caution, findings, headline, next_command
from pengadil.sweep.folder import open_study
from pengadil.sweep.page import sweep_page, tables
from pengadil.sweep.results import write_results
from pengadil.sweep.study import run_trials
from pengadil.sweep.trials import TrialRecord, best_trial, measured_text
from pengadil.training.watch import Validation


class StopError(Exception):
    """Anything that ends the process in the midst of a trial."""


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda file: None)


def stop_at(trial: int, step: int) -> Any:
    def stop(recipe: Recipe, at: int) -> None:
        if recipe.name.endswith(f"-{trial:03d}") and at == step:
            raise StopError

    return stop


def plain(trials: list[TrialRecord]) -> list[tuple[Any, ...]]:
    """What two sweeps of the same settings have in common."""
    return [(t.number, t.state, t.values, t.result, t.curve, t.steps) for t in trials]


def test_each_trial_is_the_recipe_with_the_values_drawn(tmp_path: Path) -> None:
    train = Made()
    trials = swept(make_sweep(tmp_path, overrides=["--train.epochs", "2"]), 4, train)
    assert [trial.number for trial in trials] == [1, 2, 3, 4]
    assert [recipe.name for recipe in train.recipes] == [f"rawak-trial-00{n}" for n in range(1, 5)]
    for trial, recipe in zip(trials, train.recipes, strict=True):
        assert recipe.train.learning_rate == trial.values["train.learning_rate"]
        assert recipe.lora.rank == trial.values["lora.rank"]
        assert recipe.train.epochs == 2
        assert trial.steps == STEPS
        assert trial.run == recipe.name
    assert len({trial.values["train.learning_rate"] for trial in trials}) == 4


def test_the_first_trial_is_the_recipe_itself_if_the_space_holds_it(tmp_path: Path) -> None:
    (own,) = swept(make_sweep(tmp_path / "in"), 1)
    assert own.values == {"train.learning_rate": 1e-3, "lora.rank": 4}
    assert own.own
    (other,) = swept(make_sweep(tmp_path / "out", RATES, "lora.rank=2,8"), 1)
    assert not other.own


def test_the_same_seed_draws_the_same_and_another_draws_others(tmp_path: Path) -> None:
    first = swept(make_sweep(tmp_path / "a"), 6)
    assert plain(swept(make_sweep(tmp_path / "b"), 6)) == plain(first)
    assert plain(swept(make_sweep(tmp_path / "c", seed=2), 6)) != plain(first)


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
@pytest.mark.parametrize("step", [1, 4])
def test_a_stopped_trial_is_gone_on_with_and_none_is_repeated(
    tmp_path: Path, sampler: Any, step: int
) -> None:
    search = ["train.learning_rate=1e-3,2e-3,3e-3", RANKS] if sampler == "grid" else [RATES, RANKS]
    undisturbed = swept(make_sweep(tmp_path / "a", *search, sampler=sampler), 5)
    stopped = make_sweep(tmp_path / "b", *search, sampler=sampler)
    with pytest.raises(StopError):
        swept(stopped, 5, Made(stop=stop_at(3, step)))
    after = Made()
    # Asked for anew, as the command line does.
    trials = swept(make_sweep(tmp_path / "b", *search, sampler=sampler), 5, after)
    assert plain(trials) == plain(undisturbed)
    assert [recipe.name[-3:] for recipe in after.recipes] == ["003", "004", "005"]


@pytest.mark.parametrize("drawn", [0, 1])
def test_a_trial_killed_before_all_its_values_were_drawn_is_completed(
    tmp_path: Path, drawn: int
) -> None:
    search = (RATES, "train.schedule=cosine,linear", "lora.rank=2,8")
    undisturbed = swept(make_sweep(tmp_path / "a", *search), 2)
    sweep = make_sweep(tmp_path / "b", *search)
    with open_study(sweep) as study:
        trial = next_trial(sweep, study)
        for parameter in sweep.space[:drawn]:
            parameter.suggest(trial)
    trials = swept(sweep, 2)
    assert [trial.state for trial in trials] == ["complete", "complete"]
    rates = [trial.values["train.learning_rate"] for trial in undisturbed]
    assert [trial.values["train.learning_rate"] for trial in trials] == rates
    assert trials[1].values == undisturbed[1].values


def test_a_line_of_the_journal_cut_off_by_a_kill_is_passed_over(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path)
    before = swept(sweep, 2)
    with (sweep.folder / "journal.log").open("ab") as journal:
        journal.write(b'{"op_code":4,"worker_id":"')
    (sweep.folder / "journal.log.lock").touch()
    assert plain(swept(sweep, 3))[:2] == plain(before)


def test_more_trials_are_added_and_fewer_change_nothing(tmp_path: Path) -> None:
    sweep, train = make_sweep(tmp_path), Made()
    assert len(swept(sweep, 2, train)) == 2
    assert len(swept(sweep, 5, train)) == 5
    assert len(swept(sweep, 3, train)) == 5
    assert len(train.recipes) == 5


def test_a_grid_ends_with_its_last_combination(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path, RANKS, "train.schedule=cosine,linear", sampler="grid")
    trials = swept(sweep, 20)
    found = [(trial.values["lora.rank"], trial.values["train.schedule"]) for trial in trials]
    assert found == [(rank, how) for rank in (2, 4, 8) for how in ("cosine", "linear")]


def test_settings_drawn_again_are_not_trained_again(tmp_path: Path) -> None:
    train = Made(lambda recipe, step: learned(recipe, step) + recipe.lora.rank / 100)
    trials = swept(make_sweep(tmp_path, "lora.rank=2,4", pruner="none"), 6, train)
    assert len(train.recipes) == 2
    for trial in trials:
        first = next(other for other in trials if other.values == trial.values)
        assert trial.same_as == (None if trial is first else first.number)
        assert trial.result == first.result


def test_a_trial_worse_than_the_median_is_pruned_but_not_in_its_first_third(
    tmp_path: Path,
) -> None:
    def value(recipe: Recipe, step: int) -> float:
        return step * (0.1 if len(train.recipes) <= 3 else 0.05)

    train = Made(value)
    sweep = make_sweep(tmp_path, prune_after=3)
    given_up = Run(sweep.runs / "rawak-trial-004")
    given_up.checkpoints.mkdir(parents=True)
    given_up.write_facts({"status": "training"})
    trials = swept(sweep, 5, train)
    assert given_up.facts()["given_up"] == "pruned"
    assert not given_up.checkpoints.exists()
    assert [trial.state for trial in trials] == ["complete"] * 3 + ["pruned"] * 2
    assert [trial.steps for trial in trials] == [6, 6, 6, 2, 2]
    assert trials[3].curve == {1: 0.05, 2: 0.1}
    assert best_trial(trials) == trials[0]
    train = Made(value)
    unpruned = swept(make_sweep(tmp_path / "not", pruner="none"), 5, train)
    assert {trial.state for trial in unpruned} == {"complete"}


def test_successive_halving_prunes_too(tmp_path: Path) -> None:
    train = Made(lambda recipe, step: step / (10 * len(train.recipes)))
    trials = swept(make_sweep(tmp_path, pruner="halving", prune_after=1), 6, train)
    assert trials[0].state == "complete"
    assert "pruned" in {trial.state for trial in trials}


def test_the_better_of_a_loss_is_the_lower(tmp_path: Path) -> None:
    train = Made(lambda recipe, step: 1 + abs(recipe.train.learning_rate - GOOD), "loss")
    trials = swept(make_sweep(tmp_path, pruner="none"), 5, train)
    best = best_trial(trials)
    assert best is not None
    assert best.result is not None
    assert best.result.value == min(trial.result.value for trial in trials if trial.result)
    assert best.curve[1] == best.result.value
    text = measured_text(Validation(1, "loss", 1.25, -0.5, 3, 200))
    assert text == "loss 1.25 on 200 rows (95 % interval -0.5 to 3)"


@pytest.mark.parametrize(("keep", "step"), [("best", 3), ("last", 6)])
def test_the_validation_that_counts_is_that_of_the_weights_kept(
    tmp_path: Path, keep: str, step: int
) -> None:
    train = Made(lambda recipe, at: 0.5 - abs(at - 3) / 100)
    sweep = make_sweep(tmp_path, overrides=["--train.keep", keep])
    (trial,) = swept(sweep, 1, train)
    assert trial.result is not None
    assert trial.result.step == step


def test_the_deadline_ends_a_sweep_that_goes_on_later(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path)

    def late(recipe: Recipe, *rest: Any) -> bool:
        Made()(recipe, *rest)
        return not recipe.name.endswith("002")

    with open_study(sweep) as study:
        assert not run_trials(sweep, study, 3, deadline=time.monotonic(), train=Made())
        assert not run_trials(sweep, study, 3, train=late)
        states = [trial.state for trial in findings(sweep, study).trials]
    assert states == ["complete", "stopped"]
    assert [trial.state for trial in swept(sweep, 3)] == ["complete"] * 3


def test_a_failed_trial_is_written_down_and_the_next_begun(tmp_path: Path) -> None:
    def stop(recipe: Recipe, step: int) -> None:
        if recipe.name.endswith("002"):
            raise PengadilError("step 1", "the loss is no longer a number", "Lower it.")

    trials = swept(make_sweep(tmp_path), 3, Made(stop=stop))
    assert [trial.state for trial in trials] == ["complete", "failed", "complete"]
    assert "the loss is no longer a number" in trials[1].reason


def test_a_sweep_whose_first_three_trials_fail_is_given_up(tmp_path: Path) -> None:
    train = Made(lambda recipe, step: float("nan"))
    with pytest.raises(PengadilError, match=r"all of its 3 trials failed.*no longer a number"):
        swept(make_sweep(tmp_path), 9, train)
    assert len(train.recipes) == 3


def test_a_training_without_a_validation_fails(tmp_path: Path) -> None:
    def silent(recipe: Recipe, *_: Any) -> bool:
        return True

    with pytest.raises(PengadilError, match="no validation was made"):
        swept(make_sweep(tmp_path), 4, silent)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"search": [RATES, "lora.rank=2,4"]}, "search was"),
        ({"overrides": ["--train.epochs", "3"]}, "train.epochs was 1.0, is 3.0"),
        ({"sampler": "random"}, "sampler was tpe, is random"),
        ({"pruner": "none"}, "pruner was median, is none"),
        ({"seed": 5}, "seed was 1, is 5"),
    ],
)
def test_another_sweep_in_the_same_folder_is_refused(
    tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    before = swept(make_sweep(tmp_path), 1)
    search = changed.pop("search", [RATES, RANKS])
    with pytest.raises(PengadilError) as error:
        swept(make_sweep(tmp_path, *search, **changed), 2)
    assert told in str(error.value)
    assert "--name" in str(error.value)
    assert str(error.value).count(" was ") == 1
    assert plain(swept(make_sweep(tmp_path), 1)) == plain(before)


def test_two_processes_do_not_work_on_one_sweep(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path)
    with open_study(sweep), pytest.raises(PengadilError, match="another process is at it"):
        swept(sweep, 1)
    assert len(swept(sweep, 1)) == 1


@pytest.mark.parametrize("file", ["sweep.json", "journal.log", "recipe.toml"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, file: str) -> None:
    sweep = make_sweep(tmp_path)
    swept(sweep, 1)
    (sweep.folder / file).write_text("{no\n{such\n", encoding="utf-8")
    with pytest.raises(PengadilError, match="cannot be read"):
        swept(sweep, 2)


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "-x"])
def test_a_name_that_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    from pengadil.sweep.folder import sweep_of

    with pytest.raises(PengadilError, match="is not made of letters"):
        sweep_of(tmp_path, name)


def test_everything_is_written_to_read(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path, prune_after=10)

    def stop(recipe: Recipe, step: int) -> None:
        if recipe.name.endswith("004"):
            raise PengadilError("step 1", "the loss is no longer a number", "Lower it.")

    trials = swept(sweep, 14, Made(stop=stop))
    with open_study(sweep) as study:
        found = findings(sweep, study)
        written = write_results(sweep, found)
    assert [path.name for path in written] == ["sweep.md", "sweep.html", "results.csv"]
    rows = list(csv.DictReader((sweep.folder / "results.csv").open(encoding="utf-8")))
    assert [row["trial"] for row in rows] == [str(trial.number) for trial in trials]
    assert rows[0]["value"] == str(trials[0].result.value if trials[0].result else None)
    assert (rows[0]["metric"], rows[0]["n"], rows[0]["steps"]) == ("accuracy", "200", "6")
    assert (rows[3]["state"], rows[3]["value"]) == ("failed", "")
    pictures = {path.name: path.read_bytes() for path in (sweep.folder / "pictures").iterdir()}
    assert set(pictures) == {
        *("history.png", "curves.png", "importance.png"),
        *("setting-train.learning_rate.png", "setting-lora.rank.png"),
    }
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
    best = best_trial(trials)
    summary = json.loads((sweep.folder / "sweep.json").read_text(encoding="utf-8"))
    assert best is not None
    assert summary["best"] == {"trial": best.number, "run": best.run, "values": best.values}
    # The made-up value depends on the learning rate alone.
    assert set(summary["importance"]) == {"train.learning_rate", "lora.rank"}
    assert next(iter(summary["importance"])) == "train.learning_rate"
    page = (sweep.folder / "sweep.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == len(pictures)
    for text in (headline(found), "This value flatters", "test slices were not judged"):
        assert text in page
    assert "Trial 4: step 1: the loss is no longer a number" in page
    # Nothing depends on the clock but the seconds.
    with open_study(sweep) as study:
        again = write_results(sweep, findings(sweep, study))
    assert again == written
    assert {p.name: p.read_bytes() for p in (sweep.folder / "pictures").iterdir()} == pictures


def test_the_table_says_what_each_trial_was_measured_on(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path)
    with pytest.raises(StopError):
        swept(sweep, 3, Made(lambda *_: 0.6, stop=stop_at(3, 3)))
    with open_study(sweep) as study:
        found = findings(sweep, study)
    best, table = tables(sweep, found)
    assert table.columns == (
        *("trial", "train.learning_rate", "lora.rank", "accuracy", "95 %", "n"),
        *("at step", "steps", "seconds", "state"),
    )
    first, second, third = ([*row[:1], *row[3:8], row[9]] for row in table.rows)
    measured = ["60.0 %", "55.0–65.0", "200", "1"]
    assert first == ["1", *measured, "6", "complete, the recipe's own"]
    assert second == ["2", *measured, "6", "complete"]
    assert third == ["3", *measured, "2", "stopped"]
    assert best.rows[-1] == ["validation accuracy", "60.0 %", "60.0 %"]
    assert headline(found) == (
        "Best: trial 1, validation accuracy 60.0 % of 200 (95 % interval 55.0–65.0); always the "
        "commonest label: 50.0 %. Trials: 2 complete, 1 stopped"
    )
    assert "the best of 2 complete trials" in caution(found)
    assert "1 other setting is inside it too" in caution(found)
    assert "nothing shows" not in caution(found)
    assert found.no_importance == f"2 complete trials of different settings are less than {ENOUGH}"
    assert f"Left out: {found.no_importance}." in [
        section.note for section in sweep_page(sweep, found, {}).sections
    ]
    command = next_command(found, "rawak.toml", ["--train.epochs", "2"])
    assert command == (
        "python scripts/train.py rawak.toml --train.epochs 2 --train.learning_rate 0.001 "
        "--lora.rank 4"
    )


def test_a_best_trial_no_better_than_the_commonest_label_is_called_so(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path)
    swept(sweep, 1, Made(lambda *_: 0.54))
    with open_study(sweep) as study:
        assert "nothing shows that the best trial has learned" in caution(findings(sweep, study))


def test_without_a_complete_trial_nothing_is_recommended(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path)
    with pytest.raises(StopError):
        swept(sweep, 1, Made(stop=stop_at(1, 1)))
    with open_study(sweep) as study:
        found = findings(sweep, study)
        write_results(sweep, found)
    assert headline(found) == "No trial is complete yet (0 complete, 1 stopped)"
    assert (caution(found), next_command(found, "rawak", [])) == ("", "")
    assert [section.title for section in tables(sweep, found)] == ["Trials"]
