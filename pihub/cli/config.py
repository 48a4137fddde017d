"""Print the effective configuration, each value with where it comes from.

The output is a valid pihub.toml; keys and passwords are never part of it.
"""

from __future__ import annotations

import argparse
import sys

from pihub.cli import configuration, exits

EXAMPLE = """Examples:
  pihub config
  PIHUB_SERVER__LISTEN=0.0.0.0:8080 pihub config --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    configuration.add_config(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    loaded = configuration.read(args, quiet=args.json)
    from pihub.settings.show import as_json, as_toml

    if args.json:
        import json

        print(json.dumps(as_json(loaded), indent=2, ensure_ascii=False))
    else:
        sys.stdout.write(as_toml(loaded))
    return exits.OK
