"""The curves of trainings as files to look at: curves.png and training.html."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pengadil.curves.figures import headline, numbers_section, settings_section
from pengadil.curves.lines import Against
from pengadil.curves.panels import Panel, panels
from pengadil.curves.picture import Scale, curves_picture, panel_picture, scale_of
from pengadil.curves.reading import Curves, read_curves
from pengadil.records import write_whole
from pengadil.report.page import Page, Section, as_html

PICTURE, HTML = "curves.png", "training.html"


def write_curves(run: Path, against: Against = "step") -> list[Path]:
    """Draw a training into its run folder, from its logs alone; return the two files' paths.

    `against` is what lies on the level axis. The training may be unfinished. Raises PengadilError
    where no step is logged.
    """
    curves = read_curves(run)
    return write_all([curves], curves.folder, against)


def write_all(runs: Sequence[Curves], folder: Path, against: Against = "step") -> list[Path]:
    """Draw trainings side by side into a folder; each file appears only when it is whole."""
    drawn = panels(runs, against)
    picture = curves_picture(drawn, [run.name for run in runs], scale_of(drawn, against))
    write_whole(folder / HTML, as_html(curves_page(runs, against)))
    part = folder / f"{PICTURE}.part"
    try:
        part.write_bytes(picture)
        part.replace(folder / PICTURE)
    finally:
        part.unlink(missing_ok=True)
    return [folder / PICTURE, folder / HTML]


def read_all(runs: Sequence[Path]) -> list[Curves]:
    """The curves of several runs, once each, under names that differ."""
    found = {curves.folder.resolve(): curves for curves in map(read_curves, runs)}
    named = Counter(curves.name for curves in found.values())
    return [
        replace(curves, name=f"{path.parent.name}/{path.name}")
        if named[curves.name] > 1
        else curves
        for path, curves in found.items()
    ]


def curves_page(runs: Sequence[Curves], against: Against = "step") -> Page:
    """A section a panel, then the numbers and how it was trained."""
    drawn = panels(runs, against)
    names, scale = [run.name for run in runs], scale_of(drawn, against)
    sections = [_section(panel, names, scale) for panel in drawn]
    sections.append(numbers_section(runs))
    if settings := settings_section(runs):
        sections.append(settings)
    title = f"Training {names[0]}" if len(names) == 1 else f"{len(names)} trainings side by side"
    return Page(title, headline(runs), sections)


def _section(panel: Panel, names: Sequence[str], scale: Scale) -> Section:
    return Section(
        panel.title,
        note=panel.note,
        picture=panel_picture(panel, names, scale),
        picture_text=f"{panel.title} by {scale.name}: the numbers stand in the table below",
    )
