"""Fields that every answer of the hub has, whoever made it: Falcon, the edge, an engine's page.

The engines add them, so that no way out is forgotten; the application's own of the same names
give way. What pages and the admin API need beyond them is http/control/gate.py's business.
Sources: WHATWG Fetch (nosniff), RFC 6797 (HSTS).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pihub.server.ports import WSGIApplication
from pihub.settings.schema import Settings

YEAR = 31_536_000


def fixed_headers(settings: Settings) -> list[tuple[str, str]]:
    """nosniff, the level of `access.mode`, and HSTS where the hub is reached by https: there
    browsers heed it, and by http they ignore it (RFC 6797, 8.1)."""
    found = [
        ("X-Content-Type-Options", "nosniff"),
        ("X-Security-Level", settings.access.mode),
    ]
    if settings.server.tls_cert or settings.server.public_url.startswith("https://"):
        found.append(("Strict-Transport-Security", f"max-age={YEAR}"))
    return found


def lines(headers: Iterable[tuple[str, str]]) -> bytes:
    """As they stand in a head."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode("ascii")


def with_headers(
    app: WSGIApplication, headers: list[tuple[str, str]]
) -> WSGIApplication:
    """For an engine that cannot add them itself: one frame a request."""
    own = frozenset(name.lower() for name, _ in headers)

    def around(env: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, given: list[tuple[str, str]], *more: Any) -> Any:
            kept = [pair for pair in given if pair[0].lower() not in own]
            return start_response(status, kept + headers, *more)

        return app(env, start)

    return around
