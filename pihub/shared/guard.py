"""A first look at what stands in a URL, before any upstream sees it.

Only what no honest client sends: control bytes, encoded or not, and encoded dots that
climb. Built once before fork; one pass of the core's matcher a check, no allocation.
RAM: a few kB.
"""

from __future__ import annotations

from pihub._core.matcher import Matcher
from pihub.errors import InputRefused

IN_PATH = (b"%00", b"%0a", b"%0d", b"%2e%2e", b"%2e.", b".%2e", b"%5c..", b"..%5c", b"%c0%ae")
"""%c0%ae is an overlong dot (RFC 3629 section 10)."""
IN_QUERY = (b"%00",)


class Guard:
    """Refuses targets (path and query as they came over the wire)."""

    def __init__(self) -> None:
        self._path = Matcher(IN_PATH)
        self._query = Matcher(IN_QUERY)

    def check(self, path: str, query: str) -> None:
        """Raises InputRefused; says where, not what."""
        for where, text, matcher in (("path", path, self._path), ("query", query, self._query)):
            raw = text.encode("latin-1", "replace")
            if matcher.control(raw) or matcher.first(raw) >= 0:
                raise InputRefused(
                    f"the {where} holds a control character or a hidden climb", param=where
                )
