"""Which configuration a command uses, and reading it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pihub.cli import exits

if TYPE_CHECKING:
    from pihub.settings.loaded import Loaded

VARIABLE = "PIHUB_CONFIG"
PLACES = ("pihub.toml", "/etc/pihub/pihub.toml")
ENVIRONMENT = "/etc/pihub/environment"
"""What systemd gives to the service whose file is the last of the places (EnvironmentFile)."""
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


def surroundings(file: Path | None, environ: Mapping[str, str]) -> Mapping[str, str]:
    """The variables that stand for `file`: those of this process, and below them, for the
    service's own file, what the service is given. So its secrets need not be typed again
    for each command; a user who may not read them goes on without.
    """
    if file is None or file.absolute() != Path(PLACES[-1]):
        return environ
    try:
        text = Path(ENVIRONMENT).read_text(errors="replace")
    except OSError:
        return environ
    return {**dict(_assignments(text)), **environ}


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    """NAME=value, one a line, the value perhaps in quotes (systemd.exec(5), EnvironmentFile)."""
    for line in map(str.strip, text.splitlines()):
        name, mark, value = line.partition("=")
        if not mark or line[0] in "#;":
            continue
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        yield name.strip(), value


def read(args: argparse.Namespace, *, quiet: bool = False) -> Loaded:
    """The settings of this command; raises Failure with every fault.

    Warnings go to stderr unless `quiet`.
    """
    from pihub.errors import ConfigError
    from pihub.settings.load import load

    file = find(args.config, os.environ)
    try:
        loaded = load(file, surroundings(file, os.environ), state_dir=Path(STATE))
    except ConfigError as error:
        raise exits.Failure(error.message) from None
    if not quiet:
        for warning in loaded.warnings:
            print(f"warning: {warning}", file=sys.stderr)
    return loaded
