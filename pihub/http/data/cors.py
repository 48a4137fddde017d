"""Cross-origin requests of browser tools: preflights, and the header that lets them read.

Source: WHATWG Fetch, "CORS protocol". Nothing here without `server.cors_origins` (in production
`server.cors_production`). Keys are sent in headers, so credentials are allowed on demand only,
and never together with `*`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
PATHS = ("/v1/", "/api/", "/apis/")
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
MAX_AGE = "600"
EXPOSED = (
    "x-pihub-request-id, x-pihub-route, x-pihub-model, x-pihub-cache, x-pihub-cost, "
    "x-pihub-prompt, x-pihub-reason, retry-after"
)
"""With credentials `*` is a name like any other."""


def with_cors(app: WSGI, origins: Sequence[str], *, credentials: bool = False) -> WSGI:
    """`app` itself if no origin is allowed. `*` allows every one, without credentials.

    Raises ValueError for both.
    """
    if not origins:
        return app
    if credentials and "*" in origins:
        raise ValueError("every origin together with credentials")
    allowed, every = frozenset(origins), "*" in origins

    def around(env: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        origin = env.get("HTTP_ORIGIN")
        known = origin is not None and (every or origin in allowed)
        if not known or not str(env.get("PATH_INFO", "")).startswith(PATHS):
            return app(env, start_response)
        own = [
            ("access-control-allow-origin", "*" if every else str(origin)),
            ("access-control-expose-headers", EXPOSED if credentials else "*"),
            ("vary", "origin"),
        ]
        if credentials:
            own.append(("access-control-allow-credentials", "true"))
        asked = env.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD")
        if env.get("REQUEST_METHOD") == "OPTIONS" and asked:
            wanted = env.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
            own += [
                ("access-control-allow-methods", METHODS),
                ("access-control-allow-headers", str(wanted) or "authorization, content-type"),
                ("access-control-max-age", MAX_AGE),
                ("content-length", "0"),
            ]
            start_response("204 No Content", own)
            return ()

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, *own], *more)

        return app(env, start)

    return around
