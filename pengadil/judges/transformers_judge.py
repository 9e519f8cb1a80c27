"""A causal model of transformers as a judge, with or without an adapter."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.forms import Form, read_answer
from pengadil.judges.base import (
    GENERATE,
    SCORE,
    Answer,
    ChatJudge,
    Question,
    answer_tokens,
    check_lengths,
    check_mode,
)
from pengadil.judges.constrained import (
    ReasoningProcessor,
    ReasoningTokens,
    most_after_reasoning,
)
from pengadil.judges.scoring import LEAST_SHARED, Scorer, longest_first, padded
from pengadil.loading import context_of, load_causal, load_tokenizer, quiet
from pengadil.models import LocalModel, file_sha256
from pengadil.tokens import Encoder

# Tokens in a batch of answers that are written, padding included: each step computes one token of
# every row, so many rows keep a processor busy.
BATCH_TOKENS = {"cpu": 4096, "mps": 8192, "cuda": 32768}
BATCH_ROWS = 32
SCORE_FORCED = "score_forced"


@dataclass
class TransformersJudge(ChatJudge):
    """Implements `judges.base.ChatJudge` with a model in memory."""

    name: str
    model: Any
    encoder: Encoder
    pad_id: int
    about: dict[str, Any]
    pack: bool = True  # False for a model whose attention is not transformers' own
    _reasoning_tokens: dict[Form, ReasoningTokens] = field(default_factory=dict)

    @staticmethod
    def open(
        model: LocalModel,
        adapter: Path | None = None,
        dtype: str = "auto",
        load_in_4bit: bool | None = None,
    ) -> TransformersJudge:
        """Load a model, and its adapter and tokenizer from a run where one is given.

        `dtype` "auto" is this hardware's. In 4 bits where the run was trained so (not on Apple
        GPUs), and on a CUDA device, without a run, from three billion parameters on.
        """
        from safetensors import SafetensorError
        from transformers import GenerationConfig

        from pengadil.hardware import choose, detect

        with quiet():  # importing it, peft imports bitsandbytes, which has something to say
            from peft import PeftModel

        hardware = detect()
        if dtype == "float16" and hardware.device == "cpu":
            dtype = "auto"  # trained on a GPU of the T4's kind; a processor is slow in it
        choice = choose(hardware, "portable", dtype)
        tokenizer = load_tokenizer(adapter or model.folder)
        if load_in_4bit is None:
            in_4bit = hardware.device == "cuda" and _billions(model.folder) > 3
        else:
            in_4bit = load_in_4bit and hardware.device != "mps"
        causal = load_causal(model.folder, choice.dtype, choice.attention, hardware.device, in_4bit)
        # A hub model may ask for sampling or a penalty on repeating; a judge is greedy.
        causal.generation_config = GenerationConfig()
        about = {
            "kind": "transformers",
            "model": model.name,
            "revision": model.revision,
            "adapter": None,
            "dtype": choice.dtype,
            "load_in_4bit": in_4bit,
            "attention": choice.attention,
            "device": hardware.device,
        }
        if adapter:
            try:
                with quiet():
                    causal = PeftModel.from_pretrained(causal, adapter)
            except (OSError, ValueError, RuntimeError, SafetensorError) as error:
                raise PengadilError(
                    str(adapter),
                    f"the adapter does not fit {model.name} ({str(error).splitlines()[0]})",
                    "Train again.",
                ) from None
            _cast_adapter(causal, choice.dtype)
            about["adapter"] = file_sha256(adapter / "adapter_model.safetensors")
        encoder = Encoder.of_tokenizer(tokenizer, model.name)
        pad_id = tokenizer.pad_token_id
        return TransformersJudge(
            name=adapter.parent.name if adapter else model.name,
            model=causal.eval(),
            encoder=encoder,
            pad_id=encoder.eos_id if pad_id is None else pad_id,
            about=about,
        )

    def describe(self) -> dict[str, Any]:
        return dict(self.about)

    def check(self, form: Form, mode: str) -> None:
        """Every mode is answered; PengadilError for a tokenizer that splits a choice."""
        check_mode(mode)
        if mode != GENERATE:
            self.encoder.choices(form)

    def answer(
        self, questions: Sequence[Question], form: Form, mode: str, opening: str = ""
    ) -> Iterator[list[tuple[int, Answer]]]:
        """Batches of rows of like length, the longest first: too little memory shows at once."""
        self.check(form, mode)
        prompts = [self.encoder.chat(question.messages) for question in questions]
        names = [question.id for question in questions]
        check_lengths(prompts, names, self._room(form, mode), context_of(self.model.config))
        if form.reasoning or mode == GENERATE:
            return self._written(prompts, form, mode)
        first = self.encoder.beginning(opening) if opening else []
        return self._chosen(prompts, form, mode, first, self._beginnings(questions, len(first)))

    def _beginnings(self, questions: Sequence[Question], opening: int) -> list[list[int]]:
        """For each question the ids that it shares with another, [] if with none."""
        counts = Counter(question.shared for question in questions)
        found = {
            text: self.encoder.beginning(text)
            for text, count in counts.items()
            if text and count > 1
        }
        long = {text: ids for text, ids in found.items() if len(ids) >= opening + LEAST_SHARED}
        return [long.get(question.shared, []) for question in questions]

    def _chosen(
        self,
        prompts: list[list[int]],
        form: Form,
        mode: str,
        opening: list[int],
        beginnings: list[list[int]],
    ) -> Iterator[list[tuple[int, Answer]]]:
        """Answers with nothing but the choice left open: one forward pass each.

        It also tells what greedy decoding under a grammar writes.
        """
        import torch

        tokens = self.encoder.choices(form)
        rows = [ids + tokens.opening for ids in prompts]
        scorer = Scorer(self._causal(), tokens.ids, self.pad_id, opening, self.pack)
        for batch in scorer.batches(rows, beginnings):
            started = time.perf_counter()
            with torch.inference_mode():
                scored = scorer.probabilities(
                    [rows[index] for index in batch], [beginnings[index] for index in batch]
                )
            seconds = (time.perf_counter() - started) / len(batch)
            written = [
                _Written("", 0, SCORE, probabilities)
                if mode == SCORE
                else _Written(form.text(_likeliest(form, probabilities)), len(tokens.opening) + 1)
                for probabilities in scored
            ]
            yield _answers(batch, written, form, prompts, seconds)

    def _written(
        self, prompts: list[list[int]], form: Form, mode: str
    ) -> Iterator[list[tuple[int, Answer]]]:
        """Answers that are generated, the reasoning or all."""
        import torch

        write = {SCORE: self._reason_and_score, GENERATE: self._generate}
        order = longest_first(prompts)
        limit = BATCH_TOKENS[self.model.device.type]
        while order:
            rows = max(1, min(BATCH_ROWS, limit // len(prompts[order[0]])))
            batch, order = order[:rows], order[rows:]
            started = time.perf_counter()
            with torch.inference_mode():
                made = write.get(mode, self._constrained)([prompts[row] for row in batch], form)
            seconds = (time.perf_counter() - started) / len(batch)
            yield _answers(batch, made, form, prompts, seconds)

    def _room(self, form: Form, mode: str) -> int:
        """The most tokens that follow a prompt."""
        around = most_after_reasoning(self.encoder, form) if form.reasoning else 0
        return answer_tokens(form) + (0 if mode == GENERATE else around)

    def _generate(self, rows: list[list[int]], form: Form) -> list[_Written]:
        return [
            _Written(self.encoder.decode(ids), len(ids))
            for ids in self._write(rows, answer_tokens(form))
        ]

    def _reason_and_score(self, rows: list[list[int]], form: Form) -> list[_Written]:
        """Let the model reason, then score the choice where it was about to write it.

        A reasoning that did not come to its choice is closed for it: rule `score_forced`.
        """
        closing = self.encoder.encode(form.reasoning_closing)
        scorer = Scorer(self._causal(), self.encoder.choices(form).ids, self.pad_id)
        written = self._write(rows, answer_tokens(form))
        cuts = [self._before_choice(ids, form) for ids in written]
        continued = [
            [*asked, *(ids + closing if cut is None else ids[:cut])]
            for asked, ids, cut in zip(rows, written, cuts, strict=True)
        ]
        return [
            _Written(
                self.encoder.decode(ids),
                len(ids),
                SCORE_FORCED if cut is None else SCORE,
                probabilities,
            )
            for ids, cut, probabilities in zip(
                written, cuts, scorer.probabilities(continued), strict=True
            )
        ]

    def _before_choice(self, ids: list[int], form: Form) -> int | None:
        """Where the last choice stands that directly follows its key."""
        choices, before = self.encoder.choices(form).ids, form.opening[1:]
        for index in range(len(ids) - 1, -1, -1):
            if ids[index] in choices and self.encoder.decode(ids[:index]).endswith(before):
                return index
        return None

    def _constrained(self, rows: list[list[int]], form: Form) -> list[_Written]:
        """Greedy under the form's grammar; a reasoning without an end is closed."""
        if form not in self._reasoning_tokens:
            vocabulary = self._causal().get_output_embeddings().weight.shape[0]
            self._reasoning_tokens[form] = ReasoningTokens(self.encoder, form, vocabulary)
        most = answer_tokens(form)
        processor = ReasoningProcessor(self._reasoning_tokens[form], most)
        around = most_after_reasoning(self.encoder, form)
        written = self._write(rows, most + around, processor)
        return [
            _Written(self.encoder.decode(ids), len(ids), "constrained_forced" if closed else "")
            for ids, closed in zip(written, processor.closed, strict=True)
        ]

    def _write(self, rows: list[list[int]], most: int, processor: Any = None) -> list[list[int]]:
        """Greedy continuations as ids, up to the end-of-text token."""
        ids, mask = padded(rows, self.pad_id, self.model.device, left=True)
        made = self._causal().generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=most,
            do_sample=False,
            num_beams=1,
            eos_token_id=self.encoder.eos_id,
            pad_token_id=self.pad_id,
            logits_processor=[processor] if processor else None,
        )
        written = []
        for row in made[:, ids.shape[1] :].tolist():
            end = row.index(self.encoder.eos_id) if self.encoder.eos_id in row else len(row)
            written.append(row[:end])
        return written

    def _causal(self) -> Any:
        from peft import PeftModel

        return self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model


