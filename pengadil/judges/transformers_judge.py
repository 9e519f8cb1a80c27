"""A causal model of transformers as a judge, with or without an adapter."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pengadil.forms import Form
from pengadil.judges.background import in_background
from pengadil.judges.base import (
    DEFAULT_SAMPLING,
    GENERATE,
    SCORE,
    Answer,
    ChatJudge,
    Fit,
    Question,
    Sampling,
    answer_tokens,
    check_lengths,
    check_mode,
    room_after,
)
from pengadil.judges.causal import billions, load_greedy, with_adapter
from pengadil.judges.constrained import ReasoningProcessor, ReasoningTokens, most_after_reasoning
from pengadil.judges.pieces import Watcher, text_tokens
from pengadil.judges.sampling import SamplingProcessor
from pengadil.judges.scoring import Scorer, longest_first, padded, shared_beginnings
from pengadil.judges.written import Written, answers_of, before_choice, likeliest
from pengadil.loading import context_of, load_tokenizer
from pengadil.models import LocalModel, file_sha256
from pengadil.prompts import Prompt
from pengadil.records import Example
from pengadil.tokens import Encoder

# Tokens in a batch of answers that are written, padding included: each step computes one token of
# every row, so many rows keep a processor busy.
BATCH_TOKENS = {"cpu": 4096, "mps": 8192, "cuda": 32768}
BATCH_ROWS = 32
SCORE_FORCED = "score_forced"
Rows = list[list[int]]


@dataclass
class TransformersJudge(ChatJudge):
    """Implements `judges.base.ChatJudge` with a model in memory."""

    name: str
    model: Any
    encoder: Encoder
    pad_id: int
    about: dict[str, Any]
    pack: bool = True  # False for a model whose attention is not transformers' own
    # A chat may end with others than the end-of-text token: Gemma's <end_of_turn>.
    ends: tuple[int, ...] = ()
    # False while the model is trained: what its weights make of an opening must not be kept then.
    fixed: bool = False
    _reasoning_tokens: dict[Form, ReasoningTokens] = field(default_factory=dict)
    _scorer: Scorer | None = None

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
        from pengadil.hardware import choose, detect

        hardware = detect()
        if dtype == "float16" and hardware.device == "cpu":
            dtype = "auto"  # trained on a GPU of the T4's kind; a processor is slow in it
        choice = choose(hardware, "portable", dtype)
        tokenizer = load_tokenizer(adapter or model.folder)
        if load_in_4bit is None:
            in_4bit = hardware.device == "cuda" and billions(model.folder) > 3
        else:
            in_4bit = load_in_4bit and hardware.device != "mps"
        causal, ends = load_greedy(model, choice, hardware.device, in_4bit)
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
            causal = with_adapter(causal, adapter, model.name, choice.dtype)
            about["adapter"] = file_sha256(adapter / "adapter_model.safetensors")
        encoder = Encoder.of_tokenizer(tokenizer, model.name)
        pad_id = tokenizer.pad_token_id
        return TransformersJudge(
            name=adapter.parent.name if adapter else model.name,
            model=causal.eval(),
            encoder=encoder,
            pad_id=encoder.eos_id if pad_id is None else pad_id,
            about=about,
            ends=ends,
            fixed=True,
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
        shared = [question.shared for question in questions]
        beginnings = shared_beginnings(self.encoder, shared, len(first))
        return self._chosen(prompts, form, mode, first, beginnings)

    def answer_live(
        self, question: Question, form: Form, mode: str, opening: str = ""
    ) -> Iterator[str | Answer]:
        """Without pieces where nothing is written but the choice."""
        if not (form.reasoning or mode == GENERATE):
            return super().answer_live(question, form, mode, opening)
        self.check(form, mode)
        prompts = [self.encoder.chat(question.messages)]
        context = context_of(self.model.config)
        check_lengths(prompts, [question.id], self._room(form, mode), context)

        def work(found: Callable[[str | Answer], None]) -> None:
            [[(_, answer)]] = self._written(prompts, form, mode, Watcher(self.encoder, found))
            found(answer)

        return in_background(work)

    def write(
        self, messages: Sequence[dict[str, str]], sampling: Sampling = DEFAULT_SAMPLING
    ) -> Iterator[str]:
        prompt = self.encoder.chat(messages)
        most = room_after(prompt, sampling, context_of(self.model.config))

        def work(found: Callable[[str], None]) -> None:
            import torch

            drawn = SamplingProcessor(sampling) if sampling.temperature else None
            with torch.inference_mode():
                self._write([prompt], most, drawn, Watcher(self.encoder, found), self.ends)

        return in_background(work)

    def count(self, text: str) -> int | None:
        return text_tokens(self.encoder, text)

    def fit(self, example: Example, prompt: Prompt, mode: str) -> Fit | None:
        tokens = len(self.encoder.prompt(prompt, example)) + self._room(prompt.form, mode)
        return Fit(tokens, context_of(self.model.config))

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
        scorer = self._scorer_of(tokens.ids, opening)
        try:
            for batch in scorer.batches(rows, beginnings):
                started = time.perf_counter()
                with torch.inference_mode():
                    scored = scorer.probabilities(
                        [rows[index] for index in batch], [beginnings[index] for index in batch]
                    )
                seconds = (time.perf_counter() - started) / len(batch)
                written = [
                    Written("", 0, SCORE, probabilities)
                    if mode == SCORE
                    else Written(form.text(likeliest(form, probabilities)), len(tokens.opening) + 1)
                    for probabilities in scored
                ]
                yield answers_of(batch, written, form, prompts, seconds)
        finally:
            scorer.forget_documents()

    def _written(
        self, prompts: list[list[int]], form: Form, mode: str, watcher: Watcher | None = None
    ) -> Iterator[list[tuple[int, Answer]]]:
        """Answers that are generated, the reasoning or all; a watcher sees a single row's ids."""
        import torch

        write = {SCORE: self._reason_and_score, GENERATE: self._generate}
        order = longest_first(prompts)
        limit = BATCH_TOKENS[self.model.device.type]
        while order:
            rows = max(1, min(BATCH_ROWS, limit // len(prompts[order[0]])))
            batch, order = order[:rows], order[rows:]
            started = time.perf_counter()
            with torch.inference_mode():
                asked = [prompts[row] for row in batch]
                made = write.get(mode, self._constrained)(asked, form, watcher)
            seconds = (time.perf_counter() - started) / len(batch)
            yield answers_of(batch, made, form, prompts, seconds)

    def _scorer_of(self, choices: Sequence[int], opening: Sequence[int]) -> Scorer:
        """The scorer of the last call where it is of the same opening, which it has computed."""
        kept = self._scorer
        if kept and (list(kept.choices), list(kept.opening)) == (list(choices), list(opening)):
            return kept
        scorer = Scorer(self._causal(), choices, self.pad_id, opening, self.pack)
        if self.fixed:
            self._scorer = scorer
        return scorer

    def _room(self, form: Form, mode: str) -> int:
        """The most tokens that follow a prompt."""
        around = most_after_reasoning(self.encoder, form) if form.reasoning else 0
        return answer_tokens(form) + (0 if mode == GENERATE else around)

    def _generate(self, rows: Rows, form: Form, watcher: Watcher | None) -> list[Written]:
        return [
            Written(self.encoder.decode(ids), len(ids))
            for ids in self._write(rows, answer_tokens(form), None, watcher)
        ]

    def _reason_and_score(self, rows: Rows, form: Form, watcher: Watcher | None) -> list[Written]:
        """Let the model reason, then score the choice where it was about to write it.

        A reasoning that did not come to its choice is closed for it: rule `score_forced`.
        """
        closing = self.encoder.encode(form.reasoning_closing)
        scorer = Scorer(self._causal(), self.encoder.choices(form).ids, self.pad_id)
        written = self._write(rows, answer_tokens(form), None, watcher)
        cuts = [before_choice(self.encoder, ids, form) for ids in written]
        continued = [
            [*asked, *(ids + closing if cut is None else ids[:cut])]
            for asked, ids, cut in zip(rows, written, cuts, strict=True)
        ]
        return [
            Written(
                self.encoder.decode(ids),
                len(ids),
                SCORE_FORCED if cut is None else SCORE,
                probabilities,
            )
            for ids, cut, probabilities in zip(
                written, cuts, scorer.probabilities(continued), strict=True
            )
        ]

    def _constrained(self, rows: Rows, form: Form, watcher: Watcher | None) -> list[Written]:
        """Greedy under the form's grammar; a reasoning without an end is closed."""
        if form not in self._reasoning_tokens:
            vocabulary = self._causal().get_output_embeddings().weight.shape[0]
            self._reasoning_tokens[form] = ReasoningTokens(self.encoder, form, vocabulary)
        most = answer_tokens(form)
        processor = ReasoningProcessor(self._reasoning_tokens[form], most)
        around = most_after_reasoning(self.encoder, form)
        written = self._write(rows, most + around, processor, watcher)
        return [
            Written(self.encoder.decode(ids), len(ids), "constrained_forced" if closed else "")
            for ids, closed in zip(written, processor.closed, strict=True)
        ]

    def _write(
        self,
        rows: list[list[int]],
        most: int,
        processor: Any = None,
        watcher: Watcher | None = None,
        ends: tuple[int, ...] = (),
    ) -> list[list[int]]:
        """Greedy continuations as ids, up to the end-of-text token or one of `ends`."""
        ids, mask = padded(rows, self.pad_id, self.model.device, left=True)
        made = self._causal().generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=most,
            do_sample=False,
            num_beams=1,
            eos_token_id=[self.encoder.eos_id, *ends],
            pad_token_id=self.pad_id,
            logits_processor=[processor] if processor else None,
            streamer=watcher,
        )
        written = []
        for row in made[:, ids.shape[1] :].tolist():
            end = row.index(self.encoder.eos_id) if self.encoder.eos_id in row else len(row)
            written.append(row[:end])
        return written

    def _causal(self) -> Any:
        from peft import PeftModel

        return self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
