"""The ledger under torture: requests, client drops, killed workers, faults of upstreams; then
its sum is compared with what the simulated upstreams say they made (tests/system/ledger.py).

`--requests` sets how many (10,000 unless given).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path

from tests.system.hub import Upstreams
from tests.system.ledger import Plan, Torture

REQUESTS = 10_000


def run(args: argparse.Namespace) -> int:
    count = args.requests if args.requests < 1_000_000 else REQUESTS
    plan = Plan(requests=count, kills=max(3, count // 500))
    with tempfile.TemporaryDirectory() as folder, Upstreams() as upstreams:
        report = Torture(plan, Path(folder), upstreams).run()
    off = report.cut_ledger_nano / max(1, report.cut_upstream_nano)
    print(
        f"ledger: {report.requests} requests in {report.seconds:.0f} s, {report.calls} calls of"
        f" upstreams; {report.dropped} clients left early, {report.kills} workers were killed,"
        f" {report.faults} faults injected"
    )
    print(
        f"  {report.exact} requests whose calls ended: ledger {report.exact_ledger_nano / 1e9:.7f}"
        f" USD, upstreams {report.exact_upstream_nano / 1e9:.7f} USD"
    )
    print(
        f"  {report.cut} cut in the middle, estimated: ledger {report.cut_ledger_nano / 1e9:.7f}"
        f" USD, upstreams {report.cut_upstream_nano / 1e9:.7f} USD (x {off:.2f})"
    )
    print(
        f"  {report.unsent} calls of killed workers that never arrived, counted with"
        f" {report.unsent_nano / 1e9:.7f} USD; without a row {report.missing}, twice"
        f" {report.twice}, wrong {len(report.wrong)},"
        f" budget counter off by {report.counters_off_nano} nano-USD"
    )
    for line in report.wrong:
        print(f"  {line}")
    if args.json:
        Path(args.json).write_text(json.dumps(dataclasses.asdict(report), indent=1))
    return 0 if report.sound else 1
