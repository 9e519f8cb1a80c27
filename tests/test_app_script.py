"""scripts/app.py: who may reach the page, which models it takes, and what it refuses at once."""

from __future__ import annotations

import argparse
import importlib.util
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers_app import fake_context

from pengadil.app.access import PASSWORD, Access, access, find_port, is_local, warning
from pengadil.app.launch import check_installed, serve
from pengadil.app.options import check_model, context_of, open_named
from pengadil.errors import PengadilError

ROOT = Path(__file__).resolve().parent.parent
GOOD = "dua-belas-huruf"


def script() -> Any:
    spec = importlib.util.spec_from_file_location("app_script", ROOT / "scripts" / "app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def options(*words: str) -> argparse.Namespace:
    parsed: argparse.Namespace = script().make_parser().parse_args(words)
    return parsed


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The script as a user runs it; what it imports is told at the end."""
    import os

    return subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / "scripts" / "app.py"), *words],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        (["runs/tiada"], {}, "no such model"),
        (["tiada.gguf"], {}, "no such file"),
        ([], {}, "runs/latest"),
        (["smollm2-135m", "--share"], {}, "it is not set"),
        (["smollm2-135m", "--host", "0.0.0.0"], {PASSWORD: "pendek"}, "shorter than that"),
        (["smollm2-135m", "--threshold", "2"], {}, "not from 0 to 1"),
    ],
)
def test_bad_input_ends_in_words_before_gradio_or_torch_is_loaded(
    tmp_path: Path, words: list[str], environment: dict[str, str], said: str
) -> None:
    done = run(tmp_path, *words, **environment)
    error = [line for line in done.stderr.splitlines() if not line.startswith("import time")]
    assert done.returncode == 2
    assert len(error) == 1
    assert error[0].startswith("error: ")
    assert said in error[0]
    assert "pendek" not in error[0]
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert not {"gradio", "torch", "transformers", "fastapi", "pypdf"} & imported
    assert list(tmp_path.iterdir()) == []


def test_the_help_shows_commands_to_copy(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        script().make_parser().parse_args(["--help"])
    shown = capsys.readouterr().out
    assert "python scripts/app.py runs/latest" in shown
    assert PASSWORD in shown


def test_the_model_is_the_latest_run_unless_named() -> None:
    assert options().models == ["runs/latest"]
    assert options("a.gguf", "b").models == ["a.gguf", "b"]


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.0.0.5", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.4", False),
        ("komputer", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_which_hosts_only_this_machine_reaches(
    monkeypatch: pytest.MonkeyPatch, host: str, local: bool
) -> None:
    assert is_local(host) is local
    monkeypatch.delenv(PASSWORD, raising=False)
    if local:
        assert not warning(access(host, None, share=False))
        assert access(host, None, share=False).host == host.strip("[]")
    else:
        with pytest.raises(PengadilError, match=PASSWORD):
            access(host, None, share=False)


def test_others_are_let_in_with_a_password_and_a_warning_that_does_not_tell_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PASSWORD, GOOD)
    for asked in (access("127.0.0.1", None, share=True), access("0.0.0.0", 8000, share=False)):
        assert asked.open_to_others
        assert asked.password == GOOD
        assert "others can reach this page" in warning(asked)
        assert GOOD not in warning(asked)
    assert "carry what is written" in warning(access("127.0.0.1", None, share=True))
    assert "unencrypted" in warning(access("0.0.0.0", None, share=False))
    assert access("127.0.0.1", None, share=False).password == GOOD  # asked for here too


@pytest.mark.parametrize("letters", [0, 1, 11])
def test_a_short_password_is_refused(monkeypatch: pytest.MonkeyPatch, letters: int) -> None:
    monkeypatch.setenv(PASSWORD, "a" * letters)
    with pytest.raises(PengadilError, match="at least 12 letters"):
        access("127.0.0.1", None, share=True)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(PengadilError, match="no such port"):
        access("127.0.0.1", port, share=False)


def test_a_port_that_is_taken_is_refused_if_asked_for_and_else_another_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        taken = door.getsockname()[1]
        with pytest.raises(PengadilError, match=f"port {taken}"):
            find_port(Access(port=taken))
        monkeypatch.setattr("pengadil.app.access.PORT", taken)
        free = find_port(Access())
    assert free not in (0, taken)
    assert find_port(Access(port=free)) == free


def test_a_host_that_is_not_this_machine_is_refused() -> None:
    with pytest.raises(PengadilError, match=r"192\.0\.2\.1"):
        find_port(Access(host="192.0.2.1"))


def test_models_are_checked_before_the_page_starts(tmp_path: Path) -> None:
    check_model("smollm2-135m", None)
    check_model("pemilik/model", None)
    check_model("endpoint:apa", None)
    check_model("http://127.0.0.1:1/v1", None)
    with pytest.raises(PengadilError, match="no such model"):
        check_model(str(tmp_path / "tiada"), None)
    with pytest.raises(PengadilError, match="tiada"):
        check_model("smollm2-135m", "tiada")
    with pytest.raises(PengadilError, match="rewritten text"):
        check_model("smollm2-135m", "rewrite")


def test_the_options_make_the_page(tmp_path: Path) -> None:
    context = context_of(
        options(
            *("smollm2-135m", "pemilik/model", "--language", "en", "--threshold", "0.7"),
            *("--results", str(tmp_path)),
        )
    )
    assert context.shelf.names == ("smollm2-135m", "pemilik/model")
    assert (context.language, context.guard_threshold, context.results) == ("en", 0.7, tmp_path)
    with pytest.raises(PengadilError, match="fewer than one"):
        context_of(options("smollm2-135m", "--keep", "0"))


def test_each_model_gets_the_settings_that_its_kind_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        "pengadil.app.options.open_judge", lambda name, **given: opened.append((name, given))
    )
    monkeypatch.setattr(
        "pengadil.app.options.served_model", lambda address: (f"{address}/v1", "hakim")
    )
    given = {"dtype": "float32", "threads": 2, "timeout": 5.0}
    for model in ("runs/latest", "a.GGUF", "endpoint:x", "http://127.0.0.1:8080"):
        open_named(model, given)
    assert opened == [
        ("runs/latest", {"dtype": "float32"}),
        ("a.GGUF", {"threads": 2}),
        ("endpoint:x", {"timeout": 5.0}),
        ("endpoint:hakim", {"timeout": 5.0, "base_url": "http://127.0.0.1:8080/v1"}),
    ]


def test_a_setting_that_no_model_takes_is_refused() -> None:
    with pytest.raises(PengadilError, match="--threads"):
        context_of(options("smollm2-135m", "--threads", "2"))


def test_a_missing_library_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check_installed()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(PengadilError, match="gradio and pypdf: not installed"):
        check_installed()


def test_a_tunnel_that_does_not_open_ends_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Blocks:
        closed = False

        def launch(self, **_: object) -> tuple[None, str, None]:
            return None, "http://127.0.0.1:1/", None

        def close(self, **_: object) -> None:
            self.closed = True

    blocks = Blocks()
    monkeypatch.setattr("pengadil.app.shell.build", lambda _: blocks)
    with pytest.raises(PengadilError, match="no tunnel"):
        serve(fake_context(), Access(share=True, password=GOOD))
    assert blocks.closed
    assert "others can reach this page" in capsys.readouterr().err
