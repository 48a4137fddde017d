"""Check this machine and say what to do: memory, storage, power, clock, Ollama.

Exit code 4 if something must be mended, 0 if there are only hints.
"""

from __future__ import annotations

import argparse
import json

from pihub.cli import configuration, exits

MARKS = {"ok": "ok  ", "hint": "hint", "bad": "BAD "}

EXAMPLE = """Examples:
  pihub doctor
  pihub doctor --config /etc/pihub/pihub.toml --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    configuration.add_config(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    from pihub.ops import checkup

    loaded = configuration.read(args, quiet=True)
    findings = checkup.examine(loaded.settings)
    bad = any(one.level == "bad" for one in findings)
    if args.json:
        print(json.dumps([one._asdict() for one in findings], indent=1))
        return exits.FAILED if bad else exits.OK
    for one in findings:
        print(f"{MARKS[one.level]}  {one.what:<12} {one.found}")
        if one.advice:
            print(f"{'':18} -> {one.advice}")
    return exits.FAILED if bad else exits.OK
