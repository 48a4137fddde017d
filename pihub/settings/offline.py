"""[offline]: what happens while nothing outside is reached."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pihub.settings.section import Positive, Seconds, Section


class Offline(Section, frozen=True):
    mode: Literal["auto", "on", "off"] = "auto"
    """auto: by what is reached; on and off: always. `pihub offline` goes before."""
    probe: Seconds = 5.0
    """Between two looks at the upstreams outside while it is in doubt whether one is reached."""
    failures: Positive = 3
    """Looks in a row in which none is reached, until the hub counts as offline."""
    successes: Positive = 2
    """Looks in a row in which one is, until it no longer does."""
    retry_after: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 30
    """Seconds that a refused client is told to wait."""
    keep: Annotated[float, msgspec.Meta(ge=60, le=604800)] = 86400.0
    """Seconds for which a queued request is worth an answer."""
