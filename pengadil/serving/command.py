"""The service from the command line: its options, its port, and how it starts and ends."""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import sys
from importlib.util import find_spec

from pengadil.errors import PengadilError
from pengadil.judges.base import MODES, SCORE
from pengadil.judges.options import MODEL_HELP, add_judge_options
from pengadil.serving.keys import LOCAL, Keys
from pengadil.serving.limits import MEGABYTE, Limits

HOST, PORT, MOST_PORT = LOCAL[0], 8000, 65535
# What is being answered when the service is stopped may go on for so long.
END_SECONDS = 10
# Connections that may wait to be taken, as uvicorn has it.
WAITING = 2048


def add_options(parser: argparse.ArgumentParser) -> None:
    """Everything that `run` reads."""
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument("--host", default=HOST, help=f"default: {HOST}; any other needs a key")
    parser.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}; 0: a free one")
    parser.add_argument("--prompt", metavar="NAME", help="default: the one it was trained with")
    parser.add_argument("--mode", choices=MODES, default=SCORE, help="default: score")
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="P",
        help="a sentence is supported from this probability on (default: the one chosen on "
        "validation data, where there is one)",
    )
    batches = parser.add_argument_group("batches")
    batches.add_argument("--batch", type=int, default=32, metavar="ROWS", help="default: 32")
    batches.add_argument(
        "--wait-ms", type=float, default=5, metavar="MS", help="for others to come; default: 5"
    )
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--at-once", type=int, default=64, metavar="N", help="requests in work; default: 64"
    )
    limits.add_argument(
        "--per-minute",
        type=float,
        default=600,
        metavar="N",
        help="of a client; default: 600; 0: any",
    )
    limits.add_argument(
        "--deadline", type=float, default=60, metavar="SECONDS", help="of a request; default: 60"
    )
    limits.add_argument(
        "--most-mb", type=float, default=10, metavar="MB", help="of a request; default: 10"
    )
    limits.add_argument(
        "--most-rows", type=int, default=2000, metavar="ROWS", help="of a request; default: 2000"
    )
    add_judge_options(parser)


def run(options: argparse.Namespace) -> None:
    """Open the judge and answer until Ctrl-C or SIGTERM.

    Raises PengadilError, before the model is loaded, for options that cannot be, a port that is
    taken, or a host that other machines reach without a key.
    """
    from pengadil.guard.thresholds import level_of
    from pengadil.judges.opening import judge_prompt
    from pengadil.judges.options import open_chosen

    limits = chosen_limits(options)
    keys = Keys.of_environment(options.host)
    need_server()
    prompt = judge_prompt(options.model, options.prompt)
    level_of(options.threshold, options.model, prompt, options.mode)
    with bound(options.host, options.port) as listening:
        judge = open_chosen(options)
        from pengadil.serving.app import make_app
        from pengadil.serving.service import Service

        service = Service(
            judge,
            prompt,
            options.mode,
            threshold=options.threshold,
            named=options.model,
            batch=options.batch,
            wait=options.wait_ms / 1000,
        )
        serve(make_app(service, limits, keys), listening, judge.name)


def chosen_limits(options: argparse.Namespace) -> Limits:
    """The limits of these options; PengadilError for those that let nothing through."""
    for name, least in (
        *(("batch", 1), ("at_once", 1), ("most_rows", 1)),
        *(("wait_ms", 0), ("per_minute", 0), ("deadline", 0.1), ("most_mb", 0.001)),
    ):
        if not getattr(options, name) >= least:
            raise PengadilError(
                f"--{name.replace('_', '-')} {getattr(options, name)}",
                "too little",
                f"Give {least} or more.",
            )
    if options.cut:
        raise PengadilError(
            "--cut", "not for the service", "Leave it out: long documents are judged in parts."
        )
    return Limits(
        body=int(options.most_mb * MEGABYTE),
        rows=options.most_rows,
        seconds=options.deadline,
        at_once=options.at_once,
        per_minute=options.per_minute,
    )


def need_server() -> None:
    """PengadilError where what the service needs is not installed."""
    for library in ("fastapi", "prometheus_client", "uvicorn"):
        if find_spec(library) is None:
            raise PengadilError(
                f"the library {library}",
                "it is not installed",
                "Run: python -m pip install -r requirements-app.txt",
            )


def bound(host: str, port: int) -> socket.socket:
    """A socket at that address, not yet listening; PengadilError where there can be none."""
    where = f"--host {host} --port {port}"
    listening: socket.socket | None = None
    try:
        if not 0 <= port <= MOST_PORT:  # it would be taken modulo that
            raise OverflowError(f"ports go from 0 to {MOST_PORT}")
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        if sys.platform != "win32":  # there it would let two services have the same port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except (OSError, OverflowError) as error:
        if listening:
            listening.close()
        raise PengadilError(
            where,
            f"the service cannot listen there ({getattr(error, 'strerror', None) or error})",
            "Give a free port with --port, or 0 for any, and an address of this machine.",
        ) from None
    return listening


def serve(app: object, listening: socket.socket, name: str) -> None:
    """Answer at that socket until Ctrl-C or SIGTERM; what is in work is finished first."""
    import uvicorn

    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    if host not in LOCAL:
        print(
            "Other machines can ask. Requests and texts go over the network unencrypted: put a "
            "server with TLS in front.",
            file=sys.stderr,
        )
    listening.listen(WAITING)  # who asks from now on is answered
    print(f"{name} judges at http://{shown}:{port} until Ctrl-C.", file=sys.stderr, flush=True)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=END_SECONDS,
    )
    # Uvicorn ends well on both and then raises them again, for whoever handled them before.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run(sockets=[listening])
    print("stopped", file=sys.stderr)
