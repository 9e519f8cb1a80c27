"""Whether a model's special tokens and chat template are where training and judging expect them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pengadil.errors import PengadilError
from pengadil.tokens import PROBES, Encoder
from pengadil.training.rows import IGNORED

if TYPE_CHECKING:
    from pengadil.training.plan import Plan

NEXT = "Use another model, or mend its tokenizer's files."


def check_rows(plan: Plan) -> None:
    """Raises PengadilError for rows that a judge would not see, or could not end.

    Each begins with the beginning-of-text token at most once, and each target ends with the
    end-of-text token. That no loss is taken on prompts holds by construction (`rows.py`).
    """
    encoder = plan.encoder
    if encoder is None:
        return
    bos = plan.tokenizer.bos_token_id
    for row in plan.rows:
        targets = [row.chosen, row.rejected] if hasattr(row, "chosen") else [row.ids]
        prompt = row.prompt if hasattr(row, "chosen") else _prompt_of(row.ids, row.labels)
        # ChatML's turns begin with the token that such models call beginning-of-text.
        if bos is not None and list(prompt[:2]) == [bos, bos]:
            raise PengadilError(
                f"row {row.id}", "it begins with the beginning-of-text token twice", NEXT
            )
        if any(target[-1] != encoder.eos_id for target in targets):
            raise PengadilError(f"row {row.id}", "its target has no end-of-text token", NEXT)


def check_template(encoder: Encoder) -> None:
    """Raises PengadilError where the template says the same of different messages."""
    prompts = [encoder.chat([{"role": "user", "content": probe}]) for probe in PROBES]
    if prompts[0] == prompts[1]:
        raise PengadilError("chat template", "it leaves out what the user says", NEXT)


def notes(encoder: Encoder, tokenizer: Any) -> Iterator[str]:
    """What is unusual and does no harm here, though it has done elsewhere."""
    if tokenizer.pad_token_id is None:
        yield "the tokenizer has no padding token; the end-of-text token stands in, unseen"
    elif tokenizer.pad_token_id == encoder.eos_id:
        yield (
            "padding and end-of-text are one token; labels go by position, so the end of an "
            "answer is trained all the same"
        )
    if tokenizer.bos_token_id is not None:
        first = encoder.chat([{"role": "user", "content": PROBES[0]}])
        if tokenizer.bos_token_id not in first[:1]:
            yield "the chat template writes no beginning-of-text token, and none is added"
    if not _goes_on(tokenizer):
        yield (
            "the chat template writes an answered turn otherwise than a prompt and its answer; "
            "training and judging here both take the prompt with the answer after it"
        )


def _goes_on(tokenizer: Any) -> bool:
    """Whether an answered chat begins with what is rendered before the answer."""
    from jinja2 import TemplateError

    asked = [{"role": "user", "content": PROBES[0]}]
    answered = [*asked, {"role": "assistant", "content": PROBES[1]}]
    try:
        whole: str = tokenizer.apply_chat_template(answered, tokenize=False)
        before: str = tokenizer.apply_chat_template(
            asked, tokenize=False, add_generation_prompt=True
        )
    except (TemplateError, TypeError, ValueError):
        return True  # a template for prompts alone
    return whole.startswith(before)


def _prompt_of(ids: Sequence[int], labels: Sequence[int]) -> Sequence[int]:
    """What stands before the first label."""
    for at, label in enumerate(labels):
        if label != IGNORED:
            return ids[:at]
    return ids
