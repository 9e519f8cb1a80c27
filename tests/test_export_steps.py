"""The steps of an export, each by itself, on a tiny model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers_exports import Made, fresh, made

from pengadil.data.bundled import EASY, load_bundled
from pengadil.errors import PengadilError
from pengadil.export import QUANTISATIONS, export_gguf, recipe_quants
from pengadil.export.convert import Job, convert
from pengadil.export.merge import merge
from pengadil.export.quantise import quantise
from pengadil.export.reference import of_adapter
from pengadil.export.source import open_source, recorded_verdicts
from pengadil.export.space import BESIDE_WEIGHTS, check_space, convert_memory, route
from pengadil.export.weights import Size, measure
from pengadil.prompts import load_prompt
from pengadil.runs import TRAINING, Run

__all__ = ["fresh", "made"]

PROMPT = load_prompt("verdict")


def test_a_run_its_adapter_or_an_adapter_alone_can_be_named(
    made: Made, fresh: Run, tmp_path: Path
) -> None:
    assert open_source(made.run.adapter).run == Run(made.run.folder.resolve())
    alone = shutil.copytree(fresh.adapter, tmp_path / "sendiri")
    source = open_source(alone)
    assert (source.name, source.run, source.prompt) == ("sendiri", None, PROMPT)
    assert str(source.base.folder) == made.run.facts()["base"]["name"]
    assert recipe_quants(made.run.folder) == ("q8_0",)
    assert recipe_quants(alone) == ("q8_0",)


def test_a_run_that_cannot_be_exported_is_refused(fresh: Run, tmp_path: Path) -> None:
    with pytest.raises(PengadilError, match="no such run folder"):
        export_gguf(tmp_path / "none", ["q8_0"])
    with pytest.raises(PengadilError, match="nothing would be verified"):
        export_gguf(fresh.folder, ["q8_0"], verify_rows=0)
    facts = fresh.facts()
    fresh.write_facts({**facts, "base": {**facts["base"], "revision": "config 000000000000"}})
    with pytest.raises(PengadilError, match=r"is now config .*, not config 000000000000"):
        export_gguf(fresh.folder, ["q8_0"])
    fresh.write_facts(facts)
    (fresh.adapter / "tokenizer.json").unlink()
    with pytest.raises(PengadilError, match=r"no tokenizer\.json in it"):
        export_gguf(fresh.folder, ["q8_0"])
    fresh.write_facts({**facts, "status": TRAINING})
    with pytest.raises(PengadilError, match="has not finished"):
        export_gguf(fresh.folder, ["q8_0"])


def test_quantisations_have_llama_cpps_numbers() -> None:
    import llama_cpp

    for name, quantisation in QUANTISATIONS.items():
        assert getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{name.upper()}") == quantisation.number


def test_every_quantisation_can_be_made_within_its_estimate(made: Made, tmp_path: Path) -> None:
    size = measure(open_source(made.run.folder).base.folder)
    expected = route(size, list(QUANTISATIONS)).sizes
    vocabulary = made.files[1].bytes - 2 * size.parameters
    for quant in QUANTISATIONS:
        made_file = tmp_path / f"{quant}.gguf"
        quantise(made.files[1].file, made_file, quant, threads=1)
        weights = made_file.stat().st_size - vocabulary
        assert 0.5 < weights / (expected[quant] - BESIDE_WEIGHTS) < 1.01
        made_file.unlink()


def test_quantising_what_is_no_model_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and no more")
    with pytest.raises(PengadilError, match="could not quantise it"):
        quantise(broken, tmp_path / "out.gguf", "q8_0")


SEVEN_BILLION = Size(7_242_000_000, 262_000_000, 4096, largest=131_072_000)


def test_the_16_bit_file_lies_there_only_for_those_that_need_it() -> None:
    direct = route(SEVEN_BILLION, ["q8_0"])
    assert not direct.sixteen
    assert direct.peak == direct.work == direct.results == direct.sizes["q8_0"]
    both = route(SEVEN_BILLION, ["q8_0", "q4_k_m"])
    assert (both.quantised, both.direct) == (("q4_k_m",), ("q8_0",))
    assert both.peak == both.sizes["f16"] + both.sizes["q4_k_m"]
    assert both.results == both.sizes["q8_0"] + both.sizes["q4_k_m"]
    assert "f16 14,500 MB (removed again)" in both.text()
    kept = route(SEVEN_BILLION, ["q4_k_m", "f16"])
    assert kept.peak == kept.results == kept.sizes["f16"] + kept.sizes["q4_k_m"]
    stand_in = route(SEVEN_BILLION, ["q8_0"], sixteen=True)
    assert stand_in.peak == stand_in.sizes["f16"]


def test_a_seven_billion_model_fits_a_disk_of_20_gigabytes() -> None:
    assert route(SEVEN_BILLION, ["q8_0", "q4_k_m"]).peak < 20e9
    assert convert_memory(SEVEN_BILLION) < 3 * 2**30


def test_work_and_results_on_two_disks_are_counted_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = route(SEVEN_BILLION, ["q8_0", "q4_k_m"])
    free = {tmp_path: way.results + 1, Path("/dev"): way.work - 1}

    def usage(place: Path) -> Any:
        return shutil._ntuple_diskusage(10**12, 0, free[place])

    monkeypatch.setattr(shutil, "disk_usage", usage)
    if tmp_path.stat().st_dev == Path("/dev").stat().st_dev:
        pytest.skip("one disk holds both")
    with pytest.raises(PengadilError, match=r"on another disk with --work-dir\."):
        check_space(tmp_path, Path("/dev"), way, SEVEN_BILLION)
    free[Path("/dev")] += 1
    told = check_space(tmp_path, Path("/dev"), way, SEVEN_BILLION)
    assert f"{way.work / 1e6:,.0f} MB of disk at most in /dev" in told


def test_too_little_memory_is_told(tmp_path: Path) -> None:
    large = Size(10**12, 10**11, 8192, largest=10**12)
    with pytest.raises(PengadilError, match="of memory: the export needs 14,000,700 MB"):
        check_space(tmp_path, tmp_path, route(Size(1, 1, 1), ["q8_0"]), large)


def test_merging_adds_the_adapter_and_rounds_once(made: Made, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    source = open_source(made.run.folder)
    merge(source.base.folder, source.adapter, tmp_path)
    name = "model.layers.1.mlp.up_proj"
    base = load_file(source.base.folder / "model.safetensors")[f"{name}.weight"].double()
    adapter = load_file(source.adapter / "adapter_model.safetensors")
    up, down = (
        adapter[f"base_model.model.{name}.lora_{part}.weight"].double() for part in ("B", "A")
    )
    exact = base + (8 / 4) * up @ down
    merged = load_file(tmp_path / "model.safetensors")[f"{name}.weight"]
    assert merged.dtype == torch.bfloat16
    # Half a step of the base's bfloat16, whose mantissa has seven bits, and float32's own rounding.
    assert ((merged.double() - exact).abs() <= exact.abs() * 2**-8 + 1e-6).all()
    assert not torch.equal(merged.double(), base)
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (tmp_path / file).read_bytes() == (source.adapter / file).read_bytes()


def test_a_diverged_adapter_is_refused(fresh: Run, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = fresh.adapter / "adapter_model.safetensors"
    tensors = load_file(weights)
    next(iter(tensors.values()))[0] = float("nan")
    save_file(tensors, weights)
    with pytest.raises(PengadilError, match="number that float16 cannot"):
        merge(open_source(fresh.folder).base.folder, fresh.adapter, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_base_of_another_size_is_refused(made: Made, tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(open_source(made.run.folder).base.folder)
    config.update({"intermediate_size": 96})
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "other")
    with pytest.raises(PengadilError, match="it does not fit the base"):
        merge(tmp_path / "other", made.run.adapter, tmp_path / "merged")


def test_a_models_size_is_read_from_its_files(made: Made, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    base = open_source(made.run.folder).base.folder
    model = AutoModelForCausalLM.from_pretrained(base)
    size = measure(base)
    assert size.parameters == model.num_parameters()
    assert size.embeddings == model.get_input_embeddings().weight.numel()
    assert size.hidden == 64
    quantised = shutil.copytree(base, tmp_path / "quantised")
    config = json.loads((quantised / "config.json").read_text(encoding="utf-8"))
    text = json.dumps({**config, "quantization_config": {"quant_method": "bitsandbytes"}})
    (quantised / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(PengadilError, match="quantised already"):
        measure(quantised)


def test_a_model_that_the_converter_does_not_know_is_told_in_one_line(
    fresh: Run, tmp_path: Path
) -> None:
    base = shutil.copytree(open_source(fresh.folder).base.folder, tmp_path / "base")
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    config |= {"architectures": ["AnehModel"]}
    (base / "config.json").write_text(json.dumps(config), encoding="utf-8")
    job = Job(str(base), str(fresh.adapter), "aneh")
    with pytest.raises(PengadilError, match="does not know the architecture AnehModel") as caught:
        convert(job, tmp_path / "out.gguf", tmp_path / "convert.log")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.gguf").exists()


def test_an_evaluation_with_another_prompt_is_not_taken(
    fresh: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FakeJudge:
        @staticmethod
        def open(*_: object, **__: object) -> Any:
            raise RuntimeError("judged anew")

    import pengadil.judges.transformers_judge as judges

    monkeypatch.setattr(judges, "TransformersJudge", FakeJudge)
    summary = fresh.evaluation(EASY, "score") / "summary.json"
    examples, source = load_bundled(EASY, "test", 2), open_source(fresh.folder)
    assert len(recorded_verdicts(source, EASY, examples) or {}) == 2
    summary.write_text('{"prompt": {"sha256": "other"}}', encoding="utf-8")
    with pytest.raises(RuntimeError, match="judged anew"):
        of_adapter(source, EASY, examples, lambda *_: lambda _: None, tmp_path)
