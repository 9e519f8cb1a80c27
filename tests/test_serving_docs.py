"""docs/serving.md: what it shows works, and what it lists is what there is."""

from __future__ import annotations

import json
import re
import shlex
import urllib.request
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from helpers_serving import LOCAL_URL, HeldJudge, client_of, statement

from pengadil.serving.command import add_options
from pengadil.serving.limits import MEGABYTE, Limits
from pengadil.serving.paths import PATHS

PAGE = (Path(__file__).parent.parent / "docs" / "serving.md").read_text(encoding="utf-8")
CURL = [shlex.split(line) for line in re.findall(r"^curl .*$", PAGE, re.MULTILINE)]


def test_every_request_shown_is_answered() -> None:
    assert len(CURL) == 4
    with client_of(HeldJudge()) as client:
        for words in CURL:
            body = words[words.index("-d") + 1]
            headers = [words[at + 1] for at, word in enumerate(words) if word == "-H"]
            answer = client.post(
                words[1].removeprefix(f"{LOCAL_URL}:8000"),
                content=body,
                headers=dict(line.split(": ", 1) for line in headers),
            )
            assert answer.status_code == 200, answer.text


def test_the_python_shown_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    with client_of(HeldJudge()) as client:

        def opened(request: urllib.request.Request) -> BytesIO:
            answer = client.post(
                request.selector, content=request.data, headers=dict(request.header_items())
            )
            assert answer.status_code == 200
            return BytesIO(answer.content)

        monkeypatch.setattr(urllib.request, "urlopen", opened)
        exec(code, {})
    assert capsys.readouterr().out == "pass\n"


def test_an_error_looks_as_shown() -> None:
    [shown] = re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL)
    with client_of(HeldJudge()) as client:
        assert client.post("/v1/judge", json=statement("Ali", " ")).json() == json.loads(shown)


def test_every_metric_and_every_path_is_named() -> None:
    from prometheus_client.parser import text_string_to_metric_families

    with client_of(HeldJudge()) as client:
        client.post("/v1/judge", json=statement("Ali", "Ali"))
        families = list(text_string_to_metric_families(client.get("/metrics").text))
    kinds = {family.name: family.type for family in families}
    names = {
        f"{name}_total" if kind == "counter" else name
        for name, kind in kinds.items()
        if not name.endswith("_created")
    }
    assert names == set(re.findall(r"^\| `(pengadil_\w+)`", PAGE, re.MULTILINE))
    for path in PATHS:
        assert path in PAGE


def test_the_defaults_are_those_of_the_script() -> None:
    import argparse

    parser = argparse.ArgumentParser()
    add_options(parser)
    options: Any = parser.parse_args(["MODEL"])
    limits = Limits()
    assert (options.most_mb * MEGABYTE, options.most_rows) == (limits.body, limits.rows)
    assert (options.deadline, options.at_once) == (limits.seconds, limits.at_once)
    assert options.per_minute == limits.per_minute
    for name in ("most_mb", "most_rows", "deadline", "at_once", "per_minute", "batch", "wait_ms"):
        shown = re.search(rf"`--{name.replace('_', '-')}` \(([\d,]+)", PAGE)
        assert shown is not None, name
        assert float(shown[1].replace(",", "")) == getattr(options, name)
