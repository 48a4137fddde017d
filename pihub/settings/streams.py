"""[streams]: how streams are watched and paced."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pihub.settings.section import Positive, Seconds, Section


class Streams(Section, frozen=True):
    coalesce_ms: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 40
    """How long tokens may be gathered under load; 0: never."""
    coalesce_from: Positive = 16
    """Open streams of a worker from which on they are."""
    linger: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 10.0
    """Seconds that a paid stream goes on after its client left, for a repeat of the request
    to join it; 0: every answer ends with its client."""
    ping: Annotated[float, msgspec.Meta(ge=0, le=600)] = 10.0
    """Silence, in seconds, after which a client that waits for a local model's first token
    gets the head of its stream and then a ping each time; 0: never."""
    stall: Seconds = 5.0
    """A gap between two pieces that counts as a stall."""
