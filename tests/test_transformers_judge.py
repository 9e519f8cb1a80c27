"""The judge of transformers: the figures of a plain forward pass, whatever it batches together."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers_runs import make_tiny_base, make_tiny_run
from helpers_training import cpu_only

from pengadil import hardware, summary
from pengadil.data.bundled import load_bundled
from pengadil.data.slices import Slice
from pengadil.data.sources import rows_sha256
from pengadil.errors import PengadilError
from pengadil.evaluation import evaluate
from pengadil.forms import REASONED_VERDICT, Form
from pengadil.forms import VERDICT as VERDICT_FORM
from pengadil.judges import scoring, transformers_judge
from pengadil.judges.base import Question
from pengadil.judges.opening import open_judge
from pengadil.judges.transformers_judge import TransformersJudge
from pengadil.judges.written import before_choice
from pengadil.prompts import Prompt, load_prompt
from pengadil.records import Example, Judgement
from pengadil.runs import Run
from pengadil.tokens import Encoder
from pengadil.training.rows import IGNORED, make_rows

VERDICT, REASONING = load_prompt("verdict"), load_prompt("reasoning")


@pytest.fixture(autouse=True)
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu_only(monkeypatch)
    monkeypatch.setattr(hardware, "_cpu_bfloat16", lambda: False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_tiny_run(tmp_path_factory.mktemp("judge"))


@pytest.fixture
def judge(run: Run) -> TransformersJudge:
    """The tiny run's, in float32."""
    opened = open_judge(str(run.folder))
    assert isinstance(opened, TransformersJudge)
    assert opened.describe()["dtype"] == "float32"
    return opened


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    """Rows of two grades: the longest more than twice as long as the shortest."""
    both = load_bundled("contoh", "validation", 5) + load_bundled(
        "contoh-sederhana", "validation", 5
    )
    return [
        dataclasses.replace(example, group="g", language="en" if number % 2 else "ms")
        for number, example in enumerate(both)
    ]


def judged(
    judge: Any, examples: Sequence[Example], prompt: Any = VERDICT, mode: str = "score"
) -> list[Judgement]:
    return [row for batch in judge.judge(examples, prompt, mode) for row in batch]


def plain_logits(model: Any, ids: list[int]) -> Any:
    """The logits after `ids`, from the model's own forward pass over this row alone."""
    import torch

    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids])).logits[0, -1].float()


def two_way(judge: TransformersJudge, ids: list[int]) -> float:
    import torch

    verdict = judge.encoder.verdict
    logits = plain_logits(judge.model, ids)
    return float(torch.softmax(logits[[verdict.zero, verdict.one]], dim=0)[1])


def test_score_is_the_two_way_softmax_of_a_plain_forward_pass(
    judge: TransformersJudge, examples: list[Example]
) -> None:
    [batch] = judge.judge(examples, VERDICT, "score")
    by_id = {row.id: row for row in batch}
    verdicts = set()
    for example in examples:
        ids = judge.encoder.prompt(VERDICT, example) + judge.encoder.verdict.opening
        row, expected = by_id[example.id], two_way(judge, ids)
        assert row.probability == pytest.approx(expected, abs=1e-5)
        assert row.verdict == int(expected > 0.5)
        assert (row.gold, row.rule, row.raw) == (example.answer, "score", "")
        assert (row.language, row.source, row.group) == (example.language, example.source, "g")
        assert row.seconds > 0
        verdicts.add(row.verdict)
    assert verdicts == {0, 1}


