"""Push, status and resume through Kaggle's own library, against a server that speaks its calls."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from helpers_kaggle import (
    KEY,
    PUSH,
    SCRIPTS,
    SMOKE,
    TOKEN,
    USER,
    Kaggle,
    Kernel,
    constants,
    kaggle,
    push,
)

from pengadil.errors import BAD_INPUT, PengadilError
from pengadil.remote.pushed import last_pushed
from pengadil.remote.source import Settings

__all__ = ["kaggle", "push"]


def test_a_push_sends_the_tree_the_settings_and_what_was_asked(
    kaggle: Kaggle, push: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle.known_sources = {"me/wheels", "me/mistral/transformers/7b/1", "me/rows"}
    words = ["--accelerator", "l4", "--max-hours", "6", "--train.epochs", "2", "--internet", "off"]
    words += ["--wheels", "me/wheels", "--model-source", "me/mistral/transformers/7b/1"]
    assert push.main([*PUSH, *words, "--data-source", "me/rows"]) == 0
    (sent,) = kaggle.kernels[SMOKE].saved
    text = sent.pop("text")
    assert sent == {
        "slug": SMOKE,
        "newTitle": "pengadil smoke",
        "language": "python",
        "kernelType": "script",
        "isPrivate": True,
        "enableGpu": True,
        "enableTpu": False,
        "enableInternet": False,
        "machineShape": "NvidiaL4X1",
        "sessionTimeoutSeconds": 6 * 3600 + 900,
        "datasetDataSources": ["me/wheels", "me/rows"],
        "modelDataSources": ["me/mistral/transformers/7b/1"],
    }
    found = constants(text)
    settings = Settings.of_json(json.loads(found["SETTINGS"]))
    assert settings == Settings(
        name="pengadil-smoke",
        recipe="smoke",
        arguments=("--train.epochs", "2"),
        accelerator="NvidiaL4X1",
        max_hours=6.0,
        internet=False,
        quant="q8_0",
        wheels="me/wheels",
        model="me/mistral/transformers/7b/1",
        data=("me/rows",),
    )
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(found["TREE"]))) as archive:
        assert "recipes/smoke.toml" in archive.getnames()
    shown = capsys.readouterr().out
    for word in (SMOKE, "(private)", "NVIDIA L4", "internet     off", "2.5 of 30 GPU hours", "4: "):
        assert word in shown
    last = last_pushed(Path("runs"))
    assert (last.kernel, last.version, last.settings) == (SMOKE, 1, settings)


def test_the_metadata_passes_the_librarys_own_validation(
    kaggle: Kaggle, push: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from kaggle.api.kaggle_api_extended import KaggleApi

    folder = tmp_path / "kept"
    assert push.main([*PUSH, "--dry-run", "--keep", str(folder)]) == 0
    assert "SaveKernel" not in kaggle.calls
    capsys.readouterr()
    api = KaggleApi()
    api.authenticate()
    assert api.kernels_push(str(folder)).version_number == 1
    # It would say here that the title does not lead to the id.
    assert capsys.readouterr().out == ""


def test_without_a_yes_nothing_is_sent(
    kaggle: Kaggle, push: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(PengadilError, match="Add --yes"):
        push.main(PUSH[:-1])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    for answer, code in (("", BAD_INPUT), ("n", BAD_INPUT), ("Y", 0)):
        monkeypatch.setattr("builtins.input", lambda _, answer=answer: answer)
        assert push.main(PUSH[:-1]) == code
    assert kaggle.calls.count("SaveKernel") == 1


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["--accelerator", "T44"], "Did you mean NvidiaTeslaT4"),
        (["--max-hours", "24"], "ends a session after 12 h"),
        (["--internet", "off"], "nothing is attached"),
        (["--wheels", "here"], "not of the form owner/dataset"),
        (["--name", "No"], "Try --name"),
        (["--train.epoch", "2"], "train.epochs"),
        (["--data.train", "data/mine.csv"], "would not be sent"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(
    kaggle: Kaggle, push: ModuleType, words: list[str], wrong: str
) -> None:
    with pytest.raises(PengadilError, match=wrong):
        push.main([*PUSH, *words])
    assert "SaveKernel" not in kaggle.calls
    assert not Path("runs").exists()


def test_a_recipe_outside_of_the_checkout_is_refused(push: ModuleType, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(Path("recipes/smoke.toml").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(PengadilError, match="Copy it to recipes/"):
        push.main(["--recipe", str(recipe), "--dry-run"])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ((401, "Unauthorized"), ["Kaggle says 401", "KAGGLE_API_TOKEN"]),
        ((403, "Permission 'kernels.create' was denied"), ["403", "phone number"]),
        ((404, "Not found"), ["404", "owner and name"]),
        ((429, "Too many requests"), ["429", "wait"]),
        ((503, "Backend error"), ["503", "try again"]),
        (
            (400, "Maximum weekly GPU quota of 30.00 hours"),
            ["30.00 hours", "--accelerator"],
        ),
        ({"error": "Maximum batch GPU session count of 2 reached."}, ["count of 2", "status.py"]),
        ({"error": f"Bad title for {KEY}"}, ["Bad title for (", "Mend"]),
    ],
)
def test_what_kaggle_refuses_is_one_line_without_the_key(
    kaggle: Kaggle, push: ModuleType, fault: Any, words: list[str]
) -> None:
    kaggle.faults["SaveKernel"] = [fault]
    with pytest.raises(PengadilError) as error:
        push.main(PUSH)
    said = str(error.value)
    assert all(word in said for word in words), said
    assert "\n" not in said
    assert KEY not in said
    assert not Path("runs").exists()


def test_sources_that_kaggle_does_not_know_are_named_after_the_push(
    kaggle: Kaggle, push: ModuleType
) -> None:
    with pytest.raises(PengadilError, match="does not know me/typo"):
        push.main([*PUSH, "--data-source", "me/typo"])
    assert last_pushed(Path("runs")).version == 1


def test_no_network_is_one_line(
    kaggle: Kaggle, push: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(PengadilError, match="cannot be reached"):
        push.main(PUSH)


def test_without_a_key_it_says_where_to_get_one(
    kaggle: Kaggle,
    push: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("KAGGLE_KEY")
    with pytest.raises(PengadilError, match=r"kaggle\.com/settings"):
        push.main(PUSH)
    assert push.main([*PUSH, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "ACCOUNT/pengadil-smoke" in shown
    assert "Authentication required" not in shown


def test_a_token_is_as_good_as_a_key(
    kaggle: Kaggle, push: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert push.main(PUSH) == 0
    assert SMOKE in kaggle.kernels


def test_nothing_that_is_written_or_shown_holds_the_key(
    kaggle: Kaggle,
    push: ModuleType,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from kaggle.api.kaggle_api_extended import KaggleApi

    monkeypatch.setattr(KaggleApi, "args", ["--local", "--verbose"])
    Path("kaggle.json").write_text(json.dumps({"username": USER, "key": KEY}), encoding="utf-8")
    assert push.main([*PUSH, "--keep", "kept"]) == 0
    shown = capsys.readouterr()
    texts = [shown.out, shown.err, kaggle.kernels[SMOKE].saved[0]["text"]]
    texts += [path.read_text(encoding="utf-8") for path in Path("runs").iterdir()]
    basic = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
    assert not any(KEY in text or basic in text for text in texts)


@pytest.mark.parametrize("folder", [SCRIPTS.parent, SCRIPTS])
def test_as_a_command_from_the_root_and_from_its_own_folder(
    kaggle: Kaggle, tmp_path: Path, folder: Path
) -> None:
    """Its folder is called like the library, and is the first place where Python looks."""
    kaggle.kernels["me/pengadil-smoke"] = Kernel(states=["QUEUED"])
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS.parent)}
    command = [sys.executable, str(SCRIPTS / "status.py"), "me/pengadil-smoke"]
    done = subprocess.run(
        [*command, "--runs", str(tmp_path)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("me/pengadil-smoke: queued\n"), done.stderr


def test_without_the_library_it_says_how_to_get_it(
    push: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kaggle.api.kaggle_api_extended", None)
    monkeypatch.setitem(sys.modules, "kaggle", None)
    with pytest.raises(PengadilError, match=r"requirements-kaggle\.txt"):
        push.main(PUSH)


def test_the_smallest_recipe_is_planned_before_it_is_sent(
    kaggle: Kaggle, push: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is scripts/plan.py's; here one that finds the recipe too large."""
    plan = (
        "import json, pathlib, sys\n"
        "plan = {'recipe': sys.argv[1], 'fits': False, 'fit_reason': 'too much', 'disk': [],\n"
        "        'memory_bytes': 1, 'seconds': 1, 'tokens_a_second': {'reason': 'said'}}\n"
        "pathlib.Path(sys.argv[sys.argv.index('--json') + 1]).write_text(json.dumps(plan))\n"
        "sys.exit(2)\n"
    )
    Path("scripts/plan.py").write_text(plan, encoding="utf-8")
    with pytest.raises(PengadilError, match=r"smoke on 2 x Tesla T4: does not fit .*too much"):
        push.main(["--recipe", "smoke", "--yes"])
    assert "SaveKernel" not in kaggle.calls
    Path("scripts/plan.py").write_text("raise SystemExit('error: no hub here')", encoding="utf-8")
    assert push.main(["--recipe", "smoke", "--yes"]) == 0
