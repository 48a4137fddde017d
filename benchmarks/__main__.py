"""`python -m benchmarks [NAME ...]`: without a name, all of them."""

from __future__ import annotations

import argparse
import importlib
import sys

NAMES = ("core", "gateway", "prompts", "recorder")
LONG = ("ledger", "store", "streams", "suite", "webhooks")
"""Run only when named: they take minutes."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join((*NAMES, *LONG)))
    parser.add_argument("--json", metavar="FILE", help="also write the figures as JSON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16, help="of the load, at once")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    parser.add_argument(
        "--requests", type=int, default=5_000_000, help="of the store; of the ledger 10,000"
    )
    parser.add_argument("--events", type=int, default=50_000, help="of the webhooks' torture")
    parser.add_argument("--rate", type=float, default=500.0, help="of those, a second")
    parser.add_argument("--full", action="store_true", help="of the suite: half an hour")
    parser.add_argument("--out", default="dist/bench", help="folder of the suite's report")
    parser.add_argument("--baseline", default="", metavar="FILE", help="a result.json to compare")
    parser.add_argument("--rate-open", type=float, default=200.0, help="the suite's requests/s")
    args = parser.parse_args()
    worst = 0
    for name in args.names or NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        worst = max(worst, module.run(args))
    return worst


if __name__ == "__main__":
    sys.exit(main())
