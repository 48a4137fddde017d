"""What fits a machine: workers, cache and limits by its memory and cores.

The figures follow from what a worker costs (about 15 MB, and 30 KiB a request in flight)
and leave at least half of the memory to others: a local model wants it all.
"""

from __future__ import annotations

from dataclasses import dataclass

from pihub.ops.machine import Machine

MB = 1 << 20


@dataclass(frozen=True)
class Preset:
    """Values for pihub.toml; sizes as they are written there."""

    name: str
    max_workers: int
    cache: str
    body: str
    answer: str
    streams: int
    connections: int
    write_budget: str


_BY_MEMORY = (
    (640 * MB, "512 MB", 2, "16MB", "4MB", "16MB", 64, 256),
    (1280 * MB, "1 GB", 2, "32MB", "10MB", "32MB", 128, 512),
    (2560 * MB, "2 GB", 3, "64MB", "10MB", "64MB", 256, 1024),
    (5120 * MB, "4 GB", 4, "128MB", "10MB", "64MB", 512, 1024),
    (1 << 62, "8 GB or more", 4, "256MB", "10MB", "64MB", 512, 1024),
)
"""Memory up to which the row holds (a part of a Pi's is the GPU's), then the preset."""


def preset(machine: Machine, storage: str = "") -> Preset:
    """The preset for a machine whose database lies on `storage` (device_kind's words)."""
    for most, name, workers, cache, body, answer, streams, connections in _BY_MEMORY:
        if machine.memory <= most:
            return Preset(
                name=name,
                max_workers=max(1, min(workers, machine.cores)),
                cache=cache,
                body=body,
                answer=answer,
                streams=streams,
                connections=connections,
                # A card of 32 GB endures some 10 to 30 TB: ten years at this rate take 2.
                write_budget="500MB" if storage in ("SD card", "") else "5GB",
            )
    raise AssertionError("the last row holds every machine")
