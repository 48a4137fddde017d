"""The hub's scanner and what it is compared with, behind one question: is this refused?"""

from __future__ import annotations

import re
from typing import Protocol
from urllib.parse import unquote_to_bytes

from benchmarks.scanner.data import environ
from pihub.security.scanner.judge import body_kind, place_of
from pihub.security.scanner.keywords import load
from pihub.settings.scanner import Scanner as Settings
from pihub.shared.scanning import Scanner

DEFAULTS = Settings()


class Engine(Protocol):
    name: str

    def refuses(self, text: bytes, place: str, encoded: bool) -> bool: ...


def threshold(place: str) -> int:
    """Points from which the mode `block` refuses."""
    if place == "json":
        return DEFAULTS.body_at
    return DEFAULTS.header_at if place == "header" else DEFAULTS.block_at


class Hub:
    """Ours. Prompts are asked as query text: what would happen without the policy."""

    name = "pihub"

    def __init__(self) -> None:
        self.core = Scanner(load(), bytes(32))

    def points(self, text: bytes, place: str, encoded: bool) -> int:
        found = self.core.value(text, "query" if place == "prompt" else place, encoded)
        return 0 if found is None else found[0]

    def refuses(self, text: bytes, place: str, encoded: bool) -> bool:
        return self.points(text, place, encoded) >= threshold(place)

    def request(self, raw: bytes) -> tuple[int, int, int]:
        """Of a whole request: points over the threshold's share, in percent, of what stands in
        the head, in a form, in another body."""
        env, content_type, body = environ(raw)
        head = self.core.request(env)
        shares = [0, 0, 0]
        if head is not None:
            shares[0] = head[0] * 100 // threshold("query" if head[3] == "key" else head[3])
        kind = body_kind(content_type) if body else ""
        if kind:
            place = place_of(kind)
            found, _, _ = self.core.body(body, kind, place)
            if found is not None:
                shares[1 if place == "form" else 2] = found[0] * 100 // threshold(place)
        return shares[0], shares[1], shares[2]


PATTERNS = (
    r"\b(select|insert|update|delete|drop|union|alter|create|exec)\b",
    r"\b(or|and)\b\s+['\"]?\w+['\"]?\s*=\s*['\"]?\w+",
    r"--|#|/\*|\*/",
    r"union\s+(all\s+)?select",
    r"(sleep|benchmark|waitfor|load_file)\s*[( ]",
    r"<\s*script",
    r"javascript\s*:",
    r"\bon\w+\s*=",
    r"<\s*(iframe|object|embed|svg|img)[^>]*",
    r"\.\.[/\\]",
    r"(/etc/passwd|boot\.ini|win\.ini)",
    r"[;|&]\s*(cat|ls|id|whoami|wget|curl|nc|bash|sh)\b",
    r"\$\([^)]*\)|`[^`]*`",
    r"\$(where|ne|gt|lt|regex)\b",
    r"\{\{.*\}\}|\$\{.*\}",
)
"""Fifteen as they stand in web frameworks' middleware."""


def plain(text: bytes, encoded: bool) -> bytes:
    """Decoded once, as a framework hands a value to its middleware."""
    return unquote_to_bytes(text.replace(b"+", b" ")) if encoded else text


class Regexes:
    name = "15 regexes"

    def __init__(self) -> None:
        self._all = [re.compile(p.encode(), re.IGNORECASE) for p in PATTERNS]

    def refuses(self, text: bytes, place: str, encoded: bool) -> bool:
        decoded = plain(text, encoded)
        return any(pattern.search(decoded) for pattern in self._all)
