"""A duration in one byte, for records that have few: a power of two in eighths.

From 1 microsecond to an hour, each step 9 % longer than the one before, so a duration is at
most 4.5 % off. 0: none.
"""

from __future__ import annotations

from math import log2

_STEPS = 8
_MOST = 255
_LEAST = 1_000_000


def brief(microseconds: int) -> int:
    """The byte of a duration; 0 for less than a microsecond, 255 for an hour and more."""
    if microseconds < 1:
        return 0
    return min(_MOST, round(_STEPS * log2(microseconds)) + 1)


def wait(nanoseconds: int) -> int:
    """The byte of a time that something was waited for: less than a millisecond is no wait,
    but the hub's own work."""
    return brief(nanoseconds // 1000) if nanoseconds >= _LEAST else 0


def microseconds(byte: int) -> int:
    """About the duration that `brief` was given."""
    return round(2 ** ((byte - 1) / _STEPS)) if byte > 0 else 0