@dataclass(frozen=True, slots=True)
class _Written:
    """What came of one row: text and its tokens; a rule and probabilities where not read."""

    text: str
    tokens: int
    rule: str = ""
    probabilities: tuple[float, ...] | None = None

    def answer(self, form: Form, prompt_tokens: int, seconds: float) -> Answer:
        if self.probabilities is not None:
            choice: int | None = _likeliest(form, self.probabilities)
            rule = self.rule
        else:
            choice, rule = read_answer(form, self.text)
            rule = self.rule or rule
        return Answer(
            choice, rule, self.probabilities, self.text, seconds, prompt_tokens, self.tokens
        )


def _answers(
    batch: Sequence[int],
    written: Sequence[_Written],
    form: Form,
    prompts: Sequence[Sequence[int]],
    seconds: float,
) -> list[tuple[int, Answer]]:
    """What was written for the rows of a batch, each at `seconds`, with the rows' indices."""
    return [
        (index, made.answer(form, len(prompts[index]), seconds))
        for index, made in zip(batch, written, strict=True)
    ]


def _likeliest(form: Form, probabilities: Sequence[float]) -> int:
    """The choice of the highest probability, of equal ones the first."""
    return form.choices[max(range(len(probabilities)), key=probabilities.__getitem__)]


def _cast_adapter(adapted: Any, dtype: str) -> None:
    """The adapter in the base's number format, which training computes it in too.

    Once, here: autocast would do it again for each token that is written.
    """
    import torch

    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.to(getattr(torch, dtype))


def _billions(folder: Path) -> float:
    """Parameters of a folder's 16-bit safetensors, in billions, by their size on disk."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 2e9
