from collections.abc import Callable, Iterable
from typing import Any, Self, final

from pihub._core.cache import Cache
from pihub._core.direct import Direct
from pihub._core.journal import Journal
from pihub._core.keytable import KeyTable
from pihub._core.lane import Lane
from pihub._core.limiter import Limiter
from pihub._core.wire import pack_wire as pack_wire
from pihub._core.wire import wire_key as wire_key

@final
class Edge(Direct):
    """The WSGI callable: answers hits and refusals itself, passes the rest on.

    routes: path -> route number (below 64), for POSTs that may hit the exact cache.
    refusals: (route number, code) -> (status line, headers, body before the request
    id, body after it); route number 0 holds the form for all other paths and for what
    a route has no form of its own, and must have every code. A header of value None gets
    the request id; if the body after it is None, the body has no place for the id. Codes:
    bad_request, invalid_api_key, rate_limited, request_too_large, starting.
    content-length, x-pihub-request-id and retry-after are the edge's.

    What reaches `app` has, in its environ: pihub.rid, pihub.rid_hex, pihub.t0
    (CLOCK_MONOTONIC ns), pihub.slot; for POSTs of `routes` also pihub.principal
    (key, tenant, flags), pihub.body (the body was read), pihub.exact (wire_key of it, without
    whitespace between its tokens where that is allowed)
    and pihub.route, and pihub.begun if the `lane` has begun its call. A request with an
    x-pihub-cache header, or of a key with the flag RESTRICTED, is never answered from the
    cache, nor by the lane. quotas: a row a tenant, asked for keys with the flag QUOTA
    (shared/scopes.py). any_order: names of models, as they stand in JSON, for whose requests
    the order of the members at the top of the body makes no other key.
    """

    def __new__(
        cls,
        app: Callable[..., Iterable[bytes]],
        *,
        slot: int,
        secret: bytes,
        epoch: int,
        cache: Cache,
        keys: KeyTable,
        limiter: Limiter,
        journal: Journal,
        routes: dict[str, int],
        refusals: dict[
            tuple[int, str], tuple[str, list[tuple[str, str | None]], bytes, bytes | None]
        ],
        max_body: int,
        lane: Lane | None = None,
        quotas: Limiter | None = None,
        any_order: Iterable[bytes] = (),
    ) -> Self: ...
    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]: ...
