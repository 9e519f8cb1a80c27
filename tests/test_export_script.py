"""scripts/export_gguf.py as it is called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers_exports import (
    ROWS,
    Made,
    fresh,
    made,
    quick,
)

from pengadil.runs import Run

__all__ = ["fresh", "made", "quick"]

ROOT = Path(__file__).parent.parent


def script(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "export_gguf.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
    )


def test_the_script_shows_examples_without_loading_anything_heavy() -> None:
    code = (
        "import sys; sys.argv = ['export_gguf.py', '--help']\n"
        "import runpy\n"
        "try: runpy.run_path('scripts/export_gguf.py', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print({'torch', 'transformers', 'peft', 'llama_cpp', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert "python scripts/export_gguf.py runs/latest --quant q8_0,q4_k_m" in done.stdout
    assert done.stdout.endswith("set()\n")


def test_the_script_prints_a_table_or_one_line_of_error(made: Made) -> None:
    done = script(str(made.run.folder), "--quant", "q8_0,f16", "--verify-rows", str(ROWS))
    assert done.returncode == 0, done.stderr
    assert f"{ROWS}/{ROWS}" in done.stdout
    assert "kept" in done.stdout
    assert f"python eval/evaluate.py {made.files[0].file} --slice contoh" in done.stdout
    wrong = script(str(made.run.folder), "--quant", "q9")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("error: 'q9': no such quantisation.")
    assert wrong.stderr.count("\n") == 1


def test_the_script_tells_its_steps(
    fresh: Run, quick: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("script", ROOT / "scripts" / "export_gguf.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main([str(fresh.folder), "--verify-rows", "4", "--threads", "1"])
    out, err = capsys.readouterr()
    assert "tiny-Q8_0.gguf" in out
    assert "MB of disk at most (q8_0 19 MB)" in err
    for step in ("answers by the adapter", "convert to q8_0", "verify q8_0"):
        assert f"{step} ..." in err
        assert f"{step}: " in err
