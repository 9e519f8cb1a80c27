"""The command `pengadil`: every script is a verb of it, and says its commands so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import pengadil
from pengadil import command
from pengadil.errors import PengadilError
from pengadil.folders import home
from pengadil.verbs import VERBS, as_commands, shown

ROOT = Path(__file__).parent.parent
# What no person calls: what Kaggle runs, and what makes its notebook.
NO_VERBS = {"kaggle/kernel.py", "kaggle/make_notebook.py"}
SCRIPTS = sorted(
    f"{folder}/{script.name}"
    for folder in ("scripts", "eval", "kaggle")
    for script in (ROOT / folder).glob("*.py")
)
PRESENT = [verb for verb, script in VERBS.items() if script in SCRIPTS]


@pytest.fixture(autouse=True)
def words_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["pytest"])


def help_of(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        command.main([*words, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_every_script_is_a_verb_and_every_verb_a_script() -> None:
    assert set(VERBS.values()) - NO_VERBS == set(SCRIPTS) - NO_VERBS
    assert home() == ROOT


@pytest.mark.parametrize("verb", PRESENT)
def test_a_verbs_help_names_it_as_it_is_called(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = help_of(*verb.split(), capsys=capsys)
    assert said.startswith(f"usage: pengadil {verb} ")
    assert f"    pengadil {verb}" in said
    assert not re.search(r"python (scripts|eval|kaggle)/", said)


def test_verbs_of_a_verb_are_named_so_too(capsys: pytest.CaptureFixture[str]) -> None:
    said = help_of("prepare", "translate", capsys=capsys)
    assert said.startswith("usage: pengadil prepare translate ")
    assert "    pengadil prepare translate " in said
    assert "scripts/" not in said


def test_help_lists_the_verbs_with_the_first_line_of_each_script(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.main(["--help", "train"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for verb in PRESENT:
        text = (ROOT / VERBS[verb]).read_text(encoding="utf-8")
        first = as_commands(text.split('"""')[1].splitlines()[0])
        [line] = [line for line in lines if re.match(rf" +{verb} +{re.escape(first)}$", line)]
        assert first.endswith((".", "?")), line


def test_the_examples_are_commands_that_the_scripts_take() -> None:
    import importlib.util
    import shlex

    lines = [line.strip() for line in command.EXAMPLES.splitlines()[1:]]
    assert len(lines) > 3
    for line in lines:
        _, verb, *words = shlex.split(line.partition("    ")[0])
        spec = importlib.util.spec_from_file_location("shown", ROOT / VERBS[verb])
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        _, rest = module.make_parser().parse_known_args(words)
        assert not [word for word in rest if word.startswith("-")], line


def test_without_a_verb_it_shows_the_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 2
    assert "usage: pengadil VERB" in capsys.readouterr().out


def test_verbs_of_two_words_have_a_help_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["kaggle"]) == 2
    assert command.main(["kaggle", "--help"]) == 0
    said = capsys.readouterr().out
    assert "kaggle push" in said
    assert "  train " not in said


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--version"]) == 0
    assert capsys.readouterr().out == f"pengadil {pengadil.__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], "'trian': no such verb. Did you mean train?"),
        (["kaggle", "puhs"], "'kaggle puhs': no such verb. Did you mean kaggle push"),
        (["zzzz", "--help"], "'zzzz': no such verb. There are: prepare, plan, train,"),
        (["--quant", "q8_0"], "'--quant': no such verb. There are:"),
    ],
)
def test_an_unknown_verb_is_told_in_one_line(words: list[str], said: str) -> None:
    with pytest.raises(PengadilError) as told:
        command.main(words)
    assert str(told.value).startswith(said)


def test_the_scripts_own_arguments_and_exit_codes_go_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "scripts" / "train.py"
    script.parent.mkdir()
    script.write_text(
        '"""Says what it is given."""\nimport argparse, sys\n'
        "def make_parser():\n    return argparse.ArgumentParser()\n"
        "def main(arguments):\n    print(sys.argv, arguments)\n    return 7\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(command, "home", lambda: tmp_path)
    assert command.main(["train", "--help me", "x"]) == 7
    words = "'--help me', 'x']"
    assert capsys.readouterr().out == f"['pengadil train', {words} [{words}\n"
    assert sys.argv == ["pytest"]


def test_an_error_ends_in_one_line_that_names_the_command(tmp_path: Path) -> None:
    """As a process: `python -m pengadil`, with the exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "pengadil", "export", "runs/none"],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pengadil train" in done.stderr
    assert "scripts/" not in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("next: python scripts/export_gguf.py runs/a", "next: pengadil export runs/a"),
        ("python eval/evaluate.py a.gguf", "pengadil evaluate a.gguf"),
        ("with python\nkaggle/resume.py after", "with pengadil kaggle resume after"),
        ("see scripts/plan.py.", "see pengadil plan."),
        (
            "accelerate launch --num_processes 2 scripts/train.py smoke",
            "accelerate launch --num_processes 2 -m pengadil train smoke",
        ),
        ("pip install -r requirements-ray.txt", 'pip install "pengadil[ray]"'),
        ("pip install -r requirements.txt", "pip install -r requirements.txt"),
        ("/home/me/scripts/train.py", "/home/me/scripts/train.py"),
        (r"C:\pengadil\scripts/train.py", r"C:\pengadil\scripts/train.py"),
        ("my-scripts/train.py", "my-scripts/train.py"),
        ("python scripts/other.py", "python scripts/other.py"),
        ("python benchmarks/judge_speed.py", "python benchmarks/judge_speed.py"),
    ],
)
def test_commands_are_named_as_the_user_calls_them(
    text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert as_commands(text) == said
    assert shown(text) == text
    monkeypatch.setattr(sys, "argv", ["pengadil train", "smoke"])
    assert shown(text) == said
