"""Cache-Control and its kin, parsed (RFC 9111 section 5.2, RFC 5861)."""

from __future__ import annotations

import re
from typing import Final

from pihub.domain.ports import Headers
from pihub.gateway.api.headers import field

_DIRECTIVE = re.compile(
    r"""\s*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?\s*(?:,|$)"""
)
_DIGITS = re.compile(r"[0-9]+")
_FOREVER: Final = 2**31
"""RFC 9111 section 1.2.2: what larger numbers count as."""


class Directives:
    """The directives of one message. Seconds are None if not said."""

    __slots__ = ("_values",)

    def __init__(self, headers: Headers) -> None:
        self._values: dict[str, str] = {}
        text = field(headers, "cache-control")
        if text:
            for name, quoted, plain in _DIRECTIVE.findall(text):
                # Of two equal directives the first counts (RFC 9111 section 4.2.1).
                self._values.setdefault(name.lower(), quoted or plain)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __bool__(self) -> bool:
        return bool(self._values)

    def seconds(self, name: str) -> int | None:
        """A directive's delta-seconds; 0, so already over, if it is not a number."""
        value = self._values.get(name)
        if value is None:
            return None
        if not _DIGITS.fullmatch(value):
            return 0
        return min(int(value[:12]), _FOREVER)

    def bare(self, name: str) -> bool:
        """Said, and without a value."""
        return self._values.get(name) == ""
