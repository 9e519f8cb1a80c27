"""The judges that tests of writing ask: the packaged GGUF, and a tiny model of transformers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers_tiny_models import make_tiny
from helpers_training import cpu_only

from pengadil.judges.llamacpp.judge import LlamaCppJudge
from pengadil.judges.opening import open_judge
from pengadil.judges.transformers_judge import TransformersJudge
from pengadil.models import packaged_gguf


@pytest.fixture(scope="module")
def gguf() -> Iterator[LlamaCppJudge]:
    with LlamaCppJudge(packaged_gguf(), threads=1) as judge:
        yield judge


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TransformersJudge:
    with pytest.MonkeyPatch.context() as patch:
        cpu_only(patch)
        judge = open_judge(str(make_tiny("llama", tmp_path_factory.mktemp("tiny"))))
    assert isinstance(judge, TransformersJudge)
    return judge
