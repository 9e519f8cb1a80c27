"""The probabilities of the choices after each row, in one forward pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pengadil.judges.packed import Pack, can_pack, ends, keep_beginning, packed_attention
from pengadil.tokens import Encoder

if TYPE_CHECKING:
    from torch import Tensor

# Tokens in a batch, by device: enough for the matrix products to run at full speed, and a bound on
# the memory, which is that of one layer's activations (no logits but those that are read).
BATCH_TOKENS = {"cpu": 1024, "mps": 4096, "cuda": 8192}
# A document of fewer tokens is not worth a forward pass of its own: rows are faster together.
LEAST_SHARED = 256


@dataclass(frozen=True, slots=True, order=True)
class _Kind:
    """Rows that are computed together: packed after the same beginning, or padded."""

    packed: bool
    beginning: tuple[int, ...]


@dataclass
class Scorer:
    """Compares the tokens `choices` after rows of ids.

    What many rows begin with is computed once: `opening`, and the beginnings that are given with
    the rows, each longer than it, such as a document that several of them are about.
    """

    causal: Any
    choices: Sequence[int]
    pad_id: int
    opening: Sequence[int] = ()
    pack: bool = True  # False for a model whose attention is not transformers' own
    _packs: dict[tuple[int, ...], Pack] = field(default_factory=dict)

    def forget_documents(self) -> None:
        """Keep nothing but what was computed of the opening."""
        opening = tuple(self.opening)
        self._packs = {ids: pack for ids, pack in self._packs.items() if ids == opening}

    def batches(
        self, rows: Sequence[Sequence[int]], beginnings: Sequence[Sequence[int]] = ()
    ) -> Iterator[list[int]]:
        """Indices of the rows in batches of one kind, the longest first.

        `beginnings` has one for each row, or nothing for a row that shares no more than the
        opening. Of rows with a beginning of their own none is left over alone.
        """
        kinds: dict[_Kind, list[int]] = {}
        for index in longest_first(rows):
            beginning = beginnings[index] if beginnings else ()
            kinds.setdefault(self._kind(rows[index], beginning), []).append(index)
        for kind, order in sorted(kinds.items(), key=lambda item: item[0]):
            yield from self._cut(rows, kind, order)

    def _cut(
        self, rows: Sequence[Sequence[int]], kind: _Kind, order: Sequence[int]
    ) -> Iterator[list[int]]:
        """Batches of no more than BATCH_TOKENS, or of one row."""
        limit = BATCH_TOKENS[self.causal.device.type]
        shared = len(kind.beginning)
        batch: list[int] = []
        tokens = 0
        for place, index in enumerate(order):
            # A padded batch is as wide as its first row.
            more = len(rows[index]) - shared if kind.packed else len(rows[(batch or [index])[0]])
            # A single row that is left has its own beginning no more: work that is taken up
            # again would compute it otherwise.
            last_alone = shared > len(self.opening) and place == len(order) - 1
            if batch and tokens + more > limit and not last_alone:
                yield batch
                batch, tokens = [], 0
            batch.append(index)
            tokens += more
        yield batch

    def probabilities(
        self, rows: Sequence[Sequence[int]], beginnings: Sequence[Sequence[int]] = ()
    ) -> list[tuple[float, ...]]:
        """For each row, the softmax over the choices that could come next.

        Figures differ in their last digits with the rows that are computed together.
        """
        found: dict[int, tuple[float, ...]] = {}
        for batch in self.batches(rows, beginnings):
            some = [rows[index] for index in batch]
            kind = self._kind(some[0], beginnings[batch[0]] if beginnings else ())
            hidden = self._packed(some, kind.beginning) if kind.packed else self._padded(some)
            found |= zip(batch, map(tuple, self._softmax(hidden).tolist()), strict=True)
        return [found[index] for index in range(len(rows))]

    def _kind(self, row: Sequence[int], beginning: Sequence[int]) -> _Kind:
        """The longest beginning that the row really has: ids can join across its end."""
        if not self.pack or not can_pack(self.causal.config, len(row)):
            return _Kind(False, ())
        for ids in (beginning, self.opening):
            if ids and list(row[: len(ids)]) == list(ids):
                return _Kind(True, tuple(ids))
        return _Kind(True, ())

    def _packed(self, rows: Sequence[Sequence[int]], beginning: tuple[int, ...]) -> Tensor:
        with packed_attention(self.causal):
            pack = self._packs.get(beginning)
            if pack is None:
                # The opening is kept; of the documents only the last, for its next batch.
                opening = tuple(self.opening)
                goes_on = beginning != opening and beginning[: len(opening)] == opening
                known = self._packs.get(opening) if goes_on else None
                if goes_on and known is None:
                    known = keep_beginning(self.causal, opening)
                pack = keep_beginning(self.causal, beginning, known)
                self._packs = {beginning: pack} | ({opening: known} if known else {})
            return ends(self.causal, pack, [row[len(beginning) :] for row in rows])

    def _padded(self, rows: Sequence[Sequence[int]]) -> Tensor:
        import torch

        ids, mask = padded(rows, self.pad_id, self.causal.device)
        hidden = self.causal.base_model(input_ids=ids, attention_mask=mask, use_cache=False)
        at_end: Tensor = hidden.last_hidden_state[torch.arange(len(rows)), mask.sum(dim=1) - 1]
        return at_end

    def _softmax(self, hidden: Tensor) -> Tensor:
        """Of final hidden states, over the choices: shape (rows, choices).

        Logits only of the tokens that are compared, in float32: a bfloat16 logit of 20 is exact
        to 0.1, and its rounding makes ties.
        """
        import torch

        head, choices = self.causal.get_output_embeddings(), list(self.choices)
        logits = hidden.float() @ head.weight[choices].float().T
        if head.bias is not None:
            logits = logits + head.bias[choices].float()
        # Gemma 2 bounds its logits in its own forward, which is not called here; Granite divides.
        logits = logits / getattr(self.causal.config, "logits_scaling", 1.0)
        if cap := getattr(self.causal.config, "final_logit_softcapping", None):
            logits = torch.tanh(logits / cap) * cap
        return torch.softmax(logits, dim=-1)


def shared_beginnings(encoder: Encoder, shared: Sequence[str], opening: int) -> list[list[int]]:
    """For each row's `shared` text its ids, [] where no other row has it, or it is short.

    Short is what is hardly longer than the opening, of so many tokens.
    """
    texts = [text for text, count in Counter(shared).items() if text and count > 1]
    found = {text: encoder.beginning(text) for text in texts}
    long = {text: ids for text, ids in found.items() if len(ids) >= opening + LEAST_SHARED}
    return [long.get(text, []) for text in shared]


def longest_first(rows: Sequence[Sequence[int]]) -> list[int]:
    """Indices of the rows by falling length; of equal ones, in their order."""
    return sorted(range(len(rows)), key=lambda index: -len(rows[index]))


def padded(
    rows: Sequence[Sequence[int]], pad_id: int, device: Any, left: bool = False
) -> tuple[Tensor, Tensor]:
    """(ids, mask), both of shape (rows, longest row), on the device."""
    import torch

    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), pad_id)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for index, row in enumerate(rows):
        place = slice(longest - len(row), None) if left else slice(0, len(row))
        ids[index, place] = torch.tensor(row)
        mask[index, place] = 1
    return ids.to(device), mask.to(device)
