"""The core's scanner: what stands before every request, and what judges bodies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pihub._core.matcher import Literals as Keywords
from pihub._core.scanner import CLASSES, PLACES, Gate, Scanner

Found = tuple[int, str, str, str, str, int]
"""Points (1 to 100), class, rule, place, field (at most 40 bytes), offset in the decoded value."""
WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
__all__ = ["CLASSES", "PLACES", "WSGI", "Found", "Gate", "Keywords", "Scanner"]
