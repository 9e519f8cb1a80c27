"""A trainer that is handed all rows of an optimizer step and cuts them into micro-batches itself.

So a step can be made again with fewer rows at once when memory does not suffice, and its loss can
be divided by what the whole step holds.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pengadil.training.micro import Backoff, is_out_of_memory, micro_batches
from pengadil.training.processes import add_gradients, share_of, total

if TYPE_CHECKING:
    from torch import Tensor


class WholeSteps:
    """Goes before transformers' Trainer, or one made from it, among the bases of a class.

    The data set is a list of steps, each a list of rows with `group` and `size`. `backoff` and
    `most_tokens` bound a micro-batch.
    """

    backoff: Backoff
    most_tokens: int | None
    bundled = True  # whether rows of one document are computed together
    names: tuple[str, ...]  # of the figures that `compute` gives
    # As the Trainer sets them.
    args: Any
    accelerator: Any
    train_dataset: Any

    @abstractmethod
    def measure(self, rows: Sequence[Any]) -> dict[str, float]:
        """What the loss of these rows is divided by, in parts that add up over a step's rows."""

    @abstractmethod
    def compute(
        self, model: Any, rows: Sequence[Any], whole: dict[str, float]
    ) -> tuple[Tensor, dict[str, float]]:
        """The rows' share of the step's loss, and figures that add up.

        `whole` is what `measure` gives for all rows of the step, those of other processes too.
        """

    @abstractmethod
    def report(self, figures: dict[str, float], whole: dict[str, float]) -> None:
        """Told after each step of the sums of `compute`'s figures, and of its `loss`."""

    def get_train_dataloader(self) -> Any:
        """The steps in their order, each as it is, for all processes alike."""
        from torch.utils.data import DataLoader

        return DataLoader(self.train_dataset, batch_size=1, collate_fn=lambda items: items[0])

    def get_batch_samples(self, epoch_iterator: Any, *_: Any, **__: Any) -> tuple[list[Any], None]:
        """The next step's rows; there is nothing in them that a library could count."""
        return [rows for rows in [next(epoch_iterator, None)] if rows is not None], None

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """Gradients of a step's rows, added up over micro-batches and processes."""
        import torch

        model.train()
        rows = share_of(inputs)
        whole = {name: total(value) for name, value in self.measure(rows).items()}
        while True:
            random = _random_states()
            try:
                figures = self._micro_batches(model, rows, whole)
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self.backoff.halve(max(row.size for row in rows), error)
            # Out of the handler, whose error keeps the failed computation in memory.
            model.zero_grad(set_to_none=True)
            _set_random_states(random)
            if self.args.device.type == "cuda":
                torch.cuda.empty_cache()
        add_gradients(model)
        figures = {name: total(value) for name, value in figures.items()}
        self.report(figures, whole)
        return torch.tensor(figures["loss"], device=self.args.device)

    def _micro_batches(
        self, model: Any, rows: Sequence[Any], whole: dict[str, float]
    ) -> dict[str, float]:
        figures = dict.fromkeys(("loss", *self.names), 0.0)
        for batch in micro_batches(rows, self.backoff.rows, self.most_tokens, self.bundled):
            with self.accelerator.no_sync(model):
                loss, sums = self.compute(model, batch, whole)
                self.accelerator.backward(loss)
            for name, value in {**sums, "loss": float(loss.detach())}.items():
                figures[name] += value
        return figures


def _random_states() -> tuple[Any, list[Any]]:
    """What dropout draws from, on the processor and on each CUDA device."""
    import torch

    return torch.get_rng_state(), torch.cuda.get_rng_state_all()


def _set_random_states(states: tuple[Any, list[Any]]) -> None:
    import torch

    torch.set_rng_state(states[0])
    torch.cuda.set_rng_state_all(states[1])
