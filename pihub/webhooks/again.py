"""Whether and when a delivery that failed is tried again: of events and of ended jobs alike."""

from __future__ import annotations

from pihub.settings.webhooks import Delivery
from pihub.webhooks.attempt import Verdict


def again(settings: Delivery, tries: int, verdict: Verdict, luck: float) -> float | None:
    """Seconds until the next attempt after `tries`; None: it is given up. `luck`: 0 to 1."""
    if verdict.final or tries >= settings.attempts:
        return None
    return backoff(settings, tries, verdict.retry_after, luck)


def backoff(settings: Delivery, tries: int, retry_after: float, luck: float) -> float:
    """Seconds until the next attempt: full jitter over a doubling bound.

    Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
    """
    bound: float = min(settings.max_backoff, settings.backoff * 2.0 ** min(tries - 1, 40))
    return float(max(bound * luck, min(retry_after, settings.max_backoff)))
