"""Where the hub keeps its files, derived from the settings."""

from __future__ import annotations

from pathlib import Path

from pihub.settings.addresses import sqlite_path
from pihub.settings.schema import Settings


def database(settings: Settings) -> Path:
    """The SQLite file; raises ValueError if `store.url` is none (the loader checks)."""
    return Path(sqlite_path(settings.store.url))


def run_dir(settings: Settings) -> Path:
    """Sockets, pid file, hub.json: `server.run_dir`, or `run` beside the database; absolute."""
    if settings.server.run_dir:
        return Path(settings.server.run_dir).absolute()
    return (database(settings).parent / "run").absolute()
