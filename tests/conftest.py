"""What every test shares: no network, no noise, and the packaged model unpacked once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from pengadil.models import PACKAGED, resolve_model
from pengadil.tokens import Encoder

# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def quiet_and_offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Subprocesses inherit it. The tests of the hub itself set their own.

    PENGADIL_HOME stays the user's: the packaged model takes seconds to unpack, and is kept there.
    """
    environment = {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HOME": str(tmp_path_factory.mktemp("hub")),
        "TOKENIZERS_PARALLELISM": "false",
        "TRANSFORMERS_VERBOSITY": "error",
        "WANDB_MODE": "disabled",
        "WANDB_ERROR_REPORTING": "false",  # trl imports weave, which would report to its makers
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def small_model() -> Path:
    """The folder of the packaged SmolLM2."""
    return resolve_model(PACKAGED).folder


@pytest.fixture(scope="session")
def small_encoder(small_model: Path) -> Encoder:
    """The packaged SmolLM2's tokenizer and chat template."""
    from pengadil.loading import load_tokenizer

    return Encoder.of_tokenizer(load_tokenizer(small_model))


@pytest.fixture(autouse=True, scope="session")
def hears_ctrl_c() -> Iterator[None]:
    """A job in the background of a shell ignores Ctrl-C, which some tests press."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
