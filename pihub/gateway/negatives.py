"""An upstream's refusal of a request, told again for a while without asking again.

Only what the same request would get again: a model that the upstream does not have, a body
that it cannot take. Never what may be over in a moment or depends on who asks: 401, 403, 429,
5xx, timeouts, budgets, breakers.
"""

from __future__ import annotations

from collections.abc import Callable

from pihub.errors import ChainExhausted, PihubError, RequestRejected, Unsupported, UpstreamRejected
from pihub.gateway.exchange import Exchange
from pihub.shared.answers import Key
from pihub.shared.events import CacheState
from pihub.shared.negatives import Negative, NegativeCache

STATUSES = frozenset({400, 404, 410, 413, 415, 422})
_ERRORS = {cls.code: cls for cls in (RequestRejected, UpstreamRejected, ChainExhausted)}


def final(errors: list[PihubError]) -> bool:
    """Whether every target of a chain refused, and at least one of them was asked."""
    asked = [error for error in errors if not isinstance(error, Unsupported)]
    return bool(asked) and all(
        isinstance(error, UpstreamRejected) and error.upstream_status in STATUSES
        for error in asked
    )


class Negatives:
    """One worker's. `ttl`: seconds that a refusal is told again."""

    def __init__(self, kept: NegativeCache, ttl: float, intern: Callable[[str], int]) -> None:
        self._kept = kept
        self._ttl = ttl
        self._intern = intern

    def find(self, x: Exchange) -> None:
        """Raises what was refused a moment ago, and says so in `cache`."""
        key = self._key(x)
        if key is None:
            return
        found = self._kept.get(key, x.request.principal.tenant)
        error = None if found is None else _ERRORS.get(found.code)
        if found is None or error is None:
            return
        x.cache, x.cache_reason, x.failures = CacheState.NEGATIVE, "refused before", found.failures
        raise error(found.message, upstream_status=found.upstream_status)

    def keep(self, x: Exchange) -> None:
        """After a call that ended in a refusal (`refused`)."""
        error = x.error
        if not x.refused or not isinstance(error, UpstreamRejected | ChainExhausted):
            return
        key = self._key(x)
        if key is None:
            return
        refusal = Negative(error.code, error.message, error.upstream_status, x.failures)
        tenant = x.request.principal.tenant
        x.kept = self._kept.put(key, tenant, refusal, self._ttl, self._intern(x.alias))
        x.kept_ttl = self._ttl

    def _key(self, x: Exchange) -> Key | None:
        """None for a request that must be asked: the client wants it, or its call has begun,
        or it is to replace an answer, or its body came in a coding and has no key."""
        request = x.request
        if x.wish.mode not in ("auto", "ttl") or request.begun is not None or x.refreshes:
            return None
        if request.exact is None or x.once is not None or request.once is not None:
            return None
        said = (request.policy, *(part for field in request.forward for part in field))
        return self._kept.key(request.exact, request.principal.key, said)
