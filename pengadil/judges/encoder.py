"""An encoder with a classification head (DeBERTa, BERT, XLM-R, ModernBERT) as a judge."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pengadil.errors import PengadilError
from pengadil.forms import VERDICT, Form
from pengadil.judges.base import SCORE, Answer, Fit, Judge, check_mode, judgement
from pengadil.judges.labels import Labels, read_labels
from pengadil.judges.pairs import Pair, fitting_pairs, make_pair
from pengadil.loading import context_of, load_classifier, load_tokenizer
from pengadil.models import LocalModel, file_sha256
from pengadil.prompts import Prompt
from pengadil.records import Example, Judgement

if TYPE_CHECKING:
    from pengadil.hardware import Choice, Hardware

SCORE_CUT = "score_cut"
WEIGHTS = "model.safetensors"
# Tokens in a batch, padding included: enough to keep a processor busy, little enough memory.
BATCH_TOKENS = {"cpu": 4096, "mps": 8192, "cuda": 32768}
BATCH_ROWS = 64


@dataclass
class EncoderJudge(Judge):
    """Reads passage and question as a pair of texts; of a prompt it uses nothing."""

    name: str
    model: Any
    tokenizer: Any
    labels: Labels
    context: int
    cut: bool
    about: dict[str, Any]

    @staticmethod
    def open(
        model: LocalModel, cut: bool = False, dtype: str = "auto", trained: Path | None = None
    ) -> EncoderJudge:
        """Load a folder that `is_classifier`: the model's, or the `trained` one of a run.

        `cut` lets rows longer than the context be judged by the beginning of their document.
        `dtype` is a number format of torch; "auto" is as `encoder_choice` has it. Raises
        PengadilError when the model cannot be loaded, or when its labels do not tell which of
        them means agreement.
        """
        from pengadil.hardware import detect

        hardware = detect()
        choice = encoder_choice(hardware, dtype)
        folder = trained or model.folder
        name = trained.parent.name if trained else model.name
        tokenizer = load_tokenizer(folder)
        if tokenizer.pad_token is None:
            raise PengadilError(name, "its tokenizer has no padding", "Use another model.")
        classifier = load_classifier(folder, choice.dtype, hardware.device).eval()
        head_in_float32(classifier)
        judge = EncoderJudge.of_classifier(classifier, tokenizer, name, cut)
        agrees = judge.labels.agrees
        judge.about = {
            "kind": "encoder",
            "model": model.name,
            "revision": model.revision,
            "adapter": file_sha256(trained / WEIGHTS) if trained else None,
            "dtype": choice.dtype,
            "attention": classifier.config._attn_implementation,
            "device": hardware.device,
            "input": "passage and question as a pair; no prompt",
            "labels": list(judge.labels.names),
            "agrees": None if agrees is None else judge.labels.names[agrees],
            "agrees_by": judge.labels.rule,
            "context": judge.context,
            "cut": cut,
        }
        return judge

    @staticmethod
    def of_classifier(
        classifier: Any, tokenizer: Any, name: str, cut: bool = False
    ) -> EncoderJudge:
        """The judge that a loaded classifier is, such as one in training."""
        config = classifier.config
        labels = read_labels(config.id2label, config.label2id, name)
        context = encoder_context(classifier, tokenizer)
        about = {"kind": "encoder", "dtype": str(classifier.dtype).removeprefix("torch.")}
        return EncoderJudge(name, classifier, tokenizer, labels, context, cut, about)

    def describe(self) -> dict[str, Any]:
        return dict(self.about)

    def check(self, form: Form, mode: str) -> None:
        check_mode(mode)
        if mode != SCORE:
            raise PengadilError(
                f"mode {mode} with {self.name}", "a classifier writes no text", "Use --mode score."
            )
        if form.choices != VERDICT.choices:
            choices = ", ".join(map(str, form.choices))
            raise PengadilError(
                self.name, f"a classifier cannot answer {choices}", "Use a chat model."
            )

    def count(self, text: str) -> int | None:
        return len(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def fit(self, example: Example, prompt: Prompt, mode: str) -> Fit | None:
        """What is beyond the context is not read, whether it is cut or refused."""
        return Fit(len(make_pair(example, self.tokenizer)), self.context)

    def judge(
        self, examples: Sequence[Example], prompt: Prompt, mode: str
    ) -> Iterator[list[Judgement]]:
        self.check(prompt.form, mode)
        pairs = fitting_pairs(examples, self.tokenizer, self.context, self.cut)
        return self._batches(examples, pairs)

    def _batches(
        self, examples: Sequence[Example], pairs: Sequence[Pair]
    ) -> Iterator[list[Judgement]]:
        """Batches of rows of like length, the longest first: too little memory shows at once."""
        order = sorted(range(len(pairs)), key=lambda index: -len(pairs[index]))
        limit = BATCH_TOKENS[self.model.device.type]
        while order:
            rows = max(1, min(BATCH_ROWS, limit // len(pairs[order[0]])))
            batch, order = order[:rows], order[rows:]
            started = time.perf_counter()
            ones = self._probabilities([pairs[index] for index in batch])
            seconds = (time.perf_counter() - started) / len(batch)
            yield [
                judgement(
                    examples[index],
                    Answer(
                        choice=int(one > 0.5),
                        rule=SCORE_CUT if pairs[index].cut else SCORE,
                        probabilities=(1 - one, one),
                        raw="",
                        seconds=seconds,
                        prompt_tokens=len(pairs[index]),
                        completion_tokens=0,
                    ),
                )
                for index, one in zip(batch, ones, strict=True)
            ]

    def _probabilities(self, pairs: Sequence[Pair]) -> list[float]:
        """That of agreement, for each row: softmax over the labels, sigmoid of one alone."""
        import torch

        padded = self.tokenizer.pad([pair.inputs for pair in pairs], return_tensors="pt")
        with torch.inference_mode():
            logits = self.model(**padded.to(self.model.device)).logits.float()
        if logits.shape[1] == 1:
            ones = torch.sigmoid(logits[:, 0] if self.labels.agrees == 0 else -logits[:, 0])
        else:
            ones = torch.softmax(logits, dim=-1)[:, self.labels.agrees]
        found: list[float] = ones.tolist()
        if not all(map(math.isfinite, found)):
            raise PengadilError(
                self.name,
                f"it computes no numbers in {self.about['dtype']}",
                'Open it with dtype="float32".',
            )
        return found


def is_classifier(folder: Path) -> bool:
    """Whether a model folder's config.json names a sequence classifier."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return any(name.endswith("ForSequenceClassification") for name in config["architectures"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def encoder_context(classifier: Any, tokenizer: Any) -> int:
    """The most tokens in a row: the model's positions, or fewer where the tokenizer says so."""
    positions = context_of(classifier.config)
    embeddings = getattr(classifier.base_model, "embeddings", None)
    # The RoBERTa family counts its positions from behind the padding's id: 514 hold 512 tokens.
    padding = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
    if padding is not None:
        positions -= padding + 1
    return min(positions, int(tokenizer.model_max_length))


