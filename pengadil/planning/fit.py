"""How many rows can be computed at once, so that the step's peak fits into the device."""

from __future__ import annotations

from dataclasses import dataclass

from pengadil.hardware import Choice, Hardware
from pengadil.planning.layers import Batch
from pengadil.planning.memory import Memory, memory
from pengadil.planning.shape import Shape
from pengadil.recipe import Recipe

# Of a machine's own memory, what a training may count on; the rest is the system's.
OWN_SHARE = 0.8
# Padded tokens that the trainers compute at once at most, where the recipe names no micro-batch:
# beyond them the matrix products get no faster.
CPU_TOKENS, GPU_TOKENS = 2048, 8192


@dataclass(frozen=True, slots=True)
class Fit:
    """The micro-batch, the micro-batches of an optimizer step, and the step's peak.

    `fits` is False when even a single row is too much; `reason` then says what would help.
    `limits` is why it is not a larger micro-batch.
    """

    micro_batch_size: int
    accumulation: int
    memory: Memory
    usable: int
    fits: bool
    reason: str
    limits: str


def usable(hardware: Hardware) -> int:
    """Bytes that a training may take: all of a GPU, and most of a machine's own memory."""
    if hardware.device == "cuda":
        return hardware.memory_bytes
    return int(OWN_SHARE * hardware.memory_bytes)


def most_tokens(recipe: Recipe, hardware: Hardware, choice: Choice) -> int | None:
    """Padded tokens that the trainer computes at once at most; None where it has no limit."""
    if recipe.train.micro_batch_size:
        return None
    if hardware.device == "cpu":
        return CPU_TOKENS
    if recipe.train.method == "orpo":
        return None
    limited = choice.engine == "unsloth" or recipe.train.method == "classifier"
    return GPU_TOKENS if limited else None


def fit(
    shape: Shape,
    recipe: Recipe,
    hardware: Hardware,
    choice: Choice,
    longest: int,
    memory_bytes: int | None = None,
) -> Fit:
    """The largest micro-batch, of those that divide the batch, whose longest rows fit.

    `longest` is in tokens; of preference pairs, the prompt with the longer answer. `memory_bytes`
    is what may be taken, else what `usable` says. A micro-batch that the recipe names is kept.
    """
    room = usable(hardware) if memory_bytes is None else memory_bytes
    batch_size, named = recipe.train.batch_size, recipe.train.micro_batch_size
    most = most_tokens(recipe, hardware, choice)
    sizes = [named] if named else [n for n in range(batch_size, 0, -1) if batch_size % n == 0]

    def needed(rows: int) -> Memory:
        return memory(shape, recipe, hardware, choice, batch_of(recipe, rows, longest, most))

    larger: tuple[int, Memory] | None = None
    for rows in sizes:
        found = needed(rows)
        if found.total <= room:
            return _fitting(rows, recipe, found, room, larger, most)
        larger = rows, found
    assert larger is not None
    rows, found = larger
    reason = f"{_rows(rows)} would take {_share(found.total, room)}: {_advice(recipe, found)}"
    return Fit(rows, -(-batch_size // rows), found, room, False, reason, "even this is too much")


def batch_of(recipe: Recipe, rows: int, longest: int, most: int | None = None) -> Batch:
    """What a micro-batch of so many rows computes at most; of a pair, both answers."""
    sides = 2 if recipe.train.method == "orpo" else 1
    tokens = rows * sides * longest
    if most is not None:
        tokens = min(tokens, max(most, sides * longest))
    return Batch(tokens, longest)


def _fitting(
    rows: int,
    recipe: Recipe,
    found: Memory,
    room: int,
    larger: tuple[int, Memory] | None,
    most: int | None,
) -> Fit:
    reason = f"{_rows(rows)} {'takes' if rows == 1 else 'take'} {_share(found.total, room)}"
    if recipe.train.micro_batch_size:
        limits = "as the recipe asks"
    elif larger:
        limits = f"{larger[0]} would take {gibibytes(larger[1].total)}"
    else:
        limits = "all of it fits"
    if most is not None:
        limits += f"; never more than {most:,} tokens at once, beyond which it gets no faster"
    accumulation = -(-recipe.train.batch_size // rows)
    return Fit(rows, accumulation, found, room, True, reason, limits)


def _rows(rows: int) -> str:
    return "a single row" if rows == 1 else f"{rows} rows"


def _share(taken: int, room: int) -> str:
    return f"{gibibytes(taken)} of {gibibytes(room)}"


def gibibytes(count: int) -> str:
    """13743895347 as "12.8 GiB"; less than a tenth as MiB."""
    if count < 2**30 / 10:
        return f"{count / 2**20:.0f} MiB"
    return f"{count / 2**30:.1f} GiB"


def _advice(recipe: Recipe, found: Memory) -> str:
    ways = ["lower --data.max_length"] if found["activations"] > found.total // 10 else []
    if not recipe.model.load_in_4bit and recipe.lora.rank:
        ways.append("set --model.load_in_4bit true")
    if recipe.train.optimizer == "adamw_torch" and found["optimizer"] > found.total // 10:
        ways.append("set --train.optimizer adamw_8bit")
    if recipe.train.micro_batch_size > 1:
        ways.append("lower --train.micro_batch_size")
    ways.append("take a GPU with more memory")
    return ", or ".join(ways)
