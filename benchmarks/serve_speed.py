"""Requests a second of scripts/serve.py, and how long the slowest wait: batched and one by one.

    python benchmarks/serve_speed.py runs/latest --json serve.json
    python benchmarks/serve_speed.py smollm2-135m --clients 1 8 32 --turns 5
    python benchmarks/serve_speed.py judge-q8_0.gguf --threads 1
    python benchmarks/serve_speed.py smollm2-135m --quick

Two services of the same model, in processes of their own on 127.0.0.1: `batched` as it is by
default, `one by one` with --batch 1. They take turns: clients ask one of them, each its next
statement when it has the answer to the last, while the other has nothing to do. Rows are those of
a test slice, a document a row; both get the same. A ratio is that of one turn.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError, run_script

BATCHED, SINGLE = "batched", "one by one"
FASTER, SOONER = "times the requests a second", "times the 95th percentile of the seconds"
QUICK = {"clients": [1, 4], "requests": 8, "turns": 1}


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL", help="as scripts/serve.py takes it")
    parser.add_argument("--slice", default="contoh-sederhana", help="default: %(default)s")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the slice's file is")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32], metavar="N")
    parser.add_argument(
        "--requests", type=int, default=64, help="most in a turn (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=30, help="most of a turn (default: %(default)s)"
    )
    parser.add_argument("--turns", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=32, help="rows (default: %(default)s)")
    parser.add_argument("--wait-ms", type=float, default=5, help="default: %(default)s")
    parser.add_argument("--threads", type=int, help="of a .gguf (default: all cores)")
    parser.add_argument("--quick", action="store_true", help="8 requests of 1 and of 4 clients")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the ratios there")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    if options.quick:
        vars(options).update(QUICK)
    from serve_contenders import Service
    from workers import write

    from pengadil.data.slices import load_slice
    from pengadil.folders import find

    if min(*options.clients, options.requests, options.turns) < 1:
        raise PengadilError(
            "--clients, --requests, --turns", "one is below 1", "Give 1 or more of each."
        )
    test = load_slice(options.slice, find("eval", "slices"), options.data)
    print(f"{options.model}, rows of {test.title}, {options.turns} turns of {options.requests}")
    services: list[Service] = []
    try:
        for name, words in contenders(options).items():
            print(f"  starting {name}", file=sys.stderr)
            services.append(Service(name, words))
        turns = raced(services, test.examples, options)
    finally:
        for service in services:
            service.stop()
    show(turns)
    ratios = compared(turns)
    if options.json:
        facts = {
            "model": options.model,
            "rows": test.title,
            "turns": options.turns,
            "requests": options.requests,
            "batch": options.batch,
            "wait_ms": options.wait_ms,
            "services": figures(turns),
        }
        write(options.json, {**ratios, **facts})


def contenders(options: argparse.Namespace) -> dict[str, list[str]]:
    """The command line of each service; none of its limits is reached."""
    common = [options.model, "--per-minute", "0", "--deadline", "600"]
    common += ["--at-once", str(max(options.clients) + 1)]
    if options.threads:
        common += ["--threads", str(options.threads)]
    wait = ["--wait-ms", str(options.wait_ms)]
    return {
        BATCHED: [*common, "--batch", str(options.batch), *wait],
        SINGLE: [*common, "--batch", "1", "--wait-ms", "0"],
    }


def raced(
    services: Sequence[Any], rows: Sequence[Any], options: argparse.Namespace
) -> dict[int, dict[str, list[dict[str, Any]]]]:
    """By clients and service, what came of each turn; another service is first in each."""
    from serve_contenders import turn

    for service in services:  # memory is taken before it is timed
        turn(service, rows[: max(options.clients)], max(options.clients), options.seconds)
    turns: dict[int, dict[str, list[dict[str, Any]]]] = {}
    for number in range(options.turns):
        start = number * options.requests % len(rows)
        some = (list(rows) * (options.requests // len(rows) + 2))[start : start + options.requests]
        for clients in options.clients:
            order = services if number % 2 == 0 else services[::-1]
            for service in order:
                done = turn(service, some, clients, options.seconds)
                by_name = turns.setdefault(clients, {one.name: [] for one in services})
                by_name[service.name].append(done)
                print(
                    f"  turn {number + 1}, {clients} clients, {service.name}: "
                    f"{done['requests']} in {done['seconds']:.1f} s",
                    file=sys.stderr,
                )
    return turns


def figures(turns: dict[int, dict[str, list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """Of each service and number of clients: what all turns together come to."""
    from serve_contenders import percentile

    found = []
    for clients, by_name in turns.items():
        for name, done in by_name.items():
            latencies = [seconds for each in done for seconds in each["latencies"]]
            requests, seconds, calls, rows = (
                sum(each[key] for each in done) for key in ("requests", "seconds", "calls", "rows")
            )
            found.append(
                {
                    "service": name,
                    "clients": clients,
                    "requests": requests,
                    "requests_per_second": requests / seconds,
                    "median_seconds": percentile(latencies, 0.5),
                    "p95_seconds": percentile(latencies, 0.95),
                    "rows_per_call": rows / calls,
                }
            )
    return found


def show(turns: dict[int, dict[str, list[dict[str, Any]]]]) -> None:
    """A line for each service and number of clients, and how often both said the same."""
    print(
        f"\n{'service':11} {'clients':>7} {'requests':>9} {'a second':>9} {'median':>8} "
        f"{'95th':>8} {'rows a call':>12}"
    )
    for each in figures(turns):
        print(
            f"{each['service']:11} {each['clients']:7} {each['requests']:9} "
            f"{each['requests_per_second']:9.2f} {each['median_seconds']:6.3f} s "
            f"{each['p95_seconds']:6.3f} s {each['rows_per_call']:12.1f}"
        )
    pairs = [
        (one["verdicts"][row], other["verdicts"][row])
        for by_name in turns.values()
        for one, other in zip(by_name[BATCHED], by_name[SINGLE], strict=True)
        for row in one["verdicts"].keys() & other["verdicts"].keys()
    ]
    print(f"\nthe same verdict from both: {sum(a == b for a, b in pairs)} of {len(pairs)}")


def compared(turns: dict[int, dict[str, list[dict[str, Any]]]]) -> dict[str, dict[str, Any]]:
    """Batched against one by one, as the median of the turns with the lowest and highest."""
    from serve_contenders import percentile
    from workers import spread

    print(f"\n{BATCHED + ' against ' + SINGLE:44} {'median':>7} {'low':>7} {'high':>7}")
    found = {}
    for clients, by_name in turns.items():
        both = list(zip(by_name[BATCHED], by_name[SINGLE], strict=True))
        faster = [
            one["requests"] / one["seconds"] * other["seconds"] / other["requests"]
            for one, other in both
        ]
        waits = [
            percentile(one["latencies"], 0.95) / percentile(other["latencies"], 0.95)
            for one, other in both
        ]
        for what, ratios, unit in (
            ("requests a second", faster, FASTER),
            ("95th percentile", waits, SOONER),
        ):
            pair = spread(ratios, unit)
            name = f"{what}, {clients} client{'s' if clients > 1 else ''}"
            print(f"{name:44} {pair['ratio']:7.2f} {pair['low']:7.2f} {pair['high']:7.2f}")
            found[f"{BATCHED} against {SINGLE}, {name}"] = pair
    return found


if __name__ == "__main__":
    run_script(main)
