"""scripts/sweep.py as it is called, with real trainings of the tiny model."""

from __future__ import annotations

import csv
import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from helpers_runs import make_tiny_base
from helpers_sweep import Made, kill_sweep, sweep_script
from helpers_training import cpu_only, difference, log, write_recipe
from optuna import TrialPruned

from pengadil.data.bundled import load_bundled
from pengadil.data.slices import load_slice
from pengadil.errors import PengadilError, run_script
from pengadil.folders import find
from pengadil.recipe import Recipe, load_recipe
from pengadil.records import write_jsonl
from pengadil.runs import Run
from pengadil.sweep import study
from pengadil.sweep.ordinary import check_plan, give_up, train_trial
from pengadil.training import progress
from pengadil.training.watch import Validation, Watch

SEARCH = ("--search", "train.learning_rate=1e-3..1e-1:log", "--search", "lora.rank=2,4")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return sweep_script()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model, a recipe, eight rows to validate on and eight to test on."""
    folder = tmp_path_factory.mktemp("sweep")
    write_recipe(folder, make_tiny_base(folder / "base"))
    rows = load_bundled("contoh", "validation", 16)
    write_jsonl(folder / "sah.jsonl", rows[:8])
    write_jsonl(folder / "uji.jsonl", rows[8:])
    return folder


@pytest.fixture(scope="module")
def words(home: Path) -> list[str]:
    """A sweep of the tiny recipe: each trial makes three steps, measured on eight rows."""
    return [
        str(home / "rawak.toml"),
        *SEARCH,
        f"--data.validation={home / 'sah.jsonl'}",
        f"--evaluation.slices={home / 'uji.jsonl'}",
        *("--train.max_steps", "3", "--no-prune"),
    ]


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, script: ModuleType, words: Sequence[str]
) -> tuple[Path, str]:
    """The folder of a sweep of two trials, and what it printed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        cpu_only(patch)
        patch.chdir(folder)
        printed: list[str] = []
        patch.setattr(
            "builtins.print", lambda *texts, **_: printed.append(" ".join(map(str, texts)))
        )
        script.main([*words, "--trials", "2"])
    return folder / "sweeps" / "rawak", "\n".join(printed)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu_only(monkeypatch)
    monkeypatch.chdir(tmp_path)


def rows_of(sweep: Path) -> list[dict[str, str]]:
    """results.csv without what depends on the clock."""
    rows = list(csv.DictReader((sweep / "results.csv").open(encoding="utf-8")))
    return [{name: row[name] for name in row if name not in ("seconds", "run")} for row in rows]


def run_of(sweep: Path, trial: int) -> Run:
    [folder] = (sweep / "runs").glob(f"rawak-trial-{trial:03d}-*")
    return Run(folder)


def ended(script: ModuleType, words: Sequence[str]) -> int:
    """The exit code of the script with these words."""
    with pytest.raises(SystemExit) as end:
        run_script(lambda: script.main(words))
    return int(end.value.code or 0)


def test_a_sweep_trains_measures_and_says_what_next(
    undisturbed: tuple[Path, str], words: list[str]
) -> None:
    sweep, printed = undisturbed
    first, second = rows_of(sweep)
    assert (first["state"], second["state"]) == ("complete", "complete")
    assert (first["train.learning_rate"], first["lora.rank"]) == ("0.001", "4")
    assert (first["metric"], first["n"], first["steps"]) == ("accuracy", "8", "3")
    for trial in (1, 2):
        run = run_of(sweep, trial)
        assert run.finished
        assert not (run.folder / "evaluation").exists()
        assert [row["step"] for row in log(run)] == [1, 2, 3]
    best = json.loads((sweep / "sweep.json").read_text(encoding="utf-8"))["best"]
    assert (sweep / "runs" / best["run"] / "adapter").is_dir()
    assert "test slices are not judged" in printed
    assert "train.learning_rate=0.001..0.1:log" in printed
    last = printed.splitlines()[-1]
    assert f"python scripts/train.py {words[0]} " in last
    assert "--train.max_steps 3" in last
    assert "--no-prune" not in last
    assert last.endswith("".join(f" --{name} {value}" for name, value in best["values"].items()))


