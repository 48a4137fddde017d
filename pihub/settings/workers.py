"""How many processes the data plane has."""

from __future__ import annotations

import os
from typing import NamedTuple

from pihub.settings.schema import Settings

MOST = 4
"""For workers = "auto": a Pi has four cores; more is asked for by a number."""


class Bounds(NamedTuple):
    """Least and most workers; equal where the number is fixed."""

    least: int
    most: int


def bounds(settings: Settings) -> Bounds:
    """What is configured; "auto" is one a usable core, at most four, or follows the load
    between min_workers (else one) and max_workers where that is given."""
    server = settings.server
    if server.workers != "auto":
        return Bounds(server.workers, server.workers)
    if server.max_workers:
        return Bounds(max(1, min(server.min_workers, server.max_workers)), server.max_workers)
    fixed = max(1, server.min_workers, min(MOST, len(os.sched_getaffinity(0))))
    return Bounds(fixed, fixed)


def worker_count(settings: Settings) -> int:
    """The most workers that there may be: what the arena has room for."""
    return bounds(settings).most
