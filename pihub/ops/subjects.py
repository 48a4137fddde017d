"""What people call the subject of an alert, beside the number that it is known by."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping

from pihub.store.sqlite import StoreFault

_NUMBER = re.compile(r"\b(key|tenant):(\d+)\b")
FRESH = 30.0
"""Seconds for which names that were looked up hold."""

Names = Callable[[], Mapping[int, str]]
"""By number, all there are. May raise StoreFault."""


class Subjects:
    """`key:1 day` to `key 1 (website) day`, in subjects as in sentences. Any thread may ask."""

    def __init__(
        self, keys: Names, tenants: Names, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = {"key": keys, "tenant": tenants}
        self._clock = clock
        self._known: dict[str, tuple[float, Mapping[int, str]]] = {}

    def __call__(self, text: str) -> str:
        """There is a query only where `text` names somebody, and not each time."""
        return _NUMBER.sub(self._named, text)

    def _named(self, found: re.Match[str]) -> str:
        scope, number = found[1], int(found[2])
        name = self._of(scope).get(number)
        return f"{scope} {number} ({name})" if name else f"{scope} {number}"

    def _of(self, scope: str) -> Mapping[int, str]:
        now = self._clock()
        at, names = self._known.get(scope, (float("-inf"), {}))
        if now - at >= FRESH:
            try:
                names = self._ask[scope]()
            except StoreFault:
                return names  # older ones are better than none, and better than no alert
            self._known[scope] = now, names
        return names
