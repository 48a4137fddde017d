"""Check the configuration and say every fault at once, with file and line.

`--preflight` also imports the whole program and builds the hub without serving: a
reload runs it first, so that it fails there and not in the running hub.
"""

from __future__ import annotations

import argparse

from pihub.cli import configuration, exits

EXAMPLE = """Examples:
  pihub check
  pihub check --security
  pihub check --config /etc/pihub/pihub.toml --preflight"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    configuration.add_config(parser)
    parser.add_argument(
        "--security", action="store_true", help="say what is weak, and grade it A to F"
    )
    parser.add_argument("--preflight", action="store_true", help="also import and build everything")


def run(args: argparse.Namespace) -> int:
    loaded = configuration.read(args)
    if args.security:
        from pihub.cli.posture import report

        return report(loaded)
    if args.preflight:
        from pihub.cli.preflight import build

        build(loaded)
    where = loaded.source or ("the environment" if not loaded.demo else "nothing (demo)")
    settings = loaded.settings
    print(
        f"OK: {where} (upstreams: {len(settings.upstreams)}, models: {len(settings.models)}, "
        f"APIs: {len(settings.apis)}, warnings: {len(loaded.warnings)})"
    )
    return exits.OK
