"""Check that the audit log is whole: no row changed, left out or put in between.

The end of a log can be cut off without a trace in it: note the head that is printed,
and give it back with --head the next time.
"""

from __future__ import annotations

import argparse
import json

from pihub.cli import configuration, exits

EXAMPLE = """Examples:
  pihub audit verify
  pihub audit verify --head 812:9f2c..."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    verify = actions.add_parser("verify", help="walk the whole log")
    verify.add_argument("--head", default="", help="what an earlier run printed")
    verify.add_argument("--json", action="store_true", help="for programs")
    configuration.add_config(verify)


def run(args: argparse.Namespace) -> int:
    from pihub.cli.admin import open_files

    loaded = configuration.read(args, quiet=True)
    control = open_files(loaded.settings)
    try:
        found = control.audit.verify()
        kept = not args.head or control.audit.holds(args.head)
    finally:
        control.close()
    whole = not found.broken and kept
    if args.json:
        print(json.dumps({**found._asdict(), "head_kept": kept, "whole": whole}))
    elif found.broken:
        print(f"BROKEN: row {found.broken} does not fit the rows before it")
    elif not kept:
        print("BROKEN: the earlier head is no longer in the log: its end was cut off or rewritten")
    else:
        print(f"OK: {found.rows} rows\nhead {found.head}")
    return exits.OK if whole else exits.FAILED
