"""Faults of a configuration: collected, placed, sorted, told all at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pihub.errors import ConfigError

Path = tuple[str, ...]
"""Where a value stands: ("upstreams", "claude", "url")."""

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def dotted(path: Path) -> str:
    """As TOML writes it: parts that are no bare keys are quoted."""
    return ".".join(part if part and set(part) <= _BARE else f'"{part}"' for part in path)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean "listen"?)`, or nothing when nothing is near."""
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f' (did you mean "{near[0]}"?)' if near else ""


@dataclass(frozen=True)
class Fault:
    """`origin` is `file:line`, `env NAME` or empty."""

    origin: str
    path: Path
    text: str

    def line(self) -> str:
        place = f"{self.origin}: " if self.origin else ""
        name = f"{dotted(self.path)}: " if self.path else ""
        return f"{place}{name}{self.text}"


class Faults:
    """The faults found so far and the warnings, each with the origin of its value."""

    def __init__(self, origins: Mapping[Path, str], order: Sequence[str] = ()) -> None:
        self.origins = origins
        self.found: list[Fault] = []
        self.warnings: list[str] = []
        self._order = order

    def origin(self, path: Path) -> str:
        """Of the value, or of the nearest table around it."""
        while path:
            if path in self.origins:
                return self.origins[path]
            path = path[:-1]
        return ""

    def add(self, path: Path, text: str) -> None:
        self.found.append(Fault(self.origin(path), path, text))

    def warn(self, path: Path, text: str) -> None:
        self.warnings.append(Fault(self.origin(path), path, text).line())

    def at(self, path: Path) -> bool:
        """Whether the value, or what stands around or in it, has a fault already."""
        return any(
            fault.path
            and (fault.path[: len(path)] == path or path[: len(fault.path)] == fault.path)
            for fault in self.found
        )

    def raise_if_any(self) -> None:
        """Raises ConfigError with one line a fault, in the file's order."""
        if self.found:
            raise ConfigError(message(self.found))


def message(found: Sequence[Fault]) -> str:
    """The text of a ConfigError."""
    unique = list(dict.fromkeys(found))
    unique.sort(key=lambda fault: _key(fault.origin))
    count = "1 fault" if len(unique) == 1 else f"{len(unique)} faults"
    lines = "\n".join("  " + fault.line() for fault in unique)
    return f"The configuration has {count}:\n{lines}"


def _key(origin: str) -> tuple[int, str, int]:
    name, _, line = origin.rpartition(":")
    return (0, name, int(line)) if line.isdigit() else (1, origin, 0)
