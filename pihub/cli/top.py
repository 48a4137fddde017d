"""Watch the running hub: workers, requests a second, percentiles, hit rate, breakers.

Reads the hub's shared memory directly, read-only: it works when the control process
is down, and costs the hub nothing.
"""

from __future__ import annotations

import argparse
import json
import select
import sys
import time
from typing import TYPE_CHECKING, Any

from pihub.cli import configuration, exits

if TYPE_CHECKING:
    from pathlib import Path

    from pihub.cli.attach import RunningHub

EXAMPLE = """Examples:
  pihub top
  pihub top --once
  pihub top --json | jq .hit_rate"""

HOME_AND_CLEAR = "\x1b[H\x1b[J"
_COLOURS = {"closed": "32", "half-open": "33", "open": "31"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    configuration.add_config(parser)
    parser.add_argument("--once", action="store_true", help="one picture, then end")
    parser.add_argument("--json", action="store_true", help="one reading for programs, then end")
    parser.add_argument(
        "--every", type=float, default=1.0, metavar="S", help="seconds between pictures (1)"
    )


def run(args: argparse.Namespace) -> int:
    from pihub.cli.attach import attach
    from pihub.settings.paths import run_dir

    folder = run_dir(configuration.read(args, quiet=True).settings)
    hub = attach(folder)
    if args.json or args.once or not sys.stdout.isatty():
        reading = _pair(hub)
        print(json.dumps(reading, indent=2) if args.json else picture(reading, colour=False))
        return exits.OK
    return _watch(folder, hub, max(0.1, args.every))


def _pair(hub: RunningHub) -> dict[str, Any]:
    """Two readings, a moment apart, so that there is a rate."""
    from pihub.cli.reading import Readings

    readings = Readings(hub)
    readings.take()
    select.select([], [], [], 0.5)
    return readings.take()


def _watch(folder: Path, hub: RunningHub, every: float) -> int:
    from pihub.cli.attach import attach, still
    from pihub.cli.reading import Readings

    readings = Readings(hub)
    while True:
        if not still(folder, hub):
            hub = attach(folder)  # a restart or a reload made a new arena
            readings = Readings(hub)
        clock = time.strftime("%H:%M:%S")
        sys.stdout.write(f"{HOME_AND_CLEAR}{picture(readings.take())}\n\n{clock}, Ctrl-C ends\n")
        sys.stdout.flush()
        select.select([], [], [], every)


def picture(reading: dict[str, Any], *, colour: bool = True) -> str:
    """The reading as lines of text."""
    recent = reading["latency_recent_ms"] or reading["latency_ms"]
    rate = reading["hit_rate"]
    cache = reading["cache"]
    lines = [
        f"pihub at {reading['listen']}, process {reading['pid']}",
        "",
        f"requests   {reading['requests_per_s']:>10.1f} /s    {reading['requests']:,} in all, "
        f"{reading['errors']:,} errors, {reading['refused']:,} refused",
        f"latency    {recent['p50']:>10.1f} ms p50   {recent['p95']:.1f} p95   "
        f"{recent['p99']:.1f} p99",
        f"hit rate   {'-' if rate is None else f'{rate:.1%}':>10}       "
        f"{cache.get('entries', 0):,} entries, {_size(cache.get('bytes', 0))} of "
        f"{_size(cache.get('capacity', 0))}",
        f"streams    {reading['streams_open']:>10} open    {reading['in_flight']} in flight, "
        f"{reading['fallbacks']:,} fallbacks",
        f"cost       {reading['cost_usd']:>10.4f} $       {reading['saved_usd']:.4f} $ saved",
        "",
        f"{'UPSTREAM':<20}{'BREAKER':<12}{'OK':>8}{'FAILED':>8}{'CALLS':>10}{'TIMEOUTS':>10}",
    ]
    for name, one in reading["breakers"].items():
        state = f"{one['state']:<12}"
        if colour:
            state = f"\x1b[{_COLOURS.get(one['state'], '0')}m{state}\x1b[0m"
        lines.append(
            f"{name[:19]:<20}{state}{one['ok']:>8}{one['failed']:>8}{one['calls']:>10}"
            f"{one['timeouts']:>10}"
        )
    lines += ["", f"{'PROCESS':<12}{'PID':>8}{'REQUESTS':>12}{'STREAMS':>9}{'BEAT':>10}"]
    for one in reading["processes"]:
        beat = "gone" if not one["alive"] else f"{one['heartbeat_age_ms'] / 1000:.1f} s"
        name = one["role"] if one["role"] == "control" else f"worker {one['slot']}"
        lines.append(
            f"{name:<12}{one['pid']:>8}{one['requests']:>12,}{one['streams_open']:>9}{beat:>10}"
            + ("  late" if one["late"] else "")
        )
    return "\n".join(lines)


def _size(count: int) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024  # type: ignore[assignment]
    return f"{count:.1f} GB"
