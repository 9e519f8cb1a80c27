"""Bundled rows are computed as if each stood alone: same logits, same labels, same weights."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pengadil.training.attention import use_bundles
from pengadil.training.bundles import bundle, collate
from pengadil.training.rows import IGNORED, TrainingRow

VOCABULARY = 300
Labelled = tuple[int, float, Any]  # the label, its weight, the logits that predict it


def row(group: str, prompt: list[int], answer: list[int], skip: int = 0) -> TrainingRow:
    """A row with a loss on its answer but for its first `skip` tokens."""
    ids = prompt + answer
    labels = [IGNORED] * (len(prompt) + skip) + answer[skip:]
    weights = [0.0 if label == IGNORED else 0.5 + i % 3 for i, label in enumerate(labels)]
    return TrainingRow("x", group, ids, labels, weights)


@cache
def tiny_llama(*, bundles: bool) -> Any:
    """A random model in float32: with the attention over bundles, or transformers' own."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        # Large weights: what a token sees then changes its logits by far more than rounding.
        initializer_range=0.3,
        attn_implementation="eager",
    )
    model = LlamaForCausalLM(config).float().eval()
    if bundles:
        use_bundles(model)
    return model


def alone(row: TrainingRow) -> list[Labelled]:
    """Each labelled token of a row that is computed by itself, in ordinary causal attention."""
    import torch

    logits = tiny_llama(bundles=False)(input_ids=torch.tensor([row.ids])).logits[0]
    return [
        (label, weight, logits[place - 1])
        for place, (label, weight) in enumerate(zip(row.labels, row.weights, strict=True))
        if label != IGNORED
    ]


def together(rows: list[TrainingRow]) -> list[Labelled]:
    """Each labelled token of rows that are computed in one batch, in the order of the rows."""
    import torch

    batch = collate(rows, pad_id=0, number_format=torch.float32)
    kept = batch.pop("labels"), batch.pop("loss_weights")
    logits = tiny_llama(bundles=True)(**batch).logits
    labelled = kept[0] != IGNORED
    labels, weights = (tensor[labelled].tolist() for tensor in kept)
    return list(zip(labels, weights, logits[labelled], strict=True))


TOKENS = st.integers(1, VOCABULARY - 1)


@st.composite
def documents(draw: st.DrawFn) -> list[TrainingRow]:
    """Up to three documents of up to four rows that share a beginning of any length, or none."""
    rows = []
    for number in range(draw(st.integers(1, 3))):
        shared = draw(st.lists(TOKENS, max_size=12))
        for _ in range(draw(st.integers(1, 4))):
            prompt = shared + draw(st.lists(TOKENS, max_size=6))
            answer = draw(st.lists(TOKENS, min_size=1, max_size=4))
            skip = draw(st.integers(0, len(answer) - 1))
            rows.append(row(str(number), prompt or draw(st.tuples(TOKENS).map(list)), answer, skip))
    return rows


SAME = list(range(1, 9))


@settings(max_examples=30, deadline=None)
@example([row("a", SAME, [9])])
@example([row("a", SAME, [9]), row("a", SAME, [10])])
@example([row("a", SAME, [9, 7]), row("a", SAME, [9, 7]), row("a", SAME, [9, 8], 1)])
@example([row("a", [1, 2], [9]), row("a", [3, 4, 5], [9])])
@example([row("a", [1], [9]), row("a", [1, 2], [9]), row("b", SAME * 3, [9, 9])])
@given(documents())
def test_logits_at_the_labels_are_those_of_the_rows_one_by_one(rows: list[TrainingRow]) -> None:
    import torch

    with torch.no_grad():
        ours, theirs = together(rows), [item for row in rows for item in alone(row)]
    assert [item[:2] for item in ours] == [item[:2] for item in theirs]
    for (_, _, found), (_, _, right) in zip(ours, theirs, strict=True):
        assert torch.allclose(found, right, atol=1e-4, rtol=0)


