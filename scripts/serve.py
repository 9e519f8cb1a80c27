"""Judge statements and check answers for other programs, over HTTP on this machine.

    python scripts/serve.py runs/latest
    python scripts/serve.py judge-q8_0.gguf --port 8001 --batch 16
    python scripts/serve.py smollm2-135m --port 0 --wait-ms 0

POST /v1/judge takes {"document": ..., "statement": ...} or a list of such, POST /v1/check takes
{"answer": ..., "documents": ...}; GET /health, /metrics and /openapi.json tell about the service.
What comes in at the same time is judged together. docs/serving.md has examples.

The key that requests need comes from PENGADIL_API_KEY (several: separated by commas). Without one,
only this machine may ask.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pengadil.errors import run_script


def make_parser() -> argparse.ArgumentParser:
    from pengadil.serving.command import add_options

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)

    from pengadil.serving.command import run

    run(options)


if __name__ == "__main__":
    run_script(main)
