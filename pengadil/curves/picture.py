"""The panels of a training drawn as PNG: one by one for a page, or all of them together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pengadil.curves.lines import AGAINST, Against
from pengadil.curves.panels import Panel, Trace
from pengadil.report.pictures import BLUE, GREY, INK, new_figure, png
from pengadil.report.text import plain, shortened

# Told apart by those who see few colours too (after Okabe and Ito, 2008); then they begin anew.
COLOURS = (BLUE, "#d55e00", "#009e73", "#b04a8c", "#a67c00", "#3b3b3b")
SOFT = "#616e7c"
LONGEST_NAME = 40
WIDTH, HEIGHT = 4.4, 2.6  # inches of a panel
LEGEND_LINE = 0.2  # inches
CUT = 0.02  # share of the logged values that may lie above a panel, so that an outlier fills none


@dataclass(frozen=True, slots=True)
class Scale:
    """The level axis that all panels share: its name, its unit, and where it ends, in that unit."""

    name: str
    unit: float
    ends: tuple[float, float]
    whole: bool  # whether only whole numbers stand on it


def scale_of(panels: Sequence[Panel], against: Against) -> Scale:
    """A scale on which every trace of every panel has room."""
    places = [place for panel in panels for trace in panel.traces for place in trace.x]
    low, high, unit, name = min(places), max(places), 1.0, AGAINST[against]
    if against == "seconds":
        for size, word in ((3600.0, "hours"), (60.0, "minutes")):
            if unit == 1 and high > 2 * size:
                unit, name = size, f"{word} of training"
    room = 0.03 * (high - low) or 0.5
    return Scale(name, unit, ((low - room) / unit, (high + room) / unit), against == "step")


def panel_picture(panel: Panel, names: Sequence[str], scale: Scale) -> bytes:
    """One panel; where there are several trainings, with a legend of their names."""
    columns = _columns(names, 1)
    figure, axes = new_figure(WIDTH, HEIGHT + LEGEND_LINE * (_lines(names, columns)))
    draw(axes, panel, scale)
    _legend(figure, names, columns)
    return png(figure)


def curves_picture(panels: Sequence[Panel], names: Sequence[str], scale: Scale) -> bytes:
    """All panels, two side by side, under their titles and the trainings' names."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows, columns = -(-len(panels) // 2), _columns(names, 2)
    height = 0.3 + rows * (HEIGHT + 0.2) + LEGEND_LINE * _lines(names, columns)
    figure = Figure(figsize=(2 * WIDTH, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    places = list(figure.subplots(rows, 2, squeeze=False).flat)
    for axes, panel in zip(places, panels, strict=False):
        draw(axes, panel, scale)
        axes.set_title(panel.title, loc="left", fontsize=10, color=INK)
        axes.set_title(panel.key, loc="right", fontsize=8, color=SOFT)
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    if len(names) == 1:
        title = shortened(plain(names[0]), 2 * LONGEST_NAME)
        # A dollar sign in a name would begin a formula.
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, color=INK, parse_math=False)
    _legend(figure, names, columns)
    return png(figure)


def draw(axes: Any, panel: Panel, scale: Scale) -> None:
    """The panel's traces, its scales and the name of its level axis."""
    from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator, PercentFormatter

    for trace in panel.traces:
        _draw_trace(axes, trace, scale.unit)
    axes.set_ylim(*_limits(panel))
    axes.set_xlim(*scale.ends)
    axes.set_xlabel(scale.name)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=scale.whole))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    shares, numbers = PercentFormatter(1, symbol=" %"), FuncFormatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(shares if panel.share else numbers)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_trace(axes: Any, trace: Trace, unit: float) -> None:
    colour = COLOURS[trace.run % len(COLOURS)]
    x = [value / unit for value in trace.x]
    if trace.baseline is not None:
        axes.axhline(trace.baseline, color=GREY, linewidth=1, linestyle="--")
    if trace.low:
        axes.fill_between(x, trace.low, trace.high, color=colour, alpha=0.18, linewidth=0)
    if trace.faint:
        axes.plot(x, trace.faint, color=colour, alpha=0.25, linewidth=0.8)
    # A line through one point would not be seen.
    marker = "o" if trace.held_out or len(x) == 1 else None
    style = ":" if trace.held_out else "-"
    axes.plot(x, trace.strong, style, color=colour, linewidth=1.5, marker=marker, markersize=3.5)
    if trace.best:
        place, value = trace.best
        axes.plot(
            place / unit, value, "o", color=INK, markersize=9, fillstyle="none", clip_on=False
        )


def _limits(panel: Panel) -> tuple[float, float]:
    """The ends of the upright scale: shares from 0 to 1, else without the worst outliers."""
    if panel.share:
        return -0.02, 1.02
    kept: list[float] = []
    for trace in panel.traces:
        logged = sorted(filter(math.isfinite, trace.faint))
        if logged:
            kept += [logged[0], logged[math.ceil((1 - CUT) * len(logged)) - 1]]
        kept += filter(math.isfinite, [*trace.strong, *trace.low, *trace.high])
    low, high = min(kept), max(kept)
    # What is close to nothing is shown as a part of the whole.
    low = 0.0 if 0 <= low < 0.5 * high else low
    room = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    return low - room / (3 if low == 0 else 1), high + room


def _columns(names: Sequence[str], most: int) -> int:
    """How many names of the legend find room side by side."""
    longest = max(map(len, names))
    return max(1, min(len(names), most * LONGEST_NAME // (longest + 8)))


def _lines(names: Sequence[str], columns: int) -> int:
    return -(-len(names) // columns) if len(names) > 1 else 0


def _legend(figure: Any, names: Sequence[str], columns: int) -> None:
    """The trainings' names and colours above the picture, where there are several."""
    if len(names) < 2:
        return
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=COLOURS[at % len(COLOURS)]) for at in range(len(names))]
    shown = [shortened(plain(name), LONGEST_NAME).replace("$", r"\$") for name in names]
    place = "outside upper left"
    figure.legend(lines, shown, loc=place, ncols=columns, frameon=False, fontsize=9)
