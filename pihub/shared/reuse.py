"""Reuse distances (see the core's module): what a cache of another size would answer."""

from __future__ import annotations

from pihub._core.reuse import Reuse

__all__ = ["Reuse"]
