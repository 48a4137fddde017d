"""When a call is made again: rarely, later each time, and never as a storm."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from pihub.errors import (
    PihubError,
    UpstreamIncomplete,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from pihub.gateway.api.http_date import parse_date
from pihub.upstream.connector import IDEMPOTENT

FIRST: Final = 0.1
LONGEST: Final = 2.0
"""Seconds of back-off: the first at most, any at most."""
PATIENCE: Final = 5.0
"""The longest Retry-After that is waited for; a longer one goes to the client."""
RETRYABLE: Final = frozenset({429, 502, 503, 504})


class RetryBudget:
    """At most one retry for ten requests on average, ten at once; one worker's own.

    A token bucket filled by requests, so that an upstream in trouble gets 10 % more
    load, not a multiple of it.
    """

    __slots__ = ("_tokens",)

    _FILL = 0.1
    _FULL = 10.0

    def __init__(self) -> None:
        self._tokens = self._FULL

    def request(self) -> None:
        """A request came that may need a retry."""
        self._tokens = min(self._FULL, self._tokens + self._FILL)

    def take(self) -> bool:
        """May one retry be made? It is then counted."""
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def backoff(attempt: int, uniform: Callable[[], float] = random.random) -> float:
    """Seconds before retry number `attempt` (from 0): exponential, half of it jitter."""
    ceiling = min(LONGEST, FIRST * float(1 << attempt))
    return ceiling * (0.5 + 0.5 * uniform())


def retryable_error(error: PihubError, method: str) -> bool:
    """May the call be made again after this error?

    If no connection was made the request cannot have been acted on; otherwise only
    idempotent methods. A timer that fired after that is not repeated: it would double
    the client's wait.
    """
    if isinstance(error, UpstreamUnreachable):
        return True
    if isinstance(error, UpstreamTimeout):
        return error.timer == "connect"
    return isinstance(error, UpstreamIncomplete) and method in IDEMPOTENT


def retryable_status(status: int, method: str) -> bool:
    """May the call be made again after an answer with this status?"""
    return status in RETRYABLE and method in IDEMPOTENT


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds of a Retry-After field (a number or a date), None if it says nothing."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(min(int(value[:9]), 10**9))
    until = parse_date(value)
    return None if until is None else max(0.0, until - now)
