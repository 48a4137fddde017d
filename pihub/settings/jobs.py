"""[jobs]: requests that may take their time (`x-pihub-deadline`)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pihub.settings.section import Positive, Seconds, Section

Clock = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class Jobs(Section, frozen=True):
    enabled: bool = True
    gather: Seconds = 30.0
    """How long requests are gathered for one batch of the vendor."""
    batch_size: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 500
    poll: Seconds = 60.0
    """Between two looks at a batch that is being worked on."""
    night_from: Clock = "23:00"
    """Local models work on deferred requests from then on, one at a time, in local time."""
    night_to: Clock = "06:00"
    most: Positive = 10_000
    """Requests of one tenant that may wait."""
    keep_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 7
    """How long results can be fetched."""
    attempts: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
    """How often a request that an upstream failed is tried."""
