"""The cache for operators: what lies in it, what it did, and how to purge it.

    desk = CacheDesk(state, study)
    desk.purge_key(look, tenant)      # the kept answer and each rendered form of it
    desk.purge_tag("assistant")       # all answers of a model or an API, by its name
    desk.purge_tenant(7)
    desk.purge_all()

For the control process: the walks take milliseconds, which a worker's event loop has not.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pihub.domain.whynot import WhyNot
from pihub.insight.cache_study import CacheStudy
from pihub.shared.answers import group
from pihub.shared.cachepages import CachePages, Fill
from pihub.shared.metrics import Route, why_column
from pihub.shared.semantic import Seen, SemanticBook
from pihub.shared.state import SharedState

WALK_EVERY = 2.0
"""Seconds for which a walk over the cache is remembered, however many look."""


class Unkept(NamedTuple):
    """How often one route had one reason, since the arena was made."""

    route: Route
    why: WhyNot
    requests: int


class StaleEntry(NamedTuple):
    """Past its freshness, but still there for a failing upstream. Seconds and bytes."""

    past: int
    left: int
    tenant: int
    tag: str
    bytes: int


class SemanticUse(NamedTuple):
    """A model that has the semantic cache `on` or in the `shadow`, and what was seen of it."""

    model: str
    mode: str
    threshold: float
    seen: Seen


class CacheDesk:
    """Any thread may call it."""

    def __init__(
        self,
        state: SharedState,
        study: CacheStudy,
        semantic: Mapping[str, tuple[str, float]] = MappingProxyType({}),
    ) -> None:
        """`semantic`: mode and threshold by model, of those where it is not off."""
        self._semantic = semantic
        self._book = SemanticBook(state)
        self._state = state
        self._pages = CachePages(state.cache)
        self.study = study
        self._walked = float("-inf")
        self._tenants: dict[int, Fill] = {}
        self._tags: dict[int, Fill] = {}

    def fill(self) -> dict[str, int]:
        return self._pages.fill()

    def by_tenant(self) -> dict[int, Fill]:
        self._walk()
        return self._tenants

    def by_tag(self) -> dict[str, Fill]:
        """By the name of the model or API; "" are entries without one."""
        self._walk()
        return {self.name(number): fill for number, fill in self._tags.items()}

    def unkept(self) -> list[Unkept]:
        """Why requests were not answered from the cache or not kept: the most frequent first."""
        found = [
            Unkept(route, why, self._state.routes.total(why_column(route, why)))
            for route in Route
            for why in WhyNot
            if why
        ]
        return sorted((one for one in found if one.requests), key=lambda one: -one.requests)

    def semantic(self) -> list[SemanticUse]:
        return [
            SemanticUse(model, mode, threshold, self._book.seen(model))
            for model, (mode, threshold) in self._semantic.items()
        ]

    def stale(self, limit: int, tenant: int | None = None) -> list[StaleEntry]:
        """The oldest first; of one tenant, if it is named."""
        return [
            StaleEntry(past, left, owner, self.name(tag), size)
            for past, left, owner, tag, size, _ in self._state.cache.stale(limit)
            if tenant in (None, owner)
        ]

    def name(self, number: int) -> str:
        return self._state.names.lookup(number)

    def purge_key(self, look: int, tenant: int) -> int:
        """`look`: as a hot key has it. How many entries went; seldom one of another key that
        shares its 16 bits. Raises TimeoutError if a part of the cache stayed locked."""
        return self._state.cache.sweep(tenant, group(look))

    def purge_tag(self, name: str) -> bool:
        """False: no answer was ever kept under this name."""
        names = self._state.names
        for number in range(1, len(names) + 1):
            if names.lookup(number) == name:
                self._pages.purge_tag(number)
                self._walked = float("-inf")
                return True
        return False

    def purge_tenant(self, tenant: int) -> None:
        self._pages.purge_tenant(tenant)
        self._walked = float("-inf")

    def purge_all(self) -> None:
        self._pages.purge_all()
        self._walked = float("-inf")

    def _walk(self) -> None:
        now = time.monotonic()
        if now - self._walked >= WALK_EVERY:
            self._tenants, self._tags = self._pages.by_tenant(), self._pages.by_tag()
            self._walked = now
