"""When local models may work on what is not urgent."""

from __future__ import annotations

from datetime import datetime, time

LAST_CALL = 3600.0
"""Seconds before its deadline at which a request is worked on, night or not."""


def minutes(text: str) -> time:
    """Of "HH:MM"."""
    hour, minute = text.split(":")
    return time(int(hour), int(minute))


def is_night(now: datetime, begin: time, end: time) -> bool:
    """Whether the local time lies between both, over midnight too; equal: always."""
    at = now.time()
    if begin == end:
        return True
    return begin <= at < end if begin < end else at >= begin or at < end