def test_a_bound_and_a_bias_on_the_logits_are_those_of_the_model(
    judge: TransformersJudge, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Gemma 2 bounds them in its own forward pass; a few models have a bias."""
    import torch

    causal, cap = judge.model.get_base_model(), 3.0
    head = causal.get_output_embeddings()
    bias = torch.linspace(-5, 5, head.weight.shape[0])
    bounded = head.register_forward_hook(lambda _m, _i, out: torch.tanh((out + bias) / cap) * cap)
    opening = judge.encoder.verdict.opening
    expected = two_way(judge, judge.encoder.prompt(VERDICT, examples[0]) + opening)
    bounded.remove()
    monkeypatch.setattr(causal.config, "final_logit_softcapping", cap, raising=False)
    head.bias = torch.nn.Parameter(bias)
    [row] = judged(judge, examples[:1])
    assert row.probability == pytest.approx(expected, abs=1e-5)


def test_every_row_is_judged_once_the_longest_first(
    judge: TransformersJudge, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {example.id: example for example in examples}
    opening = len(judge.encoder.verdict.opening)

    def lengths(prompt: Prompt, shared: int) -> list[list[int]]:
        """Tokens that were computed for each row, in the order of the batches."""
        return [
            [len(judge.encoder.prompt(prompt, rows[row.id])) + opening - shared for row in batch]
            for batch in judge.judge(examples, prompt, "score")
        ]

    shared = len(judge.encoder.beginning(VERDICT.opening))
    monkeypatch.setitem(scoring.BATCH_TOKENS, "cpu", 300)
    batches = lengths(VERDICT, shared)
    flat = [length for batch in batches for length in batch]
    assert flat == sorted(flat, reverse=True)
    assert len(flat) == len(rows)
    assert all(sum(batch) <= 300 for batch in batches)
    for batch, after in itertools.pairwise(batches):
        assert sum(batch) + after[0] > 300
    monkeypatch.setitem(scoring.BATCH_TOKENS, "cpu", 1)
    assert [len(batch) for batch in judge.judge(examples, VERDICT, "score")] == [1] * 10
    # What is written is batched by rows.
    monkeypatch.setattr(transformers_judge, "BATCH_ROWS", 3)
    monkeypatch.setattr(transformers_judge, "answer_tokens", lambda _form: 2)
    assert [len(batch) for batch in judge.judge(examples, VERDICT, "generate")] == [3, 3, 3, 1]


def test_what_is_judged_are_the_ids_that_were_trained_on(
    judge: TransformersJudge, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a verdict alone, and after a reasoning that the model wrote as it was taught."""
    asked: list[list[int]] = []
    probabilities = scoring.Scorer.probabilities

    def seen(scorer: scoring.Scorer, rows: list[list[int]], *rest: Any) -> Any:
        asked.extend(rows)
        return probabilities(scorer, rows, *rest)

    monkeypatch.setattr(scoring.Scorer, "probabilities", seen)
    encoder = judge.encoder
    for prompt in (VERDICT, REASONING):
        asked.clear()
        rows = {row.id: row for row in make_rows(examples, prompt, encoder, 4096, "verdict")}
        in_order = sorted(examples, key=lambda example: -len(encoder.prompt(prompt, example)))
        taught = [
            encoder.completion(example.answer, example.reasoning)[:-1] for example in in_order
        ]
        texts = [encoder.decode(ids) for ids in taught]
        monkeypatch.setattr(judge, "_write", lambda *_: taught)  # noqa: B023
        answers = judged(judge, examples, prompt)
        assert {answer.rule for answer in answers} == {"score"}
        assert [answer.raw for answer in answers] == (texts if prompt is REASONING else [""] * 10)
        for example, ids in zip(in_order, asked, strict=True):
            row = rows[example.id]
            verdict = next(at for at, label in enumerate(row.labels) if label != IGNORED)
            assert ids == row.ids[:verdict]


def test_a_reasoning_that_never_ends_is_closed_and_scored(
    judge: TransformersJudge, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The random model never writes a verdict."""
    monkeypatch.setattr(transformers_judge, "answer_tokens", lambda _prompt: 6)
    for example, row in zip(examples[:2], in_turn(judge, examples[:2], REASONING), strict=True):
        asked = judge.encoder.prompt(REASONING, example)
        written = greedy(judge, asked, 6)
        closed = asked + written + judge.encoder.encode(REASONED_VERDICT.reasoning_closing)
        assert row.rule == "score_forced"
        assert row.raw == judge.encoder.decode(written)
        assert row.probability == pytest.approx(two_way(judge, closed), abs=1e-5)
        assert row.verdict == int(row.probability > 0.5)


def in_turn(
    judge: TransformersJudge, examples: Sequence[Example], prompt: Any, mode: str = "score"
) -> list[Judgement]:
    """Judged together, in the order of the examples."""
    rows = {row.id: row for row in judged(judge, examples, prompt, mode)}
    return [rows[example.id] for example in examples]


def greedy(judge: TransformersJudge, ids: list[int], most: int) -> list[int]:
    """The likeliest token, again and again, each from a forward pass over the row alone."""
    written: list[int] = []
    while len(written) < most:
        token = int(plain_logits(judge.model, ids + written).argmax())
        if token == judge.encoder.eos_id:
            break
        written.append(token)
    return written


def test_the_last_verdict_after_its_key_is_scored(judge: TransformersJudge) -> None:
    encoder = judge.encoder
    text = '{"reasoning": "Ada 1 dan \'"consistency": 0\'.", "consistency": 1}'
    ids = encoder.encode(text)
    cut = before_choice(encoder, ids, REASONED_VERDICT)
    assert encoder.decode(ids[:cut]) == text.removesuffix("1}")
    assert before_choice(encoder, encoder.encode('{"reasoning": "1 0'), REASONED_VERDICT) is None


def test_generate_writes_greedily_whatever_the_model_folder_asks_for(
    run: Run, examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = Path(shutil.copytree(run.facts()["base"]["name"], tmp_path / "base"))
    habits = {"repetition_penalty": 0.01, "do_sample": True, "temperature": 2.0}
    (base / "generation_config.json").write_text(json.dumps(habits), encoding="utf-8")
    judge = open_judge(str(base))
    assert isinstance(judge, TransformersJudge)
    monkeypatch.setattr(transformers_judge, "answer_tokens", lambda _prompt: 8)
    few = [examples[0], examples[-1]]
    for example, row in zip(few, in_turn(judge, few, VERDICT, "generate"), strict=True):
        ids = greedy(judge, judge.encoder.prompt(VERDICT, example), 8)
        assert row.raw == judge.encoder.decode(ids)
        assert row.probability is None


def test_generate_is_read_and_the_unreadable_counted(
    judge: TransformersJudge,
    examples: list[Example],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = ['{"consistency": 1}', "entah", "Tidak konsisten", '{"consistency": 0}'] + ["1990"] * 6
    written = [judge.encoder.encode(text) for text in texts]
    monkeypatch.setattr(judge, "_write", lambda *_: written)
    rows = judged(judge, examples, VERDICT, "generate")
    assert [row.verdict for row in rows] == [1, None, 0, 0] + [None] * 6
    assert [row.raw for row in rows] == texts
    assert {row.probability for row in rows} == {None}
    test = as_slice(examples)
    found = evaluate(judge, test, VERDICT, "generate", tmp_path / "out", baseline_rows=[])
    assert found["scores"]["unreadable"] == 7
    with pytest.raises(PengadilError, match="no such mode"):
        judged(judge, examples, VERDICT, "guess")


def as_slice(examples: list[Example]) -> Slice:
    return Slice("uji", examples, rows_sha256(examples), len(examples))


def test_rows_that_do_not_share_the_beginning_are_judged_alike(
    judge: TransformersJudge, examples: list[Example]
) -> None:
    """Ids can join across the border: such a row is computed from its first token on."""
    other = Prompt("other", "verdict", "ms", "Lain sekali. " + VERDICT.user)
    questions = [
        Question(f"{prompt.name}-{example.id}", prompt.render(example))
        for example in examples[:3]
        for prompt in (VERDICT, other)
    ]
    answers = dict(
        pair
        for batch in judge.answer(questions, VERDICT_FORM, "score", VERDICT.opening)
        for pair in batch
    )
    opening = judge.encoder.verdict.opening
    for index, question in enumerate(questions):
        expected = two_way(judge, judge.encoder.chat(question.messages) + opening)
        assert answers[index].probabilities[1] == pytest.approx(expected, abs=1e-5)
        assert sum(answers[index].probabilities) == pytest.approx(1)


def beginnings_kept(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Grows by each beginning that is computed from now on."""
    kept: list[list[int]] = []
    keep = scoring.keep_beginning
    monkeypatch.setattr(
        scoring,
        "keep_beginning",
        lambda causal, ids, known: kept.append(list(ids)) or keep(causal, ids, known),
    )
    return kept


def test_a_beginning_is_computed_once(
    judge: TransformersJudge, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = beginnings_kept(monkeypatch)
    monkeypatch.setitem(scoring.BATCH_TOKENS, "cpu", 300)
    assert len(list(judge.judge(examples, VERDICT, "score"))) > 1
    assert kept == [judge.encoder.beginning(VERDICT.opening)]
    assert len(kept[0]) > 20


def test_the_next_call_begins_where_the_opening_ends(
    judge: TransformersJudge, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures stay, documents are not kept, and another prompt has an opening of its own."""
    first = judged(judge, examples[:3])
    kept = beginnings_kept(monkeypatch)
    again = judged(judge, examples[:3])
    assert kept == []
    assert [row.probability for row in again] == [row.probability for row in first]
    scorer = judge._scorer
    assert scorer is not None
    assert list(scorer._packs) == [tuple(judge.encoder.beginning(VERDICT.opening))]
    english = load_prompt("verdict-en")
    judged(judge, examples[:3], english)
    assert kept == [judge.encoder.beginning(english.opening)]


def test_while_the_weights_change_nothing_is_kept(
    judge: TransformersJudge, examples: list[Example]
) -> None:
    import torch

    training = dataclasses.replace(judge, fixed=False, _scorer=None)
    before = judged(training, examples[:3])
    with torch.no_grad():
        for name, weights in training.model.named_parameters():
            if "lora_B" in name:
                weights += 1
    after = judged(training, examples[:3])
    fresh = dataclasses.replace(training, fixed=True)
    assert [row.probability for row in after] == [
        row.probability for row in judged(fresh, examples[:3])
    ]
    assert [row.probability for row in after] != [row.probability for row in before]


def test_a_document_with_several_statements_is_computed_once(
    judge: TransformersJudge, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = beginnings_kept(monkeypatch)
    monkeypatch.setattr(scoring, "LEAST_SHARED", 10)
    two = [dataclasses.replace(examples[0], id=f"0{n}", question=f"Ya {n}?") for n in range(3)]
    rows = {example.id: example for example in [*two, *examples[4:6]]}
    answers = judged(judge, list(rows.values()))
    shared = judge.encoder.beginning(VERDICT.shared(two[0]))
    opening = judge.encoder.beginning(VERDICT.opening)
    assert shared[: len(opening)] == opening
    assert shared in kept
    assert {len(ids) for ids in kept} >= {len(shared), len(opening)}
    for answer in answers:
        ids = judge.encoder.prompt(VERDICT, rows[answer.id]) + judge.encoder.verdict.opening
        assert answer.probability == pytest.approx(two_way(judge, ids), abs=1e-5)


def test_any_form_is_scored(judge: TransformersJudge, examples: list[Example]) -> None:
    import torch

    form = Form("rating", (1, 2, 3, 4, 5))
    question = Question("q", VERDICT.render(examples[0]))
    [[(index, answer)]] = judge.answer([question], form, "score")
    tokens = judge.encoder.choices(form)
    ids = judge.encoder.chat(question.messages) + tokens.opening
    expected = torch.softmax(plain_logits(judge.model, ids)[list(tokens.ids)], dim=0).tolist()
    assert (index, answer.raw, answer.rule) == (0, "", "score")
    assert answer.probabilities == pytest.approx(tuple(expected), abs=1e-5)
    assert answer.choice == form.choices[expected.index(max(expected))]
    [[(_, constrained)]] = judge.answer([question], form, "constrained")
    assert constrained.raw == f'{{"rating": {answer.choice}}}'
    assert (constrained.choice, constrained.rule) == (answer.choice, "json")
    assert constrained.probabilities is None


@pytest.mark.parametrize("limit", [6, 40])
def test_constrained_reasoning_is_the_likeliest_json(
    judge: TransformersJudge,
    examples: list[Example],
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
) -> None:
    """Checked against a search that tries every token of the vocabulary at each step."""
    monkeypatch.setattr(transformers_judge, "answer_tokens", lambda _form: limit)
    few = [examples[0], examples[-1]]
    for example, row in zip(few, in_turn(judge, few, REASONING, "constrained"), strict=True):
        text, forced = by_hand(judge, judge.encoder.prompt(REASONING, example), limit)
        assert row.raw == text
        assert row.verdict in (0, 1)
        assert json.loads(row.raw).keys() == {"reasoning", "consistency"}
        assert row.rule == ("constrained_forced" if forced else "json")
        assert row.probability is None


def by_hand(judge: TransformersJudge, ids: list[int], limit: int) -> tuple[str, bool]:
    """Greedy, a token at a time, each kept only if what is written can still become the JSON."""
    encoder, form = judge.encoder, REASONED_VERDICT
    inside = re.compile(r'(?:[^"\\\x00-\x1f\x7f]|\\["\\/bfnrt])+')
    written = encoder.encode(form.reasoning_opening)
    forced, reasoning = True, 0
    while reasoning < limit:
        for token in plain_logits(judge.model, ids + written).argsort(descending=True).tolist():
            text = encoder.decode([token])
            rest = text[len(inside.match(text)[0]) :] if inside.match(text) else text
            if text and (not rest or (rest[0] == '"' and form.reasoning_closing.startswith(rest))):
                break
        written.append(token)
        reasoning += 1
        if rest:
            written += encoder.encode(form.reasoning_closing[len(rest) :])
            forced = False
            break
    if forced:
        written += encoder.encode(form.reasoning_closing)
    choices = list(encoder.choices(form).ids)
    best = plain_logits(judge.model, ids + written)[choices].argmax()
    return encoder.decode([*written, choices[int(best)], *encoder.encode("}")]), forced


def test_a_row_too_long_for_the_context_is_refused_by_id(
    judge: TransformersJudge, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = max(len(judge.encoder.prompt(VERDICT, example)) for example in examples)
    monkeypatch.setattr(judge.model.config, "max_position_embeddings", longest + 24)
    assert len(judged(judge, examples)) == 10
    monkeypatch.setattr(judge.model.config, "max_position_embeddings", longest + 23)
    with pytest.raises(PengadilError, match=rf"\S+ \({longest + 24} tokens\).*context of"):
        judged(judge, examples)


def test_an_adapter_changes_the_answers(
    judge: TransformersJudge, run: Run, examples: list[Example]
) -> None:
    bare = open_judge(run.facts()["base"]["name"])
    assert (bare.describe()["adapter"], len(judge.describe()["adapter"])) == (None, 64)
    pairs = zip(judged(bare, examples), judged(judge, examples), strict=True)
    assert all(abs(one.probability - other.probability) > 1e-4 for one, other in pairs)


def shrink(file: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = {name: tensor[:, :3].contiguous() for name, tensor in load_file(file).items()}
    save_file(tensors, file, {"format": "pt"})


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize("harm", [shrink, cut, Path.unlink])
def test_an_adapter_that_does_not_fit_is_refused(run: Run, tmp_path: Path, harm: Any) -> None:
    harmed = Run(Path(shutil.copytree(run.folder, tmp_path / "harmed")))
    harm(harmed.adapter / "adapter_model.safetensors")
    with pytest.raises(PengadilError, match="the adapter does not fit") as refused:
        open_judge(str(harmed.folder))
    assert "\n" not in str(refused.value)


def test_an_evaluation_that_was_stopped_gives_the_same_results(
    judge: TransformersJudge,
    examples: list[Example],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(scoring.BATCH_TOKENS, "cpu", 300)
    monkeypatch.setattr(summary, "git_commit", lambda: None)
    test = as_slice(examples)

    def results(folder: Path) -> list[Judgement]:
        evaluate(judge, test, VERDICT, "score", folder, baseline_rows=[])
        lines = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
        return [dataclasses.replace(Judgement(**json.loads(line)), seconds=0) for line in lines]

    def stop(done: int, _rows: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(judge, test, VERDICT, "score", tmp_path / "2", baseline_rows=[], on_progress=stop)
    assert not (tmp_path / "2" / "results.jsonl").exists()
    whole = results(tmp_path / "1")
    assert results(tmp_path / "2") == whole
    assert [row.id for row in whole] == [example.id for example in examples]


def test_a_model_without_an_adapter_judges_too(examples: list[Example], tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base", seed=2)
    judge = open_judge(str(base))
    assert judge.name == str(base)
    about = judge.describe()
    assert about["revision"].startswith("config ")
    assert (about["kind"], about["device"]) == ("transformers", "cpu")
    assert all(0 < row.probability < 1 for row in judged(judge, examples[:2]))
    assert isinstance(judge, TransformersJudge)
    assert isinstance(judge.encoder, Encoder)
