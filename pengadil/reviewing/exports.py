"""What people said as rows for training, and for eval/agreement.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pengadil.errors import PengadilError
from pengadil.forms import Form
from pengadil.prompts import Prompt, load_prompt
from pengadil.records import Example, Preference
from pengadil.reviewing.entries import ANSWERED
from pengadil.reviewing.labels import Label
from pengadil.reviewing.rows import Row, Work
from pengadil.reviewing.standing import Standing
from pengadil.reviewing.tested import test_slice_of
from pengadil.verdict import read_verdict


@dataclass(frozen=True, slots=True)
class Said:
    """A line of eval/agreement.py's `--people`; `verdict` is None for a row left open."""

    id: str
    verdict: int | None
    person: str


@dataclass(frozen=True, slots=True)
class Pairs:
    """Preferences from the overruled rows.

    Of the ids, `no_reasoning` lack the reasoning that the prompt asks for, in the person's answer
    or the judge's, and `no_answer` are those of which the judge's answer is not known.
    """

    preferences: Sequence[Preference]
    no_reasoning: Sequence[str]
    no_answer: Sequence[str]


def training_rows(work: Work, labels: Sequence[Label]) -> list[Example]:
    """An Example of each label, as `--data.train FILE` takes them.

    `source` tells how many people answered, and names the test slice where it is one. The row's
    own evidence goes where its label was another.
    """
    test = test_slice_of(work)
    return [
        replace(
            label.row.example,
            answer=label.answer,
            source=_source(test, work, label),
            reasoning=label.reasoning,
            evidence=label.row.example.evidence
            if label.row.judgement.gold in (None, label.answer)
            else "",
        )
        for label in labels
    ]


def preference_pairs(work: Work, labels: Sequence[Label], prompt: Prompt) -> Pairs:
    """Of each overruled row the person's answer over the judge's (Hong et al., 2024, ORPO).

    Both are in the form that the prompt asks for. The judge's stands as it gave it, where it is
    in that form, or could not be read; else it is written from its verdict and reasoning.
    """
    form, test = prompt.form, test_slice_of(work)
    preferences: list[Preference] = []
    no_reasoning: list[str] = []
    no_answer: list[str] = []
    for label in labels:
        if not label.overruled:
            continue
        row, rejected = label.row, judges_answer(label.row, form)
        if rejected is None:
            no_answer.append(row.id)
        elif not rejected or (form.reasoning and not label.reasoning):
            no_reasoning.append(row.id)
        else:
            preferences.append(
                Preference(
                    id=row.id,
                    messages=prompt.render(row.example),
                    chosen=form.text(label.answer, label.reasoning if form.reasoning else None),
                    rejected=rejected,
                    source=_source(test, work, label),
                    document=row.example.passage,
                )
            )
    return Pairs(preferences, no_reasoning, no_answer)


def judges_answer(row: Row, form: Form) -> str | None:
    """What the judge answered, in that form; "" for want of a reasoning, None if it is unknown."""
    raw = row.judgement.raw.strip()
    if row.verdict is None:
        return raw or None
    if read_verdict(raw).value == row.verdict and bool(row.reasoning) == form.reasoning:
        return raw
    if form.reasoning:
        return form.text(row.verdict, row.reasoning) if row.reasoning else ""
    return form.text(row.verdict)


def prompt_of(work: Work, name: str | None = None) -> Prompt:
    """The prompt that the rows were judged with, or the one of that name.

    Raises PengadilError where it is not known or no longer the same.
    """
    if name is not None:
        return load_prompt(name)
    if not work.prompt.get("name"):
        raise PengadilError(work.title, "it names no prompt", "Name one: --prompt verdict")
    named = str(work.prompt["name"])
    prompt = load_prompt(named)
    if prompt.sha256 != work.prompt.get("sha256"):
        raise PengadilError(
            f"prompt {named}",
            f"it is no longer the one that {work.title} was judged with",
            "Undo the change to its file, or name the one to train with: --prompt NAME",
        )
    return prompt


def people_lines(standings: Mapping[str, Standing]) -> Iterator[Said]:
    """A line for each person and row that they answered or left open."""
    for person, one in standings.items():
        for row, entry in one.decisions.items():
            yield Said(row, entry.answer if entry.act == ANSWERED else None, person)


def _source(test: str, work: Work, label: Label) -> str:
    source = f"test slice {test}" if test else label.row.example.source or work.slice_name
    return f"{source}, {label.reviewers} reviewer{'s' * (label.reviewers > 1)}"
