"""Spans of a JSON object's members and a text's depth, found by the core without parsing."""

from __future__ import annotations

from pihub._core.jsonscan import measure, members, replace

__all__ = ["measure", "members", "replace"]
