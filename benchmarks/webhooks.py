"""The torture of webhooks in full: 50,000 events at 500 a second, every process killed at
random, the disk full for a while, the subscriber away for a while.

Sound means: every acknowledged event was delivered, none twice by its key, each object's in
order. `--events` and `--rate` make it smaller.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path

from tests.system.hub import Upstreams
from tests.system.torture import Plan, Torture


def run(args: argparse.Namespace) -> int:
    seconds = args.events / args.rate
    plan = Plan(
        events=args.events, rate=args.rate, objects=2000, senders=32,
        kills=max(2, int(seconds / 5)), arbiter_kills=max(1, int(seconds / 50)),
        full=(seconds * 0.2, seconds * 0.3), away=(seconds * 0.5, seconds * 0.65),
        patience=180.0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, Upstreams() as upstreams:
        report = Torture(plan, Path(folder), upstreams).run()
    found = dataclasses.asdict(report)
    print(
        f"webhooks: {report.acknowledged} events acknowledged in {report.seconds:.0f} s "
        f"({report.refused} requests refused and sent again, slowest answer "
        f"{report.slowest_ack_ms:.0f} ms), delivered {report.drained:.1f} s later; "
        f"killed: {report.kills}; repeated under their key: {report.repeated}; "
        f"lost {report.lost}, twice {report.twice}, objects out of order {report.disordered}"
    )
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=1))
    return 0 if report.sound and report.acknowledged == plan.events else 1
