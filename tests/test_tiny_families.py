"""Each family that the recipes train: the portable engine's loss is transformers' own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers_tiny_models import FAMILIES, make_tiny
from peft import LoraConfig, get_peft_model

from pengadil.data.bundled import load_bundled
from pengadil.errors import PengadilError
from pengadil.loading import load_causal, load_tokenizer
from pengadil.prompts import load_prompt
from pengadil.tokens import Encoder
from pengadil.training.attention import use_bundles
from pengadil.training.bundles import collate
from pengadil.training.objective import Objective
from pengadil.training.rows import IGNORED, TrainingRow, make_rows


def rows_of(folder: Path, count: int) -> list[TrainingRow]:
    """Rows of two documents, with long ends, so that few of them fill 512 tokens together."""
    encoder = Encoder.of_tokenizer(load_tokenizer(folder))
    examples = load_bundled("contoh-sederhana", "train", 8)[8 - count :]
    asked = [replace(row, question=f"{row.question} " * 8) for row in examples]
    return make_rows(asked, load_prompt("verdict"), encoder, 2048, "completion")


@pytest.mark.parametrize("kind", sorted(FAMILIES))
def test_bundled_rows_of_several_documents_have_the_loss_of_each_alone(
    kind: str, tmp_path: Path
) -> None:
    """Gemma 3 looks back over 512 tokens in most layers: one row fits, all of them do not."""
    folder = make_tiny(kind, tmp_path)
    rows = rows_of(folder, 5)
    causal = load_causal(folder, "float32", "sdpa", "cpu")
    alone = 0.0
    with torch.no_grad():
        for row in rows:
            given = causal(input_ids=torch.tensor([row.ids]), labels=torch.tensor([row.labels]))
            alone += float(given.loss) * sum(label != IGNORED for label in row.labels)
    settings = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(causal, settings)
    use_bundles(causal)
    batch = collate(rows, 0, torch.float32)
    assert batch["input_ids"].shape[1] > 512 > max(len(row.ids) for row in rows)
    with torch.no_grad():
        together = Objective(adapted, None, torch.float32)(**batch)["loss"]
    assert float(together) == pytest.approx(alone, rel=1e-5)


def test_a_row_longer_than_a_model_looks_back_is_refused(tmp_path: Path) -> None:
    folder = make_tiny("gemma3_text", tmp_path)
    [row] = rows_of(folder, 1)
    long = TrainingRow("a", "b", row.ids * 5, row.labels * 5, row.weights * 5)
    causal = load_causal(folder, "float32", "sdpa", "cpu")
    adapted = get_peft_model(causal, LoraConfig(r=4, target_modules="all-linear"))
    use_bundles(causal)
    with pytest.raises(PengadilError, match=r"looks back over 512 only.*--data\.max_length 512"):
        Objective(adapted, None, torch.float32)(**collate([long], 0, torch.float32))
