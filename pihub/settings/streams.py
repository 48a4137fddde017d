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
    stall: Seconds = 5.0
    """A gap between two pieces that counts as a stall."""
