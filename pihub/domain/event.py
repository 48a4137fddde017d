"""Why a request was answered as it was: one small number a record, one word a header.

The number is the `reason` byte of a request's record (shared/events.py), the word is
what `x-pihub-reason` and the page say. Numbers are stored in the database: never give
one a new meaning, only add.
"""

from __future__ import annotations

from enum import IntEnum, unique

from pihub.errors import (
    BreakerOpen,
    BudgetExceeded,
    ContextExceeded,
    DraftRejected,
    PihubError,
    UpstreamBusy,
    UpstreamIncomplete,
    UpstreamProtocol,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnreachable,
)


@unique
class Reason(IntEnum):
    """What decided where the answer came from."""

    NONE = 0
    """Nothing to explain (health, lists of models, pages)."""
    FIRST_CHOICE = 1
    """The first target of the chain answered."""
    FALLBACK_UNREACHABLE = 2
    """A later target answered; the number says how the one before it failed."""
    FALLBACK_TIMEOUT = 3
    FALLBACK_ERROR = 4
    FALLBACK_BUSY = 5
    FALLBACK_BREAKER = 6
    FALLBACK_PROTOCOL = 7
    FALLBACK_INCOMPLETE = 8
    FALLBACK_REJECTED = 9
    CACHE_EXACT = 10
    """The same bytes were answered before."""
    CACHE_CANONICAL = 11
    """The same question was answered before, in whatever protocol."""
    FLIGHT_SHARED = 12
    """An identical request was in flight; its answer served both."""
    STALE_ON_ERROR = 13
    """The upstream failed and an expired answer was allowed to stand in."""
    REVALIDATED = 14
    """The upstream confirmed the kept answer (304)."""
    PASSED_THROUGH = 15
    """A generic API's answer, straight from its upstream."""
    CHAIN_EXHAUSTED = 16
    """Every target failed."""
    REFUSED = 17
    """The hub itself said no (key, limit, size, input)."""
    FAILED = 18
    """The hub or the only upstream failed."""
    CLIENT_GONE = 19
    """The client left before the end."""
    UNSUPPORTED_BY_FIRST = 20
    """The first target cannot carry what the request asks for."""
    STALE_MEANWHILE = 21
    """An expired answer was given at once, while a new one is fetched."""
    REFRESHED = 22
    """The hub itself asked, for an answer that replaces an expired one."""
    KEPT_REFUSAL = 23
    """An upstream refused the very same a moment ago; it was not asked again."""
    QUEUED = 25
    """Nothing outside was reached: it was made a job."""
    CACHE_SEMANTIC = 24
    """The same question was answered before in other words."""

    FALLBACK_DRAFT = 30
    """A local draft did not pass its checks."""
    FALLBACK_CONTEXT = 31
    """The prompt does not fit the context of the target before."""
    HEDGE_WON = 32
    """The first target was late; a second one was asked too, and answered first."""

    BUDGET_DOWNGRADE = 40
    """A budget was near or at its limit: a cheaper target of the chain answered."""

    @property
    def word(self) -> str:
        """The word in `x-pihub-reason`: `first-choice`, `fallback-timeout`, ..."""
        return self.name.lower().replace("_", "-")


_AFTER: tuple[tuple[type[PihubError], Reason], ...] = (
    # Subclasses before their bases: the first match decides.
    (BudgetExceeded, Reason.BUDGET_DOWNGRADE),
    (DraftRejected, Reason.FALLBACK_DRAFT),
    (ContextExceeded, Reason.FALLBACK_CONTEXT),
    (BreakerOpen, Reason.FALLBACK_BREAKER),
    (UpstreamBusy, Reason.FALLBACK_BUSY),
    (UpstreamRejected, Reason.FALLBACK_REJECTED),
    (UpstreamIncomplete, Reason.FALLBACK_INCOMPLETE),
    (UpstreamProtocol, Reason.FALLBACK_PROTOCOL),
    (UpstreamTimeout, Reason.FALLBACK_TIMEOUT),
    (UpstreamUnreachable, Reason.FALLBACK_UNREACHABLE),
)


def fallback_reason(error: PihubError) -> Reason:
    """The reason of an answer that came after a target failed with `error`."""
    for cls, reason in _AFTER:
        if isinstance(error, cls):
            return reason
    return Reason.FALLBACK_ERROR


def reason_word(number: int) -> str:
    """The word for a stored number; `reason-N` for one of a newer version."""
    try:
        return Reason(number).word
    except ValueError:
        return f"reason-{number}"
