"""Keeps CPython's data-stack chunks: half of a Python request's CPU under greenlets."""

from __future__ import annotations

from pihub._core.stackpool import install as _install


def install(blocks: int = 512) -> bool:
    """Once in each worker before it serves; RAM at most blocks x 16 KiB (8 MiB)."""
    return _install(blocks)
