"""Earlier texts of the configuration, kept beside the database: newest MOST, mode 0600."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from pihub.errors import NotFound

MOST = 30
"""Versions that are kept; on the disk at most 30 x 256 KiB, no RAM."""
FOLDER = "config-versions"


class Version(NamedTuple):
    """One text that was in force, or was asked for."""

    number: int
    at: int
    """Unix seconds."""
    by: str
    note: str
    bytes: int


class Versions:
    """A folder of `NUMBER.toml` with an index."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER

    def all(self) -> list[Version]:
        """Newest first."""
        return sorted(self._index(), reverse=True)

    def text(self, number: int) -> str:
        """Raises NotFound."""
        if number not in {one.number for one in self._index()}:
            raise NotFound(f"there is no version {number} of the configuration")
        return (self._folder / f"{number}.toml").read_text(encoding="utf-8")

    def last(self) -> str | None:
        """The newest text; None before the first."""
        known = self.all()
        return self.text(known[0].number) if known else None

    def add(self, text: str, at: int, by: str, note: str) -> Version:
        """On the disk when this returns; what is too many is deleted. Raises OSError."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        known = sorted(self._index())
        number = known[-1].number + 1 if known else 1
        made = Version(number, at, by, note, len(text.encode()))
        write_file(self._folder / f"{number}.toml", text.encode(), 0o600)
        kept = [*known, made][-MOST:]
        data = json.dumps([one._asdict() for one in kept]).encode()
        write_file(self._folder / "index.json", data, 0o600)
        for one in known[: max(0, len(known) + 1 - MOST)]:
            (self._folder / f"{one.number}.toml").unlink(missing_ok=True)
        return made

    def _index(self) -> list[Version]:
        try:
            found = json.loads((self._folder / "index.json").read_bytes())
            return [Version(**one) for one in found]
        except FileNotFoundError:
            return []


def write_file(path: Path, data: bytes, mode: int) -> None:
    """Whole or not at all, and on the disk when this returns. Raises OSError.

    Where the folder may not be written but the file may, it is written in place.
    """
    if not os.access(path.parent, os.W_OK):
        with path.open("r+b") as file:
            file.write(data)
            file.truncate()
            os.fsync(file.fileno())
        return
    fresh = path.with_name(f".{path.name}.new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(fd, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
