"""The fixtures of parts.py."""

from __future__ import annotations

from tests.gateway.parts import make

__all__ = ["make"]
