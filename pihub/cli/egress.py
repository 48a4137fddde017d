"""What left the hub in a day: hosts, requests, bytes; and whether a kept report is genuine."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pihub.cli import configuration, exits

EXAMPLE = """Examples:
  pihub egress show
  pihub egress show --day 2026-01-31 --json > report.json
  pihub egress verify report.json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="the report of a day, from the running hub")
    show.add_argument("--day", default="", help="UTC, such as 2026-01-31 (default: today)")
    show.add_argument("--json", action="store_true", help="signed, for verify")
    configuration.add_config(show)
    verify = actions.add_parser("verify", help="whether a report is as this hub made it")
    verify.add_argument("file", help="what show --json or the admin API gave")
    configuration.add_config(verify)


def run(args: argparse.Namespace) -> int:
    return _show(args) if args.action == "show" else _verify(args)


def _show(args: argparse.Namespace) -> int:
    from urllib.parse import quote

    from pihub.cli.control_client import NotRunning, call
    from pihub.settings.paths import run_dir

    loaded = configuration.read(args, quiet=True)
    socket = run_dir(loaded.settings) / "control.sock"
    try:
        signed = call(socket, "GET", f"/egress?day={quote(args.day)}" if args.day else "/egress")
    except NotRunning:
        raise exits.Failure("the hub does not run: start it, or look into the audit log",
                            exits.UNREACHABLE) from None  # fmt: skip
    if args.json:
        print(json.dumps(signed, indent=1))
        return exits.OK
    report = signed["report"]
    print(f"{report['day']} (UTC){'' if report['complete'] else ', so far'}")
    for one in report["hosts"]:
        where = "outside" if one["outside"] else "local"
        print(
            f"  {one['host']:32} {where:8} {one['requests']:8} requests"
            f" {one['bytes_sent']:12} bytes sent {one['bytes_received']:12} received"
        )
    if not report["hosts"]:
        print("  nothing left the hub")
    for one in report["uncounted"]:
        where = "outside" if one["outside"] else "local"
        print(f"  {one['host']:32} {where:8} not counted: {one['what']}")
    print(f"  of local-only keys to the outside: {report['local_only_requests_outside']} requests")
    return exits.OK


def _verify(args: argparse.Namespace) -> int:
    from pihub.security.egress import genuine
    from pihub.security.pepper import derived, load_pepper
    from pihub.settings.paths import database

    loaded = configuration.read(args, quiet=True)
    try:
        signed = json.loads(Path(args.file).read_text())
    except (OSError, ValueError) as error:
        raise exits.Failure(f"{args.file} cannot be read as a report: {error}") from None
    secret = derived(load_pepper(database(loaded.settings).parent), "egress")
    good = genuine(secret, signed)
    print("OK: as this hub made it" if good else "BROKEN: changed, or of another hub")
    return exits.OK if good else exits.FAILED
