"""Print the effective configuration, each value with where it comes from.

The output is a valid pihub.toml; keys and passwords are never part of it.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from pihub.cli import configuration, exits

if TYPE_CHECKING:
    from pihub.settings.loaded import Loaded

EXAMPLE = """Examples:
  pihub config
  pihub config --memory
  PIHUB_SERVER__LISTEN=0.0.0.0:8080 pihub config --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    configuration.add_config(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--memory", action="store_true", help="what the shared arena holds, and its size"
    )


def run(args: argparse.Namespace) -> int:
    loaded = configuration.read(args, quiet=args.json)
    from pihub.settings.show import as_json, as_toml

    if args.memory:
        return _memory(loaded)
    if args.json:
        import json

        print(json.dumps(as_json(loaded), indent=2, ensure_ascii=False))
    else:
        sys.stdout.write(as_toml(loaded))
    return exits.OK


def _memory(loaded: Loaded) -> int:
    """The arena's regions; pages count only once they are touched."""
    from pihub.app import plan

    wanted = plan(loaded.settings)
    regions = wanted.regions()
    for name, size in sorted(regions, key=lambda region: -region[1]):
        print(f"{name:12} {-(-size // 1024):12,} KiB")
    print(f"{'in all':12} {-(-sum(size for _, size in regions) // 1024):12,} KiB")
    print(f"for {wanted.workers} workers ({wanted.slots} slots); touched as it is used")
    return exits.OK
