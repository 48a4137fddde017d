"""Which configuration a command uses, and reading it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pihub.cli import exits

if TYPE_CHECKING:
    from pihub.settings.loaded import Loaded

VARIABLE = "PIHUB_CONFIG"
PLACES = ("pihub.toml", "/etc/pihub/pihub.toml")
STATE = ".pihub"
"""Where a hub without configuration keeps its files, below the current folder."""


def add_config(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """The option that every command which needs settings has.

    `again`: of an action below a command that has it, too; either place will do.
    """
    parser.add_argument(
        "--config",
        metavar="FILE",
        default=argparse.SUPPRESS if again else None,
        help=f"the TOML file (default: ${VARIABLE}, then {', then '.join(PLACES)}, then none)",
    )


def find(given: str | None, environ: Mapping[str, str]) -> Path | None:
    """The file to read; None if nothing is configured anywhere."""
    named = given or environ.get(VARIABLE)
    if named:
        return Path(named)
    return next((Path(place) for place in PLACES if os.path.exists(place)), None)


def read(args: argparse.Namespace, *, quiet: bool = False) -> Loaded:
    """The settings of this command; raises Failure with every fault.

    Warnings go to stderr unless `quiet`.
    """
    from pihub.errors import ConfigError
    from pihub.settings.load import load

    try:
        loaded = load(find(args.config, os.environ), os.environ, state_dir=Path(STATE))
    except ConfigError as error:
        raise exits.Failure(error.message) from None
    if not quiet:
        for warning in loaded.warnings:
            print(f"warning: {warning}", file=sys.stderr)
    return loaded
