"""What a sweep is asked to search, as it is written on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers_training import write_recipe
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FixedTrial

from pengadil.errors import PengadilError
from pengadil.recipe import load_recipe
from pengadil.sweep.reading import read_space
from pengadil.sweep.space import as_words, default_space, grid, own_values, resolved


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    return write_recipe(folder, folder / "no-model")


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("train.learning_rate=1e-4..2e-3:log", "train.learning_rate=0.0001..0.002:log"),
        ("--train.weight_decay = 0 .. 0.1", "train.weight_decay=0.0..0.1"),
        ("train.weight_decay=0..0.1:0.05", "train.weight_decay=0.0..0.1:0.05"),
        ("lora.rank=8,16,32", "lora.rank=8,16,32"),
        ("lora.rank=8..64:8", "lora.rank=8..64:8"),
        ("lora.rank=4..64:log", "lora.rank=4..64:log"),
        ("lora.alpha=0.5x,2x", "lora.alpha=0.5x,2x"),
        ("lora.dropout=0,0.1", "lora.dropout=0.0,0.1"),
        ("train.schedule=cosine,linear", "train.schedule=cosine,linear"),
        ("model.load_in_4bit=true,false", "model.load_in_4bit=true,false"),
    ],
)
def test_a_search_is_read_and_reads_back_as_it_is_shown(
    recipe: Path, word: str, shown: str
) -> None:
    (parameter,) = read_space([word], recipe)
    assert str(parameter) == shown
    assert read_space([shown], recipe) == (parameter,)


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        ("lora.ranks=8,16", "no such setting (Did you mean lora.rank"),
        ("lora.rank", "no values after the ="),
        ("lora.rank=", "no values after the ="),
        ("lora.rank=8", "one value is no search: give it as --lora.rank 8"),
        ("lora.rank=8,8", "a value stands there twice"),
        ("lora.rank=8,sixteen", "'sixteen' is not a whole number"),
        ("lora.rank=8,16.5", "'16.5' is not a whole number"),
        ("lora.rank=-1,8", "-1 is less than 0"),
        ("lora.rank=0,8", "lora.rank = 0 trains all weights"),
        ("lora.rank=64..8", "64 is not below 8"),
        ("lora.rank=8..64:0.5", "a step of 0.5 in whole numbers"),
        ("lora.rank=8..64:7.5x", "'7.5x' is neither log nor a number"),
        ("lora.rank=8..64:-8", "steps of -8 do not lead from one end to the other"),
        ("lora.rank=8..64:inf", "'inf' is not finite"),
        ("lora.alpha=1x,8", "multiples of lora.rank and values cannot be mixed"),
        ("lora.alpha=0x,1x", "0x is not above 0"),
        ("lora.alpha=0.01x,1x", "--lora.alpha = 0 is less than 1"),
        ("lora.alpha=twox,1x", "'two' is no number of times"),
        ("lora.targets=all-linear,q_proj", "lists are not searched"),
        ("train.learning_rate=0..1e-3", "0.0 is not above 0"),
        ("train.learning_rate=1e-3..nan", "nan is not finite"),
        ("train.weight_decay=0..0.1:log", "a log range begins above 0"),
        ("train.schedule=cosine,cosin", "'cosin' is none of cosine, constant"),
        ("train.schedule=cosine..linear", "'cosine..linear' is none of"),
        ("model.load_in_4bit=true,no", "'no' is not true or false"),
        ("train.seed=1,2,3", "is luck, not a setting"),
        ("data.validation_share=0.1,0.2", "must be the same for all"),
        ("evaluation.mode=score,generate", "acts after training only"),
        ("train.beta=0.05..1", 'train.beta acts only where train.method = "orpo"'),
        ("train.batch_size=8,12", "train.micro_batch_size = 8 does not divide"),
        ("--help=1,2", "no such setting"),
        ("=1,2", "no such setting"),
        ("na\nme=1,2", "no such setting"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_one_line(
    recipe: Path, word: str, fault: str
) -> None:
    with pytest.raises(PengadilError) as error:
        read_space([word], recipe, ["--train.micro_batch_size", "8"])
    assert fault in str(error.value)
    assert "\n" not in str(error.value)


def test_all_faults_are_told_at_once(recipe: Path) -> None:
    words = ["lora.rank=64..8", "train.epoch=1,2", "train.epochs=1,two", "lora.dropout=0,0.1"]
    words += ["lora.dropout=0,0.2"]
    with pytest.raises(PengadilError) as error:
        read_space(words, recipe)
    assert all(f"({number}) " in str(error.value) for number in (1, 2, 3, 4))
    assert "lora.dropout is searched twice" in str(error.value)


def test_a_grid_takes_lists_only(recipe: Path) -> None:
    with pytest.raises(PengadilError, match=r"0\.0001\.\.0\.01:log: a range has no grid"):
        read_space(["train.learning_rate=1e-4..1e-2:log"], recipe, grid=True)
    space = read_space(["lora.rank=4,8", "train.schedule=linear,cosine"], recipe, grid=True)
    assert grid(space) == [
        {"lora.rank": rank, "train.schedule": schedule}
        for rank in (4, 8)
        for schedule in ("linear", "cosine")
    ]


def test_an_alpha_may_be_a_multiple_of_the_rank_drawn_or_of_the_recipe(recipe: Path) -> None:
    base = load_recipe(recipe)
    assert resolved({"lora.rank": 16, "lora.alpha": "2x"}, base)["lora.alpha"] == 32
    assert resolved({"lora.alpha": "0.5x"}, base) == {"lora.alpha": 2}
    assert as_words({"lora.alpha": 2, "train.schedule": "linear"}) == [
        *("--lora.alpha", "2", "--train.schedule", "linear"),
    ]


def test_the_default_space_can_be_searched_and_holds_what_orpo_adds(recipe: Path) -> None:
    names = [parameter.name for parameter in read_space([], recipe)]
    assert names == ["lora.rank", "lora.alpha", "train.learning_rate", "train.weight_decay"]
    orpo = ["--train.method", "orpo"]
    assert read_space([], recipe, orpo)[-1].name == "train.beta"
    classifier = ["--train.method", "classifier", "--lora.rank", "0"]
    assert [parameter.name for parameter in read_space([], recipe, classifier)] == names[2:]
    with pytest.raises(PengadilError, match=r"lora\.alpha does not act"):
        read_space(["lora.alpha=8,16"], recipe, classifier)
    assert list(default_space(load_recipe(recipe)))[2] == "train.learning_rate=0.0002..0.005:log"


@pytest.mark.parametrize(
    ("words", "own"),
    [
        (["lora.rank=2,4"], {"lora.rank": 4}),
        (["lora.rank=2..8:2", "lora.alpha=1x,2x"], {"lora.rank": 4, "lora.alpha": "2x"}),
        (["lora.rank=2,8"], None),
        (["lora.rank=1..9:4"], None),
        (["lora.alpha=1x,4x"], None),
        (["train.learning_rate=1e-4..1e-2:log"], {"train.learning_rate": 1e-3}),
        (["train.learning_rate=2e-3..1e-2:log"], None),
    ],
)
def test_the_recipes_own_settings_are_found_in_the_space(
    recipe: Path, words: list[str], own: dict[str, object] | None
) -> None:
    assert own_values(read_space(words, recipe), load_recipe(recipe)) == own


@given(
    low=st.floats(1e-9, 1e3),
    factor=st.floats(1.5, 1e4),
    drawn=st.floats(0, 1),
    log=st.booleans(),
)
def test_a_drawn_value_is_within_the_range_and_short(
    recipe: Path, low: float, factor: float, drawn: float, log: bool
) -> None:
    word = f"train.learning_rate={low!r}..{low * factor!r}{':log' if log else ''}"
    (parameter,) = read_space([word], recipe)
    at = low + drawn * (low * factor - low)
    value = parameter.suggest(FixedTrial({parameter.name: min(at, parameter.high)}))
    assert parameter.low <= value <= parameter.high
    assert value in parameter.ends or float(f"{value:.3g}") == value
    assert read_space([str(parameter)], recipe) == (parameter,)


@given(
    st.text(max_size=30),
    st.text(max_size=30) | st.text("0123456789.,:+-exlog _", max_size=12),
)
def test_any_text_is_read_or_refused_in_one_line(recipe: Path, name: str, values: str) -> None:
    for field in (name, "lora.rank", "lora.alpha", "train.learning_rate", "train.schedule"):
        told = ""
        try:
            (parameter,) = read_space([f"{field}={values}"], recipe)
            assert read_space([str(parameter)], recipe) == (parameter,)
        except PengadilError as error:
            told = str(error)
        assert told.isprintable()
