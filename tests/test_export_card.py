"""What stands beside the files and in them: metadata, model card, Modelfile."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers_exports import ROWS, Made, copy_of_run, made, tiny_export

from pengadil.errors import PengadilError
from pengadil.export.card import PLACEHOLDERS, TEMPLATE, card, check_template, file_row
from pengadil.export.facts import facts, general, languages, licence
from pengadil.export.modelfile import adds_bos, modelfile
from pengadil.export.source import open_source
from pengadil.loading import load_tokenizer
from pengadil.models import LocalModel
from pengadil.tokens import Encoder

__all__ = ["made"]

SUMMARY = {
    "model": {"kind": "transformers"},
    "slice": {"name": "contoh-sukar"},
    "mode": "score",
    "scores": {
        "n": 72,
        "accuracy": 0.4861,
        "accuracy_interval": [0.3743, 0.5993],
        "majority_accuracy": 0.5,
        "unreadable": 3,
    },
}


def fields(file: Path) -> dict[str, Any]:
    from gguf import GGUFReader

    # Of the 49,152 tokens each is read by itself.
    about = GGUFReader(file).fields.items()
    return {name: field.contents() for name, field in about if "tokenizer" not in name}


def test_a_file_says_where_it_comes_from(made: Made) -> None:
    run = made.run
    for file in made.files:
        said = fields(file.file)
        assert said["general.name"] == "tiny"
        assert said["general.languages"] == ["ms"]
        assert said["general.base_model.0.name"] == "base"
        assert said["pengadil.prompt.name"] == "verdict"
        assert said["pengadil.prompt.sha256"] == run.facts()["prompt"]["sha256"]
        assert "$passage" in said["pengadil.prompt.user"]
        assert said["pengadil.adapter.sha256"] == open_source(run.folder).identity["adapter_sha256"]
        # Folders of the machine that made it are nobody else's business.
        assert str(run.folder.parent.parent) not in json.dumps(said, default=str)


def test_facts_are_those_of_the_run(tmp_path: Path) -> None:
    run = copy_of_run(tmp_path / "tiny")
    data = [{"source": f"{tmp_path}/rows.jsonl", "rows": 8, "sha256": "ab"}]
    run.write_facts({**run.facts(), "recipe": "r", "recipe_sha256": "cd", "data": data})
    results = run.evaluation("contoh", "score") / "results.jsonl"
    row = json.loads(results.read_text(encoding="utf-8").splitlines()[0])
    results.write_text(json.dumps({**row, "language": "en"}) + "\n", encoding="utf-8")
    source = open_source(run.folder)
    said = facts(source)
    assert (said["pengadil.recipe.name"], said["pengadil.recipe.sha256"]) == ("r", "cd")
    assert json.loads(said["pengadil.data"]) == [{**data[0], "source": "rows.jsonl"}]
    assert languages(source) == ["en", "ms"]
    hub = replace(source, base=LocalModel("owner/model", source.base.folder, "1"))
    assert general(hub)["base_models"] == [
        {
            "name": "model",
            "organization": "owner",
            "repo_url": "https://huggingface.co/owner/model",
        }
    ]


def test_the_licence_is_the_bases_or_the_one_given(made: Made, tmp_path: Path) -> None:
    source = open_source(made.run.folder)
    assert licence(source) == ""
    assert "license" not in general(source)
    assert general(source, "mit")["license"] == "mit"
    folder = shutil.copytree(source.base.folder, tmp_path / "base")
    for text, found in (
        ("---\nlicense: apache-2.0\n---\n# Model\n", "apache-2.0"),
        ("# Model\n", ""),
        ("---\nlicense: [\n---\n", ""),
        ("---\n- a\n---\n", ""),
    ):
        (folder / "README.md").write_text(text, encoding="utf-8")
        assert licence(replace(source, base=LocalModel("base", folder, "1"))) == found


def test_the_card_has_a_front_matter_and_both_tables(tmp_path: Path) -> None:
    import yaml

    run = copy_of_run(tmp_path / "tiny")
    for name, kind in (("contoh-sukar-score", "transformers"), ("contoh-score-q8", "llama.cpp")):
        folder = run.folder / "evaluation" / name
        folder.mkdir(parents=True)
        summary = {**SUMMARY, "model": {"kind": kind}}
        (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    source = open_source(run.folder)
    entries = {file.file.name: _entry(file) for file in tiny_export().files}
    text = card(source, entries, "apache-2.0")
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["license"] == "apache-2.0"
    assert front["language"] == ["ms"]
    assert "base_model" not in front  # a folder, which the hub does not know
    assert text.count("| contoh-sukar | score | 48.6 % | 37.4–59.9 | 72 | 50.0 % | 3 |") == 1
    for name, entry in entries.items():
        assert f"| {' | '.join(file_row(name, entry))} |" in text
    assert source.prompt.user.strip() in text
    hub = replace(source, base=LocalModel("owner/model", source.base.folder, "1"))
    front = yaml.safe_load(card(hub, entries, "").split("---\n")[1])
    assert front["base_model"] == "owner/model"
    assert "license" not in front


def all_entries() -> dict[str, Any]:
    return {file.file.name: _entry(file) for file in tiny_export().files}


def test_the_card_says_how_to_use_it_what_it_was_made_of_and_how(tmp_path: Path) -> None:
    run = copy_of_run(tmp_path / "tiny")
    data = [{"source": f"{tmp_path}/rows.jsonl", "rows": 1200, "sha256": "ab12"}]
    recorded = {"recipe": "kecil", "recipe_sha256": "cd34", "steps": 7, "seconds": 90.0}
    recorded |= {"engine": {"engine": "portable", "dtype": "float32"}, "versions": {"trl": "9.8"}}
    run.write_facts({**run.facts(), "hardware": {}, **recorded, "data": data})
    source = open_source(run.folder)
    entries = all_entries()
    entries["tiny-F16.gguf"]["versions"] = {"llama-cpp-python": "1.2.3"}
    text = card(source, entries, "apache-2.0")
    for wanted in (
        "\n# tiny\n",
        "pengadil judge tiny-F16.gguf --document",
        "ollama create tiny -f Modelfile",
        "llama-server -m tiny-F16.gguf",
        "| rows.jsonl | 1,200 | `ab12` |",
        "| recipe | kecil, SHA-256 cd34 |",
        "| steps | 7, in 1.5 min |",
        "| engine | portable, float32 |",
        "| trained with | trl 9.8 |",
        "| exported with | llama-cpp-python 1.2.3 |",
        str(source.identity["adapter_sha256"]),
        source.prompt.sha256,
        f"take {source.context:,} tokens at most",
        "apache-2.0, as the exporter named it.",
    ):
        assert wanted in text, wanted
    # Folders of the machine that made it are nobody else's business.
    assert str(tmp_path) not in text


def test_what_is_not_known_is_left_out_or_said_to_be_unknown(tmp_path: Path) -> None:
    source = open_source(copy_of_run(tmp_path / "tiny").folder)
    text = card(replace(source, run=None), all_entries(), "")
    for wanted in (
        "What it was trained on is not recorded here.",
        "How it was trained is not recorded here",
        "It has not been evaluated beyond the comparison below.",
        "Not known: nothing at hand named the base model's licence.",
    ):
        assert wanted in text, wanted
    assert "None" not in text


def test_the_limits_are_those_of_its_own_figures(tmp_path: Path) -> None:
    run = copy_of_run(tmp_path / "tiny")
    shutil.rmtree(run.folder / "evaluation")
    good = {**SUMMARY["scores"], "accuracy_interval": [0.91, 0.98]}
    for name, scores in (("contoh", good), ("contoh-sukar", SUMMARY["scores"])):
        folder = run.evaluation(name, "score")
        folder.mkdir(parents=True)
        summary = {**SUMMARY, "slice": {"name": name}, "scores": scores}
        (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    limits = card(open_source(run.folder), all_entries(), "").split("## Limits")[1]
    assert "On contoh-sukar (score) it is not shown to be better" in limits
    assert "The documents of contoh are made of templates" in limits
    assert "not measured" not in limits


def test_a_template_of_ones_own_is_filled(tmp_path: Path) -> None:
    source = open_source(copy_of_run(tmp_path / "tiny").folder)
    own = tmp_path / "kad.md"
    own.write_text("${front}Hakim $name, $$5, daripada $base\n", encoding="utf-8")
    assert card(source, all_entries(), "", own).endswith("---\nHakim tiny, $5, daripada base\n")


def test_our_own_template_names_everything_that_there_is() -> None:
    assert set(check_template(TEMPLATE).get_identifiers()) == set(PLACEHOLDERS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"$nama", r"nothing stands for \$nama\. Did you mean name"),
        (b"5 $ a row", r"a \$ that begins no name\. Write \$\$"),
        (b"\xff\xfe\xfa", "no readable template"),
        (None, "no readable template"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(
    text: bytes | None, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "card.md"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(PengadilError, match=said):
        check_template(file)


def _entry(file: Any) -> dict[str, Any]:
    return {key: getattr(file, key) for key in file.__slots__}


def test_a_files_line_tells_what_the_quantisation_cost() -> None:
    entry = {
        **{"quantisation": "q4_k_m", "bytes": 4_368_000_000, "rows": 200, "agreeing": 196},
        **{"correct": 190, "adapter_correct": 192, "perplexity": 1.23456},
        **{"adapter_perplexity": 1.2, "reference": "f16", "answers": 32},
    }
    assert file_row("a.gguf", entry) == [
        *("a.gguf", "q4_k_m", "4,368", "196/200", "95.0 %", "91.0–97.3", "96.0 %"),
        *("1.2346", "1.2000 (f16)"),
    ]


def test_the_modelfile_asks_as_the_chat_template_does(made: Made) -> None:
    encoder = Encoder.of_tokenizer(load_tokenizer(made.run.adapter))
    written = (made.run.folder / "gguf" / "Modelfile").read_text(encoding="utf-8")
    assert written == modelfile("tiny-Q8_0.gguf", encoder, adds_bos(made.files[0].file), 8192)
    template = written.split('TEMPLATE """')[1].split('"""')[0]
    asked = template.replace("{{ .Prompt }}", "Soalan?")
    message = [{"role": "user", "content": "Soalan?"}]
    assert encoder.encode(asked) == encoder.chat(message)
    assert 'PARAMETER stop "<|im_end|>"' in written


def test_the_modelfile_leaves_out_what_llama_cpp_writes_itself() -> None:
    encoder = Encoder(
        encode=lambda text: [],
        decode=lambda ids: "",
        template="{{ bos_token }}{{ '{{x}}' }}{{ messages[0]['content'] }}",
        bos="<s>",
        eos="</s>",
        eos_id=2,
    )
    assert 'TEMPLATE """{{ "{{" }}x}}{{ .Prompt }}"""' in modelfile("a.gguf", encoder, True, 512)
    kept = modelfile("a.gguf", encoder, False, 512)
    assert 'TEMPLATE """<s>{{ "{{" }}x}}' in kept
    assert "PARAMETER num_ctx 512" in kept


def test_both_engines_find_the_answers_as_likely(made: Made) -> None:
    import math

    for file in made.files:
        assert file.reference == "adapter"
        assert file.answers == ROWS
        # The adapter in bfloat16, a model of large random weights: far from a trained one.
        assert abs(math.log(file.perplexity / file.adapter_perplexity)) < 0.1
