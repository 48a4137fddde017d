"""The core's multi-literal matcher."""

from __future__ import annotations

from pihub._core.matcher import Matcher

__all__ = ["Matcher"]
