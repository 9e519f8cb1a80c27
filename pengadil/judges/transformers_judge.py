"""A causal model of transformers as a judge, with or without an adapter."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.judges.base import GENERATE, SCORE, answer_tokens, check_lengths
from pengadil.loading import context_of, load_causal, load_tokenizer, quiet
from pengadil.models import LocalModel, file_sha256
from pengadil.prompts import Prompt
from pengadil.records import Example, Judgement
from pengadil.tokens import REASONING_CLOSING, VERDICT_KEY, Encoder
from pengadil.verdict import read_verdict

# Tokens in a batch, padding included: enough to keep a processor busy, little enough memory.
BATCH_TOKENS = {"cpu": 4096, "mps": 8192, "cuda": 32768}
BATCH_ROWS = 32


@dataclass
class TransformersJudge:
    """Implements `judges.base.Judge` with a model in memory."""

    name: str
    model: Any
    encoder: Encoder
    pad_id: int
    about: dict[str, Any]

    @staticmethod
    def open(model: LocalModel, adapter: Path | None = None) -> TransformersJudge:
        """Load a model, and its adapter and tokenizer from a run where one is given."""
        from peft import PeftModel
        from safetensors import SafetensorError
        from transformers import GenerationConfig

        from pengadil.hardware import choose, detect

        hardware = detect()
        choice = choose(hardware, "portable")
        tokenizer = load_tokenizer(adapter or model.folder)
        in_4bit = hardware.device == "cuda" and _billions(model.folder) > 3
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

    def judge(
        self, examples: Sequence[Example], prompt: Prompt, mode: str
    ) -> Iterator[list[Judgement]]:
        """Batches of rows of like length, the longest first: too little memory shows at once."""
        import torch

        prompts = [self.encoder.prompt(prompt, example) for example in examples]
        context = context_of(self.model.config)
        check_lengths(prompts, examples, answer_tokens(prompt), context)
        order = sorted(range(len(examples)), key=lambda index: -len(prompts[index]))
        limit = BATCH_TOKENS[self.model.device.type]
        while order:
            rows = max(1, min(BATCH_ROWS, limit // len(prompts[order[0]])))
            batch, order = order[:rows], order[rows:]
            started = time.perf_counter()
            asked = [prompts[index] for index in batch]
            with torch.inference_mode():
                if mode == SCORE and prompt.answer == "verdict":
                    answers = self._score([ids + self.encoder.verdict.opening for ids in asked])
                elif mode == SCORE:
                    answers = self._reason_and_score(asked, answer_tokens(prompt))
                elif mode == GENERATE:
                    answers = self._generate(asked, answer_tokens(prompt))
                else:
                    raise PengadilError(mode, "no such mode", f"There are: {SCORE}, {GENERATE}.")
            seconds = (time.perf_counter() - started) / len(batch)
            yield [
                answer.of(examples[index], seconds)
                for index, answer in zip(batch, answers, strict=True)
            ]

    def _score(self, rows: list[list[int]], rule: str = SCORE) -> list[_Answer]:
        """The two verdicts' probabilities right after each row, in one forward pass."""
        import torch

        ids, mask = self._padded(rows, left=False)
        causal = self._causal()
        hidden = causal.base_model(input_ids=ids, attention_mask=mask, use_cache=False)
        at_end = hidden.last_hidden_state[torch.arange(len(rows)), mask.sum(dim=1) - 1]
        head = causal.get_output_embeddings()
        tokens = [self.encoder.verdict.zero, self.encoder.verdict.one]
        # Logits only of the two tokens that are compared, in float32: a bfloat16 logit of 20 is
        # exact to 0.1, and its rounding makes ties.
        logits = at_end.float() @ head.weight[tokens].float().T
        if head.bias is not None:
            logits = logits + head.bias[tokens].float()
        # Gemma 2 bounds its logits in its own forward, which is not called here.
        if cap := getattr(causal.config, "final_logit_softcapping", None):
            logits = torch.tanh(logits / cap) * cap
        ones = torch.softmax(logits, dim=-1)[:, 1].tolist()
        return [_Answer(int(one > 0.5), rule, round(one, 6), "") for one in ones]

    def _generate(self, rows: list[list[int]], most: int) -> list[_Answer]:
        answers = []
        for text in self._write(rows, most)[0]:
            verdict = read_verdict(text)
            answers.append(_Answer(verdict.value, verdict.rule, None, text))
        return answers

    def _reason_and_score(self, rows: list[list[int]], most: int) -> list[_Answer]:
        """Let the model reason, then score the verdict where it was about to write it.

        A reasoning that did not come to its verdict is closed for it: rule `score_forced`.
        """
        texts, written = self._write(rows, most)
        opening = f'"{VERDICT_KEY}": '
        continued, rules = [], []
        for asked, ids in zip(rows, written, strict=True):
            cut = self._before_verdict(ids, opening)
            if cut is None:
                closing = self.encoder.encode(REASONING_CLOSING)
                continued.append(asked + ids + closing)
                rules.append("score_forced")
            else:
                continued.append(asked + ids[:cut])
                rules.append(SCORE)
        scored = self._score(continued)
        return [
            _Answer(answer.value, rule, answer.probability, text)
            for answer, rule, text in zip(scored, rules, texts, strict=True)
        ]

    def _before_verdict(self, ids: list[int], opening: str) -> int | None:
        """Where the last verdict token stands that directly follows the verdict's key."""
        tokens = (self.encoder.verdict.zero, self.encoder.verdict.one)
        for index in range(len(ids) - 1, -1, -1):
            if ids[index] in tokens and self.encoder.decode(ids[:index]).endswith(opening):
                return index
        return None

    def _write(self, rows: list[list[int]], most: int) -> tuple[list[str], list[list[int]]]:
        """Greedy continuations as text, and as ids up to the end-of-text token."""
        ids, mask = self._padded(rows, left=True)
        made = self._causal().generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=most,
            do_sample=False,
            num_beams=1,
            eos_token_id=self.encoder.eos_id,
            pad_token_id=self.pad_id,
        )
        written = []
        for row in made[:, ids.shape[1] :].tolist():
            end = row.index(self.encoder.eos_id) if self.encoder.eos_id in row else len(row)
            written.append(row[:end])
        return [self.encoder.decode(row) for row in written], written

    def _causal(self) -> Any:
        from peft import PeftModel

        return self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model

    def _padded(self, rows: list[list[int]], left: bool) -> tuple[Any, Any]:
        """(ids, mask), both of shape (rows, longest row), on the model's device."""
        import torch

        longest = max(map(len, rows))
        ids = torch.full((len(rows), longest), self.pad_id)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for index, row in enumerate(rows):
            place = slice(longest - len(row), None) if left else slice(0, len(row))
            ids[index, place] = torch.tensor(row)
            mask[index, place] = 1
        return ids.to(self.model.device), mask.to(self.model.device)


@dataclass(frozen=True, slots=True)
class _Answer:
    value: int | None
    rule: str
    probability: float | None
    raw: str

    def of(self, example: Example, seconds: float) -> Judgement:
        return Judgement(
            id=example.id,
            gold=example.answer,
            verdict=self.value,
            rule=self.rule,
            probability=self.probability,
            raw=self.raw,
            seconds=round(seconds, 6),
            language=example.language,
            source=example.source,
            group=example.group,
        )


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
