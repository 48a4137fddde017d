"""How many processes the data plane has."""

from __future__ import annotations

import os

from pihub.settings.schema import Settings

MOST = 4
"""For workers = "auto": a Pi has four cores; more is asked for by a number."""


def worker_count(settings: Settings) -> int:
    """What is configured; "auto" is one a usable core, at most four."""
    configured = settings.server.workers
    if configured == "auto":
        return max(1, min(MOST, len(os.sched_getaffinity(0))))
    return configured
