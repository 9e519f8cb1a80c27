"""scripts/judge.py and eval/evaluate.py as they are called, and what they say of bad input."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest
from helpers_judges import FakeJudge

from pengadil import hardware, summary
from pengadil.data.bundled import load_bundled
from pengadil.data.sources import rows_sha256
from pengadil.errors import PengadilError
from pengadil.judges import opening
from pengadil.judges.opening import judge_prompt, open_judge
from pengadil.judges.single import reasoning_of
from pengadil.prompts import load_prompt
from pengadil.runs import Run, point_latest

ROOT = Path(__file__).parent.parent
JUDGE, EVALUATE = ROOT / "scripts" / "judge.py", ROOT / "eval" / "evaluate.py"
STATEMENT = ("--statement", "Ali lahir di Ipoh.")


def called(
    script: Path, *arguments: str, folder: Path = ROOT, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=folder,
        input=given,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
    )


def loaded(script: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(script.stem + "_script", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def own_slices(folder: Path, *grades: str) -> None:
    """A slices file that a script finds in the current directory before the shipped one."""
    folder.mkdir()
    entries = [
        f'[{grade}]\nkind = "bundled"\nrows = 200\n'
        f'sha256 = "{rows_sha256(load_bundled(grade, "test"))}"\n'
        for grade in grades
    ]
    (folder / "slices.toml").write_text("".join(entries), encoding="utf-8")


@pytest.fixture
def document(tmp_path: Path) -> str:
    path = tmp_path / "surat.txt"
    path.write_text("Ali lahir di Ipoh pada 1990.", encoding="utf-8")
    return str(path)


@pytest.fixture
def with_fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeJudge]:
    """Have the scripts open a fake judge."""

    def use(**settings: str) -> FakeJudge:
        judge = FakeJudge(**settings)
        monkeypatch.setattr(opening, "open_judge", lambda _model: judge)
        return judge

    return use


@pytest.mark.parametrize("script", [JUDGE, EVALUATE])
def test_help_shows_commands_and_loads_nothing_heavy(script: Path) -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = [{str(script)!r}, '--help']\n"
        "try:\n"
        f"    runpy.run_path({str(script)!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    heavy = {'torch', 'transformers', 'scipy', 'numpy', 'matplotlib', 'rich'}\n"
        "    sys.exit(end.code or sorted(heavy & set(sys.modules)) or 0)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert f"python {script.parent.name}/{script.name} runs/latest" in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "given", "told"),
    [
        (("--document", "gone.txt", *STATEMENT), b"", b"gone.txt: no such file"),
        (("--document", "-", *STATEMENT), b" \n", b"standard input: the document is empty"),
        (("--document", "-", *STATEMENT), b"Ali \xff", b"standard input: not UTF-8 (byte 4)"),
        (("--document", ".", *STATEMENT), b"", b".: it cannot be read"),
        (("--document", "-", "--statement", " "), b"Ali.", b"--statement: it is empty"),
        (("--document", "-", *STATEMENT), b"Ali.", b"'nomodel': no such model"),
    ],
)
def test_bad_input_to_judge_is_one_line_and_exit_code_2(
    tmp_path: Path, arguments: Sequence[str], given: bytes, told: bytes
) -> None:
    answer = called(JUDGE, "nomodel", *arguments, folder=tmp_path, given=given)
    assert answer.returncode == 2
    assert answer.stderr.startswith(b"error: ")
    assert told in answer.stderr
    assert answer.stderr.count(b"\n") == 1
    assert answer.stdout == b""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nomodel", "--slice", "contoh-sukar"), b"no such model"),
        (("nomodel", "--slice", "contho"), b"Did you mean contoh"),
        (("nomodel", "--slice", "boolq-malay-200"), b"Give --data"),
        (("nomodel", "--limit", "0"), b"not a number of rows"),
        (("nomodel", "--slice", "contoh-sukar", "--prompt", "verdik"), b"no such prompt"),
        (("--rescore", "nowhere"), b"no summary.json"),
    ],
)
def test_bad_input_to_evaluate_is_one_line_and_exit_code_2(
    tmp_path: Path, arguments: Sequence[str], told: bytes
) -> None:
    answer = called(EVALUATE, *arguments, folder=tmp_path)
    assert answer.returncode == 2
    assert told in answer.stderr
    assert answer.stderr.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_verdict_is_told_in_malay_and_english_with_its_probability(
    document: str, with_fake: Callable[..., FakeJudge], capsys: pytest.CaptureFixture[str]
) -> None:
    judge = with_fake(raw='{"reasoning": "Ayat pertama.", "consistency": ')
    loaded(JUDGE).main(["fake", "--document", document, *STATEMENT])
    lines = capsys.readouterr().out.splitlines()
    assert judge.asked == [document]
    assert lines[0] in ("Tidak selaras (does not agree), 90.0 %", "Selaras (agrees), 90.0 %")
    assert lines[1:] == ["Ayat pertama."]


def test_json_is_one_line_for_machines(
    document: str, with_fake: Callable[..., FakeJudge], capsys: pytest.CaptureFixture[str]
) -> None:
    with_fake()
    loaded(JUDGE).main(["fake", "--document", document, *STATEMENT, "--json"])
    [line] = capsys.readouterr().out.splitlines()
    record = json.loads(line)
    assert list(record) == ["verdict", "probability", "rule", "reasoning", "raw", "model"]
    assert record["probability"] == pytest.approx(0.1 + 0.8 * record["verdict"], abs=1e-3)
    assert record["model"] == "fake"


def test_an_unreadable_answer_is_said_to_be_one(
    document: str, with_fake: Callable[..., FakeJudge], capsys: pytest.CaptureFixture[str]
) -> None:
    with_fake(raw="entah\x1b[31m", unreadable=[document])
    loaded(JUDGE).main(["fake", "--document", document, *STATEMENT, "--mode", "generate"])
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "Tidak dapat dibaca (the answer cannot be read)"
    assert "entah" in out
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("raw", "reasoning"),
    [
        ("", ""),
        ('{"consistency": 1}', ""),
        ('{"reasoning": "Kata \\"ya\\".", "consistency": 1}', 'Kata "ya".'),
        ('{"reasoning": "Kata "ya" sahaja.", "consistency": 1}', 'Kata "ya" sahaja.'),
        ('{"reasoning": "Sama.", "consistency": ', "Sama."),
        ('{"reasoning": "Belum habis', "Belum habis"),
        ('```json\n{"reasoning": "Dua\nbaris", "consistency": 0}\n```', "Dua\nbaris"),
    ],
)
def test_the_reasoning_is_read_from_whole_and_broken_answers(raw: str, reasoning: str) -> None:
    assert reasoning_of(raw) == reasoning


def test_evaluate_judges_each_slice_ends_with_a_table_and_rescores(
    with_fake: Callable[..., FakeJudge],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    own_slices(tmp_path / "eval", "contoh", "contoh-sederhana")
    monkeypatch.setattr(summary, "BASELINE_ROWS", 60)
    monkeypatch.setattr(hardware, "provenance", dict)
    judge = with_fake()
    script = loaded(EVALUATE)
    both = ["smollm2-135m", "--slice", "contoh", "--slice", "contoh-sederhana", "--limit", "8"]
    script.main(both)
    printed = capsys.readouterr()
    assert "contoh (first 8 of 200): 8/8 rows" in printed.err
    for part in ("accuracy", "95 % interval", "majority", "McNemar", "unreadable", "s/row"):
        assert part in printed.out
    assert "prompt verdict, mode score" in printed.out
    assert "fake" in printed.out
    folders = [
        tmp_path / "results" / f"smollm2-135m-{name}-first-8-score"
        for name in ("contoh", "contoh-sederhana")
    ]
    assert all((folder / "report.html").is_file() for folder in folders)
    assert str(Path("results") / folders[0].name / "report.md") in printed.out
    judged = len(judge.asked)
    script.main(both)
    assert len(judge.asked) == judged == 16
    script.main([*both, "--fresh", "--out", "own"])
    assert (tmp_path / "own" / "contoh-first-8-score" / "summary.json").is_file()
    script.main([*both[:3], "--limit", "8", "--prompt", "reasoning"])
    assert folders[0].with_name(folders[0].name + "-reasoning").is_dir()
    script.main(["--rescore", str(folders[0])])
    assert "accuracy" in capsys.readouterr().out
    assert len(judge.asked) == 40


def test_no_such_model_says_what_is_accepted_and_which_runs_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PengadilError, match=r"run folder, a \.gguf file.*no runs here yet"):
        open_judge("runs/latest")
    trained = Run(Path("runs/smoke-1"))
    trained.folder.mkdir(parents=True)
    trained.write_facts({"status": "training"})
    point_latest(trained)
    for wrong in ("runs/smoke-2", "nomodel", "./a/b", "gone.gguf"):
        with pytest.raises(PengadilError, match=r"In runs: runs/latest, runs/smoke-1\."):
            open_judge(wrong)
    with pytest.raises(PengadilError, match="has not finished"):
        open_judge("runs/latest")


def test_a_run_whose_base_model_has_changed_is_refused(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text("{}", encoding="utf-8")
    trained = Run(tmp_path / "run")
    trained.folder.mkdir()
    facts = {"status": "finished", "base": {"name": str(base), "revision": "config 0123"}}
    trained.write_facts(facts)
    with pytest.raises(PengadilError, match=r"is now config .*, not config 0123"):
        open_judge(str(trained.folder))


def test_the_prompt_is_the_models_own_unless_another_is_given(tmp_path: Path) -> None:
    reasoning = load_prompt("reasoning")
    recorded = {"prompt": {"name": "reasoning", "sha256": reasoning.sha256}}
    trained = Run(tmp_path / "run")
    trained.folder.mkdir()
    trained.write_facts({"status": "finished", **recorded})
    (tmp_path / "export.json").write_text(json.dumps(recorded), encoding="utf-8")
    for model in (trained.folder, tmp_path / "judge-q8_0.gguf"):
        assert judge_prompt(str(model)) == reasoning
        assert judge_prompt(str(model), "verdict").name == "verdict"
    assert judge_prompt("smollm2-135m").name == "verdict"
    assert judge_prompt(str(tmp_path / "run" / "judge.gguf")).name == "verdict"


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ({"name": "verdict", "sha256": "0"}, "says something else"),
        ({"name": "mine", "sha256": "0"}, r"trained with prompt mine: .*no such prompt.*--prompt"),
    ],
)
def test_a_prompt_that_changed_since_training_is_refused(
    tmp_path: Path, prompt: dict[str, str], told: str
) -> None:
    trained = Run(tmp_path)
    trained.write_facts({"status": "finished", "prompt": prompt})
    with pytest.raises(PengadilError, match=told):
        judge_prompt(str(tmp_path))


@pytest.mark.parametrize("text", ["{", "[]", '{"prompt": "verdict"}', "{}"])
def test_an_export_that_names_no_prompt_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "export.json").write_text(text, encoding="utf-8")
    with pytest.raises(PengadilError, match="names no prompt"):
        judge_prompt(str(tmp_path / "judge.gguf"))
