"""An encoder that becomes a judge: a head with two classes, and all weights trained.

Plain transformers on every device: encoders gain nothing from Unsloth. The result is a whole model,
which stands where an adapter would.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pengadil.errors import PengadilError
from pengadil.judges.base import SCORE, check_lengths
from pengadil.judges.encoder import EncoderJudge, head_in_float32, is_classifier
from pengadil.judges.labels import Labels, read_labels
from pengadil.loading import load_new_classifier
from pengadil.training.arguments import training_arguments
from pengadil.training.checkpoints import newest_complete
from pengadil.training.classifier_rows import ClassifierRow, make_classifier_rows
from pengadil.training.fitting import most_at_once
from pengadil.training.micro import Backoff
from pengadil.training.portable import quiet_warnings
from pengadil.training.stepping import WholeSteps
from pengadil.training.validation import accuracy, judging

if TYPE_CHECKING:
    import contextlib

    from torch import Tensor

    from pengadil.runs import Run
    from pengadil.training.plan import Plan
    from pengadil.training.reporting import Reporter
    from pengadil.training.watch import Validation, Watch

CLASSES = {0: "inconsistent", 1: "consistent"}


def train_classifier(plan: Plan, run: Run, watch: Watch, history: list[Validation]) -> bool:
    """Train an encoder on the plan's rows, in their order, and save it with its tokenizer.

    Goes on from the newest whole checkpoint of the run. Returns whether the training came to its
    end, and False where the deadline stopped it. Raises PengadilError where the model is no
    encoder, rows do not fit its context, the loss is no longer a number, or memory does not hold
    one row.
    """
    from transformers import set_seed

    from pengadil.training.reporting import Reporter

    set_seed(plan.recipe.train.seed)
    labels = _labels_of(plan.model.folder)
    classifier, fresh = load_new_classifier(
        plan.model.folder, None if labels else CLASSES, plan.hardware.device
    )
    head_in_float32(classifier)
    judge = EncoderJudge.of_classifier(classifier, plan.tokenizer, plan.recipe.name)
    _check_context(plan, judge.context)

    def save(folder: Path) -> None:
        save_classifier(classifier, plan.tokenizer, folder)

    validate = _validator(plan, judge, watch) if plan.validation else None
    reporter = Reporter(plan, run, watch, save, validate, history)
    trainer = _make_trainer(plan, run, judge, reporter)
    start = newest_complete(run.checkpoints)
    if fresh and start is None:
        watch.say(f"new, from random numbers: {', '.join(fresh)}")
    with quiet_warnings():
        trainer.train(resume_from_checkpoint=str(start) if start else None)
    reporter.finish()
    return not reporter.out_of_time


def save_classifier(classifier: Any, tokenizer: Any, folder: Path) -> None:
    """Write model (safetensors) and tokenizer; the folder appears only when it is whole."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        classifier.save_pretrained(part)
        tokenizer.save_pretrained(part)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _labels_of(folder: Path) -> Labels | None:
    """The two labels of a base that is a classifier already, if their names tell which agrees."""
    from transformers import AutoConfig

    if not is_classifier(folder):
        return None
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if len(config.id2label) != 2:
        return None
    labels = read_labels(config.id2label, config.label2id, str(folder))
    return labels if labels.rule == "name" else None


def _check_context(plan: Plan, context: int) -> None:
    """PengadilError for rows that fit recipe and tokenizer, and not the model."""
    rows = {id(row): row for row in plan.rows}.values()  # each once, of however many epochs
    check_lengths([row.ids for row in rows], [row.id for row in rows], 0, context)


def _validator(plan: Plan, judge: EncoderJudge, watch: Watch) -> Callable[[int], Validation]:
    """Measures the judge that the model in training is; too long rows go as in training."""
    data = plan.recipe.data
    left_out: list[str] | None = [] if data.long == "drop" else None
    length = min(data.max_length, judge.context)
    make_classifier_rows(plan.validation, plan.tokenizer, length, left_out)
    long = set(left_out or ())
    if long:
        watch.say(f"validation without {len(long)} rows of more than {length} tokens")
    examples = [example for example in plan.validation if example.id not in long]
    if not examples:
        raise PengadilError(
            f"{len(long)} validation rows",
            f"all are longer than {length} tokens, so none is left to measure on",
            "Raise --data.max_length, or choose other rows.",
        )

    def validate(step: int) -> Validation:
        with judging(judge.model), _in_format(plan):
            batches = list(judge.judge(examples, plan.prompt, SCORE))
        right = [made.verdict == made.gold for batch in batches for made in batch]
        return accuracy(step, right, examples)

    return validate


def _in_format(plan: Plan) -> contextlib.AbstractContextManager[Any]:
    """What computes the weights, which are kept in float32, in the plan's number format."""
    import torch

    dtype = getattr(torch, plan.choice.dtype)
    return torch.autocast(plan.hardware.device, dtype, enabled=dtype != torch.float32)


def _make_trainer(plan: Plan, run: Run, judge: EncoderJudge, reporter: Reporter) -> Any:
    """transformers' Trainer with our batches, our loss and our checkpoints."""
    import torch
    from torch.nn.functional import cross_entropy
    from transformers import Trainer, TrainingArguments

    most_rows, most_tokens_at_once = most_at_once(plan)
    classes = {1: judge.labels.agrees, 0: 1 - (judge.labels.agrees or 0)}

    class ClassifierTrainer(WholeSteps, Trainer):  # type: ignore[misc]
        bundled = False
        backoff = Backoff(most_rows, reporter.watch.say)
        most_tokens = most_tokens_at_once
        names = ("hits",)

        def measure(self, rows: Sequence[ClassifierRow]) -> dict[str, float]:
            return {"rows": len(rows)}

        def compute(
            self, model: Any, rows: Sequence[ClassifierRow], whole: dict[str, float]
        ) -> tuple[Tensor, dict[str, float]]:
            padded = plan.tokenizer.pad([row.inputs for row in rows], return_tensors="pt")
            targets = torch.tensor([classes[row.label] for row in rows], device=self.args.device)
            with _in_format(plan):
                logits = model(**padded.to(self.args.device)).logits.float()
            loss = cross_entropy(logits, targets, reduction="sum") / whole["rows"]
            return loss, {"hits": float((logits.argmax(dim=-1) == targets).sum())}

        def report(self, figures: dict[str, float], whole: dict[str, float]) -> None:
            totals = reporter.totals
            totals.loss += figures["loss"] * whole["rows"]
            totals.hits += figures["hits"]
            totals.weight += whole["rows"]

        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            judge.model.save_pretrained(output_dir or self.args.output_dir)

    arguments = training_arguments(plan, run.checkpoints, plan.recipe.train.batch_size)
    trainer = ClassifierTrainer(
        model=judge.model,
        args=TrainingArguments(**arguments),
        train_dataset=plan.step_rows(),
        data_collator=lambda items: items,
    )
    reporter.attach(trainer)
    return trainer
