"""Run the simulated Ollama, Claude and OpenAI-compatible servers alone.

They speak the real wire formats without any account or model, and can be told to fail.
"""

from __future__ import annotations

import argparse
import os

from pihub.cli import python

EXAMPLE = """Examples:
  pihub demo
  pihub demo --ollama-port 11434 --pace 10
  curl -X POST http://127.0.0.1:PORT/__faults__ -d '{"fault": "F5", "times": 3}'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address (default: 127.0.0.1)")
    for name in ("ollama", "claude", "openai", "control"):
        parser.add_argument(
            f"--{name}-port",
            type=int,
            default=0,
            metavar="N",
            help=f"port of {name}; 0 (default): any free one, -1: none",
        )
    parser.add_argument(
        "--pace", type=float, default=30.0, metavar="N", help="tokens a second; 0: no wait"
    )
    parser.add_argument(
        "--machine",
        choices=("instant", "pi"),
        default="instant",
        help="what Ollama runs on: instant loads and answers all at once, pi loads models, "
        "keeps them and answers one request at a time",
    )
    parser.add_argument(
        "--first-token", type=float, default=0.0, metavar="S", help="seconds before the first"
    )


def run(args: argparse.Namespace) -> int:
    """Replaces this process: the simulators share no module with the hub."""
    words = [*python.module("pihub.demo"), "--host", args.host]
    words += ["--machine", args.machine]
    words += ["--pace", str(args.pace), "--first-token", str(args.first_token)]
    for name in ("ollama", "claude", "openai", "control"):
        words += [f"--{name}-port", str(getattr(args, f"{name}_port"))]
    os.execv(words[0], words)  # noqa: S606 - no shell is wanted
