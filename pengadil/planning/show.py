"""A plan as a table for the terminal, or for a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill

from pengadil.planning.disk import fullest
from pengadil.planning.estimate import Estimate
from pengadil.planning.fit import gibibytes
from pengadil.planning.layers import holds_scores

WIDTH = 100
HOUR = 3600


def print_plan(plan: Estimate) -> None:
    """Every figure with its reason, in at most a hundred columns; then what to heed."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(markup=False, highlight=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    title = Text(f"{plan.recipe.name} on {plan.hardware.label}", style="bold")
    table = Table(
        title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0), show_header=False
    )
    table.add_column(no_wrap=True)
    table.add_column(justify="right", overflow="fold", max_width=24)
    table.add_column(overflow="fold")
    for section in (choices(plan), memory_rows(plan), run_rows(plan), disk_rows(plan)):
        for name, value, reason in section:
            table.add_row(Text(name), Text(value), Text(reason))
        table.add_section()
    with console.capture() as captured:
        console.print(table)
    # Padding to the full width is of no use in a file.
    print("\n".join(line.rstrip() for line in captured.get().rstrip().splitlines()))
    for warning in plan.warnings:
        print(fill(f"note: {warning}", WIDTH))
    print(fill(f"{'fits' if plan.fit.fits else 'does not fit'}: {plan.fit.reason}", WIDTH))


def choices(plan: Estimate) -> Iterator[tuple[str, str, str]]:
    """Model, engine, precision and attention."""
    shape, choice = plan.shape, plan.choice
    yield (
        "model",
        f"{parameters(shape.parameters)} weights",
        f"{plan.recipe.model.name}: {shape.layers} layers, {shape.width:,} wide, MLP "
        f"{shape.mlp:,}, {shape.heads} heads, {shape.vocabulary:,} tokens",
    )
    engine, _, precision = choice.reason.partition("; ")
    yield "engine", choice.engine, engine.partition(": ")[2]
    bits = " and 4 bits" if plan.recipe.model.load_in_4bit else ""
    yield "precision", f"{choice.dtype}{bits}", precision.partition(": ")[2]
    yield "attention", choice.attention, attention_reason(plan)


def attention_reason(plan: Estimate) -> str:
    """Which attention trains, and what that means for memory."""
    if plan.recipe.lora.rank == 0:
        return "the encoder's own"
    if plan.choice.engine == "unsloth":
        return "Unsloth's, which never holds all scores"
    held = ", and holds their scores" if holds_scores(plan.hardware) else ""
    return f"for judging; training computes what rows share once{held}"


def memory_rows(plan: Estimate) -> Iterator[tuple[str, str, str]]:
    """Micro-batch, and memory by part."""
    fit = plan.fit
    batch = plan.recipe.train.batch_size
    yield (
        "micro-batch",
        f"{fit.micro_batch_size} x {fit.accumulation}",
        f"rows at once x times, for a batch of {batch}; {fit.limits}",
    )
    for part in fit.memory.parts:
        yield f"  {part.name}", gibibytes(part.bytes), part.reason
    yield "memory", gibibytes(fit.memory.total), f"of {gibibytes(fit.usable)} that can be used"


def run_rows(plan: Estimate) -> Iterator[tuple[str, str, str]]:
    """Rows, tokens, steps and hours."""
    lengths, bound = plan.lengths, "" if plan.lengths.exact else "at most "
    rows = "not known" if lengths.rows is None else f"{lengths.rows:,}"
    yield "rows", rows, "all epochs together"
    yield "longest row", f"{lengths.longest:,}", lengths.reason
    tokens = "not known" if lengths.tokens is None else f"{bound}{lengths.tokens:,}"
    yield "tokens", tokens, f"{lengths.mean:,.0f} a row"
    steps = "not known" if plan.steps is None else f"{plan.steps:,}"
    yield "steps", steps, f"of {plan.recipe.train.batch_size} rows"
    rate = "not known" if plan.rate.tokens is None else f"{plan.rate.tokens:,.0f}"
    yield "tokens a second", rate, plan.rate.reason
    hours = "not known" if plan.seconds is None else f"{bound}{duration(plan.seconds)}"
    thousand = ""
    if plan.seconds is None and plan.rate.tokens:
        each = lengths.mean * (2 if plan.recipe.train.method == "orpo" else 1)
        thousand = f"1,000 rows take {bound}{duration(1000 * each / plan.rate.tokens)}; "
    yield "time", hours, f"{thousand}of training; downloads and judging come on top"


def disk_rows(plan: Estimate) -> Iterator[tuple[str, str, str]]:
    """Disk by part."""
    for part in plan.disk:
        yield f"  {part.name}", gigabytes(part.bytes), part.reason
    free = "" if plan.disk_free is None else f"; {gigabytes(plan.disk_free)} are free here"
    yield "disk", gigabytes(fullest(plan.disk)), f"at its fullest{free}"


def parameters(count: int) -> str:
    """7241732096 as "7.24 B", 134515008 as "135 M"."""
    return f"{count / 1e9:.2f} B" if count >= 1e9 else f"{count / 1e6:.3g} M"


def gigabytes(count: int) -> str:
    """In powers of ten, as disks are sold."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 or not count else f"{count / 1e6:,.0f} MB"


def duration(seconds: float) -> str:
    """Seconds as "3.2 h", "12 min" or "40 s"."""
    if seconds >= HOUR:
        return f"{seconds / HOUR:,.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
