"""Which targets want an event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from pihub.settings.alerts import OWN_SOURCE
from pihub.settings.schema import Settings


class Wish(NamedTuple):
    """One target's."""

    target: str
    sources: tuple[str, ...]
    """Empty: all but the hub's own, which must be named."""
    types: tuple[str, ...]
    """Patterns such as `contact.*`; empty: all."""

    def wants(self, source: str, kind: str) -> bool:
        named = source in self.sources or (not self.sources and source != OWN_SOURCE)
        return named and (
            not self.types or any(fnmatchcase(kind, pattern) for pattern in self.types)
        )


def wishes(settings: Settings) -> list[Wish]:
    """Of all subscribers and actions."""
    every: Iterable[tuple[str, Sequence[str], Sequence[str]]] = [
        *((name, one.sources, one.types) for name, one in settings.subscribers.items()),
        *((name, one.sources, one.types) for name, one in settings.actions.items()),
    ]
    return [Wish(name, tuple(sources), tuple(types)) for name, sources, types in every]


class Routes:
    """Targets by source and type. RAM: the answers of MOST types are remembered."""

    MOST = 1024

    def __init__(self, wished: Iterable[Wish]) -> None:
        self._wishes = tuple(wished)
        self._known: dict[tuple[str, str], tuple[str, ...]] = {}

    def of(self, source: str, kind: str) -> tuple[str, ...]:
        found = self._known.get((source, kind))
        if found is None:
            found = tuple(one.target for one in self._wishes if one.wants(source, kind))
            if len(self._known) < self.MOST:
                self._known[source, kind] = found
        return found
