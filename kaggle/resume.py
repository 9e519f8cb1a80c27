"""Go on with a training on Kaggle that one session was too short for.

    python kaggle/resume.py
    python kaggle/resume.py --follow
    python kaggle/resume.py me/pengadil-smoke --max-hours 6

Pushes a new version of the same kernel, with today's working tree and the settings of the last
push, which takes the last version's output as its input and goes on from its last checkpoint.
Without KERNEL it is the one that was pushed last from here (runs/kaggle.json). With --name it is
another kernel that goes on, and the last one's output stays where it is.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pengadil.errors import BAD_INPUT, PengadilError, run_script

if TYPE_CHECKING:
    from pengadil.remote.service import Service

ROOT = Path(__file__).resolve().parent.parent


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("kernel", nargs="?", default="", metavar="KERNEL", help="owner/name")
    parser.add_argument("--accelerator", metavar="NAME", help="default: as before")
    parser.add_argument("--name", help="push another kernel that goes on; default: the same one")
    parser.add_argument("--max-hours", type=float, metavar="HOURS", help="default: as before")
    parser.add_argument("--dry-run", action="store_true", help="show it and send nothing")
    parser.add_argument("--yes", action="store_true", help="send without asking")
    parser.add_argument("--follow", action="store_true", help="watch it until it ends")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = make_parser().parse_args(arguments)

    from pengadil.remote.accelerators import find_accelerator
    from pengadil.remote.following import watch
    from pengadil.remote.limits import check_hours
    from pengadil.remote.metadata import check_name
    from pengadil.remote.pushed import last_pushed
    from pengadil.remote.sending import agreed, build, description, send
    from pengadil.remote.service import connect
    from pengadil.verbs import shown

    sys.stdout.reconfigure(errors="replace")
    last = last_pushed(options.runs, options.kernel)
    accelerator = options.accelerator or last.settings.accelerator
    settings = replace(
        last.settings,
        name=check_name(options.name) if options.name else last.settings.name,
        accelerator=find_accelerator(accelerator).name,
        max_hours=check_hours(options.max_hours or last.settings.max_hours),
        resume_from=last.kernel,
    )
    service = connect()
    check_unfinished(service, last.kernel)
    kernel = build(ROOT, last.kernel.partition("/")[0], settings)
    for line in description(kernel, service.gpu_hours()):
        print(line)
    if options.dry_run or not agreed(options.yes):
        print("nothing was sent")
        return 0 if options.dry_run else BAD_INPUT
    push = send(service, kernel, options.runs)
    print(f"sent         {push.label}: {push.url}")
    if options.follow:
        return watch(service, push.kernel)
    print(shown("next: python kaggle/status.py --follow, then python kaggle/pull.py"))
    return 0


def check_unfinished(service: Service, kernel: str) -> None:
    """Raises PengadilError unless the kernel has ended and left something to go on with."""
    from pengadil.remote.pulling import fetch_manifest, output_files

    state = service.state(kernel)
    if not state.ended:
        raise PengadilError(
            kernel,
            f"is {state.name}, so there is nothing to go on from yet",
            "Wait for it: python kaggle/status.py --follow",
        )
    with tempfile.TemporaryDirectory(prefix="pengadil-resume-") as folder:
        manifest = fetch_manifest(service, output_files(service, kernel), kernel, Path(folder))
    if manifest["state"] == "done":
        raise PengadilError(kernel, "has done all of it", "Fetch it: python kaggle/pull.py")
    if not manifest.get("run"):
        raise PengadilError(
            kernel,
            f"ended before training began ({manifest.get('reason') or 'it does not say why'})",
            "Mend that and push again: python kaggle/push.py",
        )


if __name__ == "__main__":
    run_script(main)
