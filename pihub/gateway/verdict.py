"""After a target failed: try it again, go on, or tell the client what?"""

from __future__ import annotations

from pihub.errors import (
    BudgetExceeded,
    ChainExhausted,
    ClientGone,
    ContextExceeded,
    DraftRejected,
    LocalBusy,
    ModelHeld,
    PihubError,
    RequestRejected,
    Unsupported,
    UpstreamBusy,
    UpstreamError,
    UpstreamIncomplete,
    UpstreamProtocol,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from pihub.gateway.api.retry import backoff

PATIENCE = 2.0
"""The longest Retry-After, in seconds, that a repeated call waits for."""
REQUEST_FAULTS = frozenset({400, 413, 422})
"""Statuses by which an upstream refuses the request itself. Not 404: a model that the
upstream does not have is the configuration's fault."""


def pause_before_retry(error: UpstreamError, number: int) -> float | None:
    """Seconds before retry `number` (from 0) of the same target; None: do not."""
    if isinstance(error, LocalBusy | ModelHeld | DraftRejected):
        return None
    again = isinstance(error, UpstreamUnreachable | UpstreamBusy) or error.upstream_status >= 500
    wait = error.retry_after or 0.0
    if not again or wait > PATIENCE:
        return None
    return max(wait, backoff(number))


def at_work(error: PihubError) -> bool:
    """Whether an upstream may have been working on a call that was given up with `error`, so
    that the prompt costs."""
    if isinstance(error, UpstreamTimeout):
        return error.timer != "connect"
    return isinstance(error, ClientGone | UpstreamIncomplete | UpstreamProtocol)


def verdict(errors: list[PihubError], failures: tuple[str, ...], *, own: bool) -> PihubError:
    """What the client is told when no target answered; `errors` in the chain's order.

    `own`: the last target speaks the client's own protocol, so that its refusal is of
    what the client said and not of a translation.
    """
    if not errors:
        return ChainExhausted("the model's chain is empty")
    last = errors[-1]
    if own and isinstance(last, UpstreamRejected) and last.upstream_status in REQUEST_FAULTS:
        return RequestRejected(
            f"{last.message}: the hub's log has its words under this request's id",
            upstream_status=last.upstream_status,
            detail=last.detail,
        )
    if len(errors) == 1 or all(isinstance(e, Unsupported | ContextExceeded) for e in errors):
        return last
    if any(isinstance(error, BudgetExceeded) for error in errors):
        # More money would have helped; a repetition of the request will not.
        return BudgetExceeded("no free target could answer: " + "; ".join(failures))
    waits = [e.retry_after for e in errors if e.retry_after]
    return ChainExhausted(
        "no upstream of the model's chain could answer: " + "; ".join(failures),
        detail="; ".join(e.detail for e in errors if e.detail),
        retry_after=min(waits) if waits else None,
    )
