"""`[limits]`: how much one client may send, hold open, and take its time for."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pihub.settings.section import Positive, Section

Patience = Annotated[int, msgspec.Meta(ge=1, le=120)]
"""Whole seconds; the event loop's wheel of timers turns once in 128 s."""


class Limits(Section, frozen=True):
    body: str = "10MB"
    """Of a request, undone of its content coding."""
    header: str = "32KB"
    """All fields of a request together; of an upstream's answer, too."""
    json_depth: Annotated[int, msgspec.Meta(ge=4, le=512)] = 64
    json_values: Annotated[int, msgspec.Meta(ge=100, le=10_000_000)] = 200_000
    """Of a body that the hub reads. RAM: about 100 bytes a value."""
    requests_per_minute: Positive = 6000
    """Per key."""
    burst: Positive = 600
    streams_per_worker: Positive = 512
    streams_per_key: Positive = 256
    """Open at once, in all workers."""
    connections_per_source: Annotated[int, msgspec.Meta(ge=0, le=65536)] = 512
    """Per worker and address (IPv6: /64), but for trusted proxies; 0: no limit."""
    head_seconds: Patience = 15
    """For a request's head, from its first byte."""
    body_seconds: Patience = 20
    """For a body, plus a second a KiB."""
    write_seconds: Patience = 60
    """For a client to take the next bytes of an answer."""
    answer: str = "64MB"
    """The largest upstream answer that is held in memory."""
