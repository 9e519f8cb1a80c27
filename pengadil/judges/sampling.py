"""Drawing tokens: the same noise for every engine, so that a seed repeats itself everywhere.

A token drawn from softmax(logits / temperature) is the highest of logits / temperature + noise,
where the noise is Gumbel's (Gumbel, 1954; Maddison et al., 2014, A* Sampling). Its random numbers
depend on the seed and on the place in the conversation alone, never on torch's or numpy's state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pengadil.judges.base import Sampling

if TYPE_CHECKING:
    from torch import Tensor


def noise(seed: int, place: int, size: int) -> Any:
    """Gumbel noise of the shape (size,), in float32; of a larger size it begins the same."""
    import numpy as np

    # From [0, 1) into (0, 1): at both ends a logarithm would be infinite.
    uniform = np.random.default_rng([seed, place]).random(size) * (1 - 1e-12) + 1e-13
    return (-np.log(-np.log(uniform))).astype(np.float32)


def choose(logits: Any, sampling: Sampling, place: int) -> int:
    """The token after `place` others, of logits of the shape (vocabulary,)."""
    if not sampling.temperature:
        return int(logits.argmax())
    drawn = logits / sampling.temperature + noise(sampling.seed, place, len(logits))
    return int(drawn.argmax())


@dataclass(frozen=True, slots=True)
class SamplingProcessor:
    """Called by transformers' `generate` before each token: greedy decoding then draws."""

    sampling: Sampling

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores, shape (rows, vocabulary), divided by the temperature and with the noise."""
        import torch

        drawn = torch.from_numpy(noise(self.sampling.seed, input_ids.shape[-1], scores.shape[-1]))
        return scores.float() / self.sampling.temperature + drawn.to(scores.device)