def test_a_killed_sweep_goes_on_from_the_checkpoint(
    undisturbed: tuple[Path, str],
    script: ModuleType,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kill_sweep([*words, "--trials", "2"], tmp_path, trial=2, step=3)
    sweep = tmp_path / "sweeps" / "rawak"
    finished = run_of(sweep, 1).folder / "run.json"
    before = finished.read_bytes(), run_of(sweep, 2).folder
    made: list[tuple[str, int]] = []

    @contextmanager
    def watching(what: str, deadline: float | None = None) -> Iterator[Watch]:
        yield Watch(lambda step: made.append((what, step.step)))

    monkeypatch.setattr(progress, "training_progress", watching)
    script.main([*words, "--trials", "2"])
    # A checkpoint was saved at step 2.
    assert made == [("trial 2", 3)]
    assert (finished.read_bytes(), run_of(sweep, 2).folder) == before
    assert rows_of(sweep) == rows_of(undisturbed[0])
    assert difference(run_of(sweep, 2), run_of(undisturbed[0], 2)) < 1e-6


def test_ctrl_c_shows_the_table_so_far_and_exits_130(
    script: ModuleType,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(recipe: Recipe, step: int) -> None:
        if (recipe.name[-3:], step) == ("002", 3):
            signal.raise_signal(signal.SIGINT)

    made_up = partial(study.run_trials, train=Made(stop=stop))
    monkeypatch.setattr(study, "run_trials", made_up)
    assert ended(script, [*words, "--trials", "3"]) == 130
    shown = capsys.readouterr()
    assert "1 complete, 1 stopped" in shown.out
    assert "run the same command again" in shown.err
    states = [row["state"] for row in rows_of(tmp_path / "sweeps" / "rawak")]
    assert states == ["complete", "stopped"]
    # With the hours already spent nothing more is trained, and that is no fault.
    assert ended(script, [*words, "--trials", "3", "--max-hours", "1e-9"]) == 0
    assert "run the same command again to go on" in capsys.readouterr().out
    assert [row["state"] for row in rows_of(tmp_path / "sweeps" / "rawak")] == states


def test_a_pruned_training_leaves_a_marked_run_without_checkpoints(
    words: list[str], home: Path, tmp_path: Path
) -> None:
    def prune(validation: Validation) -> None:
        if validation.step == 2:
            raise TrialPruned

    recipe = load_recipe(words[0], [f"--data.validation={home / 'sah.jsonl'}"])
    names: list[str] = []
    with pytest.raises(TrialPruned):
        train_trial(recipe, tmp_path, Watch(on_validation=prune), names.append)
    run = Run(tmp_path / names[0])
    assert run.best.exists()
    give_up(run.folder, "pruned")
    assert run.facts()["given_up"] == "pruned"
    assert not run.finished
    assert not run.checkpoints.exists()
    assert not run.best.exists()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--data.validation="], "it has no validation"),
        (["--search", "lora.rank=9..2"], "9 is not below 2"),
        (["--train.epoch", "2"], "unknown setting --train.epoch"),
        (["--name", "a/b"], "is not made of letters"),
        (["--sampler", "grid"], "a range has no grid"),
    ],
)
def test_bad_input_ends_in_one_line_and_writes_nothing(
    script: ModuleType,
    words: list[str],
    tmp_path: Path,
    more: list[str],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended(script, [*words, *more]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_another_sweep_of_the_same_name_is_refused(
    undisturbed: tuple[Path, str],
    script: ModuleType,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    sweep, _ = undisturbed
    there = ["--sweeps", str(sweep.parent), "--train.weight_decay", "0.5"]
    before = {path: path.read_bytes() for path in sweep.glob("*.*")}
    assert ended(script, [*words, *there]) == 2
    error = capsys.readouterr().err
    assert "train.weight_decay was 0.0, is 0.5" in error
    assert error.count("\n") == 1
    assert {path: path.read_bytes() for path in sweep.glob("*.*")} == before


def test_rows_of_a_test_slice_are_not_validated_on(home: Path, words: list[str]) -> None:
    recipe = load_recipe(words[0], [f"--data.validation={home / 'uji.jsonl'}"])
    test = load_slice(str(home / "uji.jsonl"), find("eval", "slices"), None)
    with pytest.raises(PengadilError, match=r"8 validation rows .* stand in the test slice"):
        check_plan(recipe, [test])


@pytest.mark.parametrize("options", [[], ["--trials", "0"], ["--max-hours", "-1"]])
def test_what_the_command_line_lacks_is_said(script: ModuleType, options: list[str]) -> None:
    recipe = ["smoke"] if options else ["--train.epochs", "2"]
    assert ended(script, [*recipe, *options]) == 2
