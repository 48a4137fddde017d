"""`pihub COMMAND`: reads the command line and calls the command's file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from pihub import __version__
from pihub.cli import exits

COMMANDS = {
    "init": "write a pihub.toml that fits this machine",
    "serve": "run the hub",
    "check": "check the configuration, all faults at once",
    "config": "print the effective configuration and where each value comes from",
    "keys": "create, list and revoke API keys",
    "admin": "create and list users of the dashboard, reset a password",
    "audit": "check that the audit log is whole",
    "egress": "what left the hub in a day, signed",
    "edge": "write the configuration of a TLS proxy",
    "budgets": "set and watch limits of money",
    "prices": "show, check and update the price table",
    "offline": "say or show whether the hub is offline",
    "route": "explain how the hub routes a prompt",
    "doctor": "check this machine and say what to do",
    "top": "watch the running hub",
    "demo": "run the simulated upstreams alone",
}
"""In the order of `--help`; each is a module of this package."""


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """The command line; only `command`'s own options are loaded."""
    made = argparse.ArgumentParser(
        prog="pihub",
        description="One small box in front of every API and model.",
        epilog=f"Example:\n  pihub serve\n\n{exits.HELP}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"pihub {__version__}")
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, words in COMMANDS.items():
        if name == command:
            module = import_module(f"pihub.cli.{name}")
            sub = commands.add_parser(
                name,
                help=words,
                description=module.__doc__,
                epilog=f"{module.EXAMPLE}\n\n{exits.HELP}",
                formatter_class=argparse.RawDescriptionHelpFormatter,
            )
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
        else:
            commands.add_parser(name, help=words, add_help=False)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code (see `pihub.cli.exits`)."""
    words = list(sys.argv[1:] if argv is None else argv)
    command = next((word for word in words if word in COMMANDS), None)
    args = parser(command).parse_args(words)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone; nothing more can be said on stdout.
        sys.stdout = None
        return exits.OK
    except exits.Failure as failure:
        print(f"pihub {command}: {failure}", file=sys.stderr)
        return failure.code
    return code
