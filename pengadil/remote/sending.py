"""A kernel put together, shown, and sent."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.remote.accelerators import find_accelerator
from pengadil.remote.layout import laid_out
from pengadil.remote.limits import LONGEST_HOURS
from pengadil.remote.metadata import CODE, FILE, metadata
from pengadil.remote.pushed import Push, remember
from pengadil.remote.service import Service
from pengadil.remote.source import MOST_BYTES, Settings, kernel_source
from pengadil.remote.tree import by_folder, files_to_send, packed

# After --max-hours the kernel still has to end by itself; then Kaggle ends it.
GRACE_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Kernel:
    """Everything that is sent: the code with the tree in it, and kernel-metadata.json."""

    settings: Settings
    metadata: dict[str, Any]
    source: str
    names: tuple[str, ...]
    folders: dict[str, tuple[int, int]]

    @property
    def seconds(self) -> int:
        """How long Kaggle lets it run at most."""
        longest = int(LONGEST_HOURS * 3600)
        return min(longest, int(self.settings.max_hours * 3600) + GRACE_SECONDS)

    def write(self, folder: Path) -> None:
        """The two files, as Kaggle's library reads them."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CODE).write_text(self.source, encoding="utf-8", newline="\n")
        text = json.dumps(self.metadata, ensure_ascii=False, indent=2) + "\n"
        (folder / FILE).write_text(text, encoding="utf-8", newline="\n")


def build(root: Path, owner: str, settings: Settings) -> Kernel:
    """The kernel of a checkout or of what a wheel ships.

    Raises PengadilError if it cannot be made or is too large.
    """
    with laid_out(root) as tree:
        names = files_to_send(tree)
        template = (tree / "kaggle" / CODE).read_text(encoding="utf-8")
        archive, folders = packed(tree, names), by_folder(tree, names)
    attached = [settings.wheels, settings.model, *settings.data]
    described = metadata(
        owner,
        settings.name,
        find_accelerator(settings.accelerator),
        settings.internet,
        [source for source in dict.fromkeys(attached) if source],
        [settings.resume_from] if settings.resume_from else [],
    )
    source = kernel_source(template, settings, archive)
    return Kernel(settings, described, source, tuple(names), folders)


def description(kernel: Kernel, hours: tuple[float, float] | None = None) -> Iterator[str]:
    """What will be sent, a line each; `hours` are those of the GPU quota, used and allowed."""
    told, settings = kernel.metadata, kernel.settings
    accelerator = find_accelerator(settings.accelerator)
    size = len(kernel.source.encode("utf-8"))
    files = ", ".join(
        f"{folder} {count} ({taken / 1e3:,.0f} kB)"
        for folder, (count, taken) in sorted(kernel.folders.items())
    )
    quota = f"; {hours[0]:.1f} of {hours[1]:.0f} GPU hours used this week" if hours else ""
    yield f"kernel       {told['id']} ({'private' if told['is_private'] else 'PUBLIC'})"
    yield f"recipe       {' '.join([settings.recipe, *settings.arguments])}"
    yield f"accelerator  {accelerator.label} ({accelerator.name}){quota}"
    if accelerator.note:
        yield f"             {accelerator.note}"
    yield f"internet     {'on' if settings.internet else 'off'}"
    yield f"time         {settings.max_hours:g} h, then it stops in a state that goes on"
    for kind in ("dataset_sources", "model_sources", "kernel_sources"):
        if told[kind]:
            yield f"{kind.removesuffix('_sources') + 's':<12} {', '.join(told[kind])}"
    yield f"quantised    {settings.quant or 'no GGUF is made'}"
    yield f"files        {len(kernel.names)}: {files}"
    yield f"size         {size / 1e3:,.0f} kB packed, of {MOST_BYTES / 1e3:,.0f} kB"


def agreed(yes: bool) -> bool:
    """Whether the user wants it sent. Raises PengadilError where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise PengadilError(
            "the question whether to send it", "there is no terminal to ask", "Add --yes."
        )
    return input("Send it? [y/N] ").strip().lower() in ("y", "yes", "ya")


def send(service: Service, kernel: Kernel, runs: Path) -> Push:
    """Push a kernel and remember it. Raises PengadilError if Kaggle refuses it."""
    with tempfile.TemporaryDirectory(prefix="pengadil-kaggle-") as folder:
        kernel.write(Path(folder))
        sent = service.push(Path(folder), kernel.seconds)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    push = Push(kernel.metadata["id"], sent.version, sent.url, when, kernel.settings)
    remember(runs, push)
    _check_sources(push, sent.unknown)
    return push


def _check_sources(push: Push, unknown: Sequence[str]) -> None:
    own = push.kernel in unknown
    if unknown:
        raise PengadilError(
            push.label,
            f"was sent, but Kaggle does not know {', '.join(unknown)}, so the run will lack it",
            f"Cancel it at {push.url}"
            + (
                ", and go on in another kernel: python kaggle/resume.py --name NAME."
                if own
                else ", look at the name and whether you may read it, and push again."
            ),
        )
