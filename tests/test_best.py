"""The weights of the best validation are kept as long as a run could still go back to them."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pengadil.training import best
from pengadil.training.watch import Validation


def measured(step: int, value: float, metric: str = "accuracy", kept: bool = False) -> Validation:
    return Validation(step, metric, value, value, value, 10, best=kept)


def save(folder: Path) -> None:
    folder.mkdir()
    (folder / "weights").write_text(folder.name, encoding="utf-8")


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_more_accuracy_and_less_loss_are_better_and_equal_is_not() -> None:
    history = [measured(1, 0.5), measured(2, 0.7)]
    assert best.is_best([], measured(1, 0.0))
    assert best.is_best(history, measured(3, 0.71))
    assert not best.is_best(history, measured(3, 0.7))
    assert not best.is_best(history, measured(3, 0.6))
    losses = [measured(1, 2.0, "loss")]
    assert best.is_best(losses, measured(2, 1.9, "loss"))
    assert not best.is_best(losses, measured(2, 2.1, "loss"))


def test_a_validation_without_a_number_is_never_the_best() -> None:
    assert not best.is_best([measured(1, 2.0, "loss")], measured(2, float("nan"), "loss"))
    assert not best.is_best([measured(1, 0.5)], measured(2, float("nan")))


def test_waiting_is_counted_from_the_last_best() -> None:
    assert best.without_gain([]) == 0
    assert best.without_gain([measured(1, 0.5, kept=True)]) == 0
    waited = [measured(1, 0.5, kept=True), measured(2, 0.4), measured(3, 0.5)]
    assert best.without_gain(waited) == 2


def test_the_newest_is_the_best_and_steps_to_be_made_again_are_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "best"
    assert best.best_of(folder) is None
    for step in (5, 20, 100):
        best.keep(folder, step, save)
    assert best.best_of(folder) == folder / "step-100"
    best.forget_after(folder, 20)
    assert kept(folder) == ["step-20", "step-5"]


def test_what_a_checkpoint_could_go_back_to_stays(tmp_path: Path) -> None:
    folder = tmp_path / "best"
    for step in (5, 20, 40):
        best.keep(folder, step, save)
    best.drop_older(folder, [])
    best.drop_older(folder, [10, 30])
    assert kept(folder) == ["step-20", "step-40", "step-5"]
    best.drop_older(folder, [30, 50])
    assert kept(folder) == ["step-20", "step-40"]
    best.drop_older(folder, [40, 60])
    assert kept(folder) == ["step-40"]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.data())
def test_wherever_a_run_goes_on_the_best_so_far_is_there(
    values: list[float], data: st.DataObject
) -> None:
    """Validations at every step, checkpoints at some: two whole ones are kept at a time."""
    import tempfile

    steps = range(1, len(values) + 1)
    saved = sorted(data.draw(st.sets(st.sampled_from(list(steps)))))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "best"
        history: list[Validation] = []
        for step, value in zip(steps, values, strict=True):
            made = measured(step, value)
            if best.is_best(history, made):
                best.keep(folder, step, save)
            history.append(made)
            checkpoints = [at for at in saved if at <= step][-2:]
            if step in saved:
                best.drop_older(folder, checkpoints)
            for checkpoint in checkpoints:
                known = [made for made in history if made.step <= checkpoint]
                first = max(known, key=lambda made: (made.value, -made.step)).step
                there = [int(name.removeprefix("step-")) for name in kept(folder)]
                assert max(at for at in there if at <= checkpoint) == first
