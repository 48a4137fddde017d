"""The offline mode: by itself while nothing outside is reached, or by hand.

While it is on, cloud models are answered from kept answers, by local models, or later
(x-pihub-offline: queue), and nobody waits for a connection that cannot be made.
"""

from __future__ import annotations

import argparse
import json

from pihub.cli import configuration, exits
from pihub.cli.control_client import NotRunning, call

EXAMPLE = """Examples:
  pihub offline                          # is it, and since when
  pihub offline on --minutes 120         # no call leaves the house for two hours
  pihub offline auto                     # by what is reached (the default)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("mode", nargs="?", choices=("on", "off", "auto"), help="what to do")
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="for so long (default: until changed)"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    configuration.add_config(parser)


def run(args: argparse.Namespace) -> int:
    from pihub.settings.paths import run_dir

    socket = run_dir(configuration.read(args, quiet=True).settings) / "control.sock"
    try:
        if args.mode is None:
            found = call(socket, "GET", "/offline")
        else:
            wanted = {"mode": args.mode, "minutes": args.minutes}
            found = call(socket, "PUT", "/offline", wanted)
    except NotRunning:
        raise exits.Failure(
            "no hub is running here: start it with `pihub serve`", exits.UNREACHABLE
        ) from None
    print(json.dumps(found) if args.json else found["text"])
    return exits.OK