def test_seeing_another_token_moves_logits_far_more_than_that() -> None:
    """What the test above rests on, with the changed token eight places before the label."""
    import torch

    with torch.no_grad():
        first, second = (alone(row("a", [token, *SAME], [9]))[0][2] for token in (11, 12))
    assert (first - second).abs().max() > 0.05


def test_gradients_are_those_of_the_rows_one_by_one() -> None:
    import torch
    from torch.nn.functional import cross_entropy

    rows = [row("a", SAME, [9, 7]), row("a", [*SAME[:5], 3], [8]), row("b", [4, 2], [9, 9])]

    def gradients(items: list[Labelled], bundles: bool) -> dict[str, torch.Tensor]:
        model = tiny_llama(bundles=bundles)
        model.zero_grad()
        losses = [
            weight * cross_entropy(seen, torch.tensor(label)) for label, weight, seen in items
        ]
        torch.stack(losses).sum().backward()
        return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}

    ours = gradients(together(rows), bundles=True)
    theirs = gradients([item for one in rows for item in alone(one)], bundles=False)
    for name, gradient in theirs.items():
        assert gradient.abs().max() > 0, name
        assert torch.allclose(ours[name], gradient, atol=1e-4, rtol=1e-4), name


def test_a_bundle_is_the_neighbours_of_a_document_and_what_they_share() -> None:
    rows = [
        row("a", [1, 2, 3, 4], [8, 9]),
        row("a", [1, 2, 3, 5, 6], [8, 7]),
        row("b", [1, 2, 3], [8]),
        row("a", [1, 2, 3, 4], [8]),
    ]
    made = bundle(rows)
    assert [part.rows for part in made] == [rows[:2], rows[2:3], rows[3:]]
    assert [part.shared for part in made] == [3, 0, 0]


def test_each_row_keeps_the_token_that_predicts_its_first_label() -> None:
    for answers in (([9], [10]), ([9, 1], [9, 1])):
        [same] = bundle([row("a", SAME, answer) for answer in answers])
        assert same.shared == len(SAME) - 1
    [short] = bundle([row("a", [1], [9]), row("a", [1, 2], [9])])
    assert short.shared == 0


def test_a_batch_holds_shared_beginnings_once_and_pads_each_part() -> None:
    import torch

    rows = [row("a", [1, 2, 3, 4], [8, 9]), row("a", [1, 2, 3, 5], [8]), row("b", [5, 6], [7])]
    batch = collate(rows, pad_id=299, number_format=torch.bfloat16)
    assert batch["input_ids"].tolist() == [
        [1, 2, 3, 4, 8, 9, 5, 8, 299],
        [299, 299, 299, 5, 6, 7, 299, 299, 299],
    ]
    assert batch["position_ids"].tolist() == [
        [0, 1, 2, 3, 4, 5, 3, 4, 0],
        [0, 0, 0, 0, 1, 2, 0, 0, 0],
    ]
    none = IGNORED
    assert batch["labels"].tolist() == [
        [none, none, none, 8, 9, none, 8, none, none],
        [none, none, none, none, 7, none, none, none, none],
    ]
    assert ((batch["labels"] != none) == (batch["loss_weights"] > 0)).all()
    assert batch["loss_weights"].dtype == torch.float32
    mask = batch["attention_mask"]
    least = torch.finfo(torch.bfloat16).min
    assert (tuple(mask.shape), mask.dtype) == ((2, 1, 2, 3), torch.bfloat16)
    assert mask.unique(dim=2).tolist() == [[[[0.0] * 3]], [[[least] * 3]]]


def test_six_statements_about_a_document_cost_little_more_than_one() -> None:
    import torch

    rows = [row("a", list(range(1, 101)), [number]) for number in range(6)]
    assert collate(rows, 0, torch.float32)["input_ids"].numel() == 99 + 6 * 2
