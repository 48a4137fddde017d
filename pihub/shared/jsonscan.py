"""Spans of a JSON object's members, found by the core without parsing the values."""

from __future__ import annotations

from pihub._core.jsonscan import members, replace

__all__ = ["members", "replace"]
