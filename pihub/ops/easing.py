"""How much work the machine may take: less while it suffers, more again as it recovers.

Additive increase, multiplicative decrease (Chiu and Jain 1989): halve at once, give back
an eighth a calm round. Hysteresis: between "calm" and "suffering" the share stays.
"""

from __future__ import annotations

from enum import IntEnum

from pihub.ops.machine import Reading

WHOLE = 1000
"""The share is in thousandths of the configured limit."""
LEAST = 125
STEP = 125
SUFFERS_MEMORY = 20.0
SUFFERS_MEMORY_FULL = 5.0
CALM_MEMORY = 5.0
"""Percent of the last ten seconds in which some (all) processes waited for memory."""
COOLER = 5.0
"""Degrees below `hot` at which a hot machine counts as cool again."""


class Cause(IntEnum):
    """Why the share is what it is; numbers are written to the arena."""

    NONE = 0
    UNDER_VOLTAGE = 1
    THROTTLED = 2
    HOT = 3
    MEMORY = 4
    RECOVERING = 5


WORDS = {
    Cause.NONE: "",
    Cause.UNDER_VOLTAGE: "under-voltage: use the power supply made for this board",
    Cause.THROTTLED: "the firmware throttles the processor",
    Cause.HOT: "too hot",
    Cause.MEMORY: "processes wait for memory",
    Cause.RECOVERING: "recovering",
}


def ease(share: int, reading: Reading, hot: float) -> tuple[int, Cause]:
    """The next share and its cause, from the last share and a new reading."""
    cause = _suffering(reading, hot)
    if cause is not Cause.NONE:
        return max(LEAST, share // 2), cause
    if share >= WHOLE:
        return WHOLE, Cause.NONE
    calm = (reading.memory_some or 0.0) < CALM_MEMORY
    cool = reading.temperature is None or reading.temperature < hot - COOLER
    if not (calm and cool):
        return share, Cause.RECOVERING
    share = min(WHOLE, share + STEP)
    return share, Cause.NONE if share == WHOLE else Cause.RECOVERING


def _suffering(reading: Reading, hot: float) -> Cause:
    if reading.under_voltage:
        return Cause.UNDER_VOLTAGE
    if reading.throttled:
        return Cause.THROTTLED
    if reading.temperature is not None and reading.temperature >= hot:
        return Cause.HOT
    full = reading.memory_full or 0.0
    if (reading.memory_some or 0.0) >= SUFFERS_MEMORY or full >= SUFFERS_MEMORY_FULL:
        return Cause.MEMORY
    return Cause.NONE
