"""Judge, chat, guard and review in a browser, on this machine: in Malay and English.

    python scripts/app.py
    python scripts/app.py runs/latest judge-q8_0.gguf --open
    python scripts/app.py runs/latest smollm2-135m --language en --port 8000
    python scripts/app.py endpoint:NAME --base-url http://127.0.0.1:8080/v1

The page is at http://127.0.0.1:7860 (or another port, where that is taken: it is printed), for
this machine only. Models are loaded when first used; the --keep last used stay in memory. --share
and --host let others in, and need a password in PENGADIL_APP_PASSWORD (user name: pengadil).
Nothing is sent anywhere by itself.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pengadil.errors import run_script


def make_parser() -> argparse.ArgumentParser:
    from pengadil.app.options import add_app_options
    from pengadil.judges.options import MODEL_HELP

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "models",
        metavar="MODEL",
        nargs="*",
        default=["runs/latest"],
        help=f"{MODEL_HELP}; or http://HOST:PORT/v1 (default: runs/latest)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="FOLDER",
        help="whose results the Review tab offers (default: results)",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="SHARE",
        help="the Guard's, from 0 to 1 (default: the one chosen on validation data)",
    )
    add_app_options(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int | None:
    options = make_parser().parse_args(arguments)

    from pengadil.app.access import access
    from pengadil.app.launch import check_installed, serve
    from pengadil.app.options import context_of

    # What is wrong is told before Gradio or a model is loaded, which takes seconds.
    check_installed()
    asked = access(options.host, options.port, options.share)
    serve(context_of(options), asked, options.open)
    return None


if __name__ == "__main__":
    run_script(main)