def encoder_choice(hardware: Hardware, dtype: str = "auto") -> Choice:
    """How an encoder is loaded and trained here: `hardware.choose`, but for what encoders need.

    Attention is left to transformers. Left to choose, it never takes float16.
    """
    from pengadil.hardware import choose

    choice = choose(hardware, "portable", dtype)
    number_format, why = choice.dtype, choice.reason.rpartition(f"; {choice.dtype}: ")[2]
    if (dtype, number_format) == ("auto", "float16"):
        # DeBERTa's numbers outgrow it, and encoders are small enough for the wider one.
        number_format = "float32"
        why = "encoders' numbers may outgrow float16, and this GPU has no bfloat16 of its own"
    reason = (
        f"portable on {hardware.label}: encoders gain nothing from unsloth; {number_format}: {why}"
    )
    return replace(choice, dtype=number_format, attention="default", reason=reason)


def head_in_float32(classifier: Any) -> None:
    """Compute the logits in float32: those of bfloat16 have three digits, and make ties."""
    import torch

    head = getattr(classifier, "classifier", None)
    if head is None:
        return
    forward = head.float().forward

    def in_float32(features: Any, *others: Any, **named: Any) -> Any:
        with torch.autocast(features.device.type, enabled=False):
            return forward(features.float(), *others, **named)

    head.forward = in_float32
