"""Send a recipe to Kaggle, to be trained, evaluated and exported there on a free GPU.

    python kaggle/push.py --recipe malaysian-mistral-v3 --accelerator NvidiaTeslaT4
    python kaggle/push.py --recipe smoke --accelerator none --follow
    python kaggle/push.py --recipe smoke --train.epochs 2 --dry-run
    python kaggle/push.py --recipe qwen-rewrite-epoch --in-parts --yes
    python kaggle/push.py --recipe malaysian-mistral-v3 --internet off --wheels me/wheels \\
        --model-source me/mistral/transformers/7b/1 --data-source me/boolq-malay

Sends the working tree as it is, without tests, benchmarks and what git ignores, inside one private
script; nothing goes anywhere else. Any field of the recipe can be overridden by its name. What
will be sent is shown first, and only sent after a yes. The account is that of KAGGLE_API_TOKEN, of
KAGGLE_USERNAME and KAGGLE_KEY, or of the files in ~/.kaggle. docs/kaggle.md goes through it all.
Then: python kaggle/status.py, pull.py and resume.py, which need no arguments.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pengadil.errors import BAD_INPUT, PengadilError, run_script

if TYPE_CHECKING:
    from pengadil.recipe import Recipe
    from pengadil.remote.accelerators import Accelerator
    from pengadil.remote.service import Service

ROOT = Path(__file__).resolve().parent.parent


def make_parser() -> argparse.ArgumentParser:
    from pengadil.remote.accelerators import ACCELERATORS

    usable = ", ".join(name for name, found in ACCELERATORS.items() if not found.refused)
    parser = argparse.ArgumentParser(
        usage="%(prog)s --recipe RECIPE [--FIELD VALUE ...] [options]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--recipe", required=True, help="a name in recipes/, or a TOML file here")
    parser.add_argument(
        "--accelerator", default="NvidiaTeslaT4", metavar="NAME", help=f"one of {usable}"
    )
    parser.add_argument("--name", help="the kernel's; default: pengadil- and the recipe's")
    parser.add_argument("--max-hours", type=float, default=11.5, metavar="HOURS")
    parser.add_argument(
        "--in-parts", action="store_true", help="send it even if one session is too short for it"
    )
    parser.add_argument("--internet", choices=("on", "off"), default="on")
    parser.add_argument("--wheels", metavar="OWNER/DATASET", help="from kaggle/wheels.py")
    parser.add_argument(
        "--model-source", metavar="SOURCE", help="owner/model/framework/variation/version"
    )
    parser.add_argument(
        "--data-source", action="append", default=[], metavar="OWNER/DATASET", help="again for more"
    )
    parser.add_argument("--no-plan", action="store_true", help="do not work out whether it fits")
    parser.add_argument("--dry-run", action="store_true", help="show it and send nothing")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep what is sent there too")
    parser.add_argument("--yes", action="store_true", help="send without asking")
    parser.add_argument("--follow", action="store_true", help="watch it until it ends")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options, overrides = make_parser().parse_known_args(arguments)

    from pengadil.recipe import load_recipe
    from pengadil.remote import limits, metadata
    from pengadil.remote.accelerators import find_accelerator
    from pengadil.remote.following import watch
    from pengadil.remote.sending import agreed, build, description, send
    from pengadil.remote.service import connect
    from pengadil.remote.source import Settings
    from pengadil.verbs import shown

    sys.stdout.reconfigure(errors="replace")
    accelerator = find_accelerator(options.accelerator)
    recipe = load_recipe(options.recipe, overrides)
    settings = Settings(
        name=metadata.check_name(options.name)
        if options.name
        else metadata.kernel_name(options.recipe),
        recipe=name_in_tree(options.recipe),
        arguments=tuple(overrides),
        accelerator=accelerator.name,
        max_hours=limits.check_hours(options.max_hours),
        internet=options.internet == "on",
        quant=",".join(recipe.export.quant),
        wheels=metadata.check_dataset(options.wheels, "--wheels") if options.wheels else None,
        model=metadata.check_model(options.model_source) if options.model_source else None,
        data=tuple(metadata.check_dataset(name, "--data-source") for name in options.data_source),
    )
    limits.check_offline(recipe, settings)
    service = connect_or_none() if options.dry_run else connect()
    kernel = build(ROOT, service.account if service else "ACCOUNT", settings)
    limits.check_files(recipe, settings, kernel.names)
    if settings.recipe.endswith(".toml") and settings.recipe not in kernel.names:
        raise PengadilError(
            settings.recipe, "would not be sent", "Copy it to recipes/; git must not ignore it."
        )
    notes = [] if options.no_plan else planned(options, overrides, recipe, accelerator)
    quota = service.gpu_hours() if service and accelerator.is_gpu else None
    for line in description(kernel, quota):
        print(line)
    for note in notes:
        print(f"plan         {note}")
    if service:
        show_running(service, kernel.metadata["id"])
    if options.keep:
        kernel.write(options.keep)
        print(f"kept in      {options.keep}")
    if options.dry_run:
        print("nothing was sent")
        return 0
    if not agreed(options.yes):
        print("nothing was sent")
        return BAD_INPUT
    push = send(service, kernel, options.runs)
    print(f"sent         {push.label}: {push.url}")
    if not options.follow:
        print(shown("next: python kaggle/status.py --follow, then python kaggle/pull.py"))
        return 0
    return watch(service, push.kernel)


def name_in_tree(recipe: str) -> str:
    """The recipe as the sent tree knows it: its name, or its path from the root."""
    from pengadil.folders import find
    from pengadil.remote import layout

    inside = layout.name_in_tree(find("recipes", recipe), ROOT)
    if inside is None:
        raise PengadilError(recipe, "lies outside of what is sent", "Copy it to recipes/.")
    folder, _, name = inside.rpartition("/")
    return name.removesuffix(".toml") if folder == "recipes" else inside


def connect_or_none() -> Service | None:
    """The account, where there is one: a dry run needs none."""
    from pengadil.remote.service import connect

    try:
        return connect()
    except PengadilError as error:
        print(f"account      none: {error.found}: {error.wrong}")
        return None


def planned(
    options: argparse.Namespace,
    overrides: Sequence[str],
    recipe: Recipe,
    accelerator: Accelerator,
) -> list[str]:
    """What scripts/plan.py finds of this recipe there. Raises PengadilError if it cannot run."""
    from pengadil.planning.gpus import NONE
    from pengadil.remote.limits import check_plan

    if accelerator.is_gpu and not accelerator.plan:
        return [f"none: the memory of {accelerator.label} is not known here"]
    with tempfile.TemporaryDirectory(prefix="pengadil-plan-") as folder:
        file = Path(folder) / "plan.json"
        command = [sys.executable, str(ROOT / "scripts" / "plan.py"), options.recipe]
        command += [*overrides, "--gpu", accelerator.plan or NONE, "--json", str(file)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
        if not file.is_file():
            said = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
            return [f"none could be made ({said.removeprefix('error: ')})"]
        plan: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return check_plan(plan, accelerator, options.max_hours, options.in_parts, recipe.export.quant)


def show_running(service: Service, kernel: str) -> None:
    """Say so if a version of the same kernel has not ended."""
    state = service.state_or_none(kernel)
    if state and not state.ended:
        print(f"note         an earlier version is {state.name}: it goes on beside this one, and")
        print("             its output can no longer be pulled once this one has begun")


if __name__ == "__main__":
    run_script(main)
