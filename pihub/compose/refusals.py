"""What the edge says by itself, rendered once when a worker starts."""

from __future__ import annotations

from collections.abc import Iterable

from pihub.compose.endpoints import PROTOCOLS
from pihub.domain.ports import ClientFormat
from pihub.errors import BadRequest, PihubError, RateLimited, Starting, TooLarge, Unauthenticated
from pihub.http.data.errors import problem
from pihub.http.data.routes import EDGE_ROUTES
from pihub.shared.edge import Refusal, Refusals


def refusals(
    clients: dict[str, ClientFormat], chats: Iterable[tuple[str, str, str]]
) -> Refusals:
    """What the edge says by itself, rendered once: each code in each route's protocol."""
    marker = "0123456789abcdef"
    errors: tuple[PihubError, ...] = (
        BadRequest("the request is malformed"),
        Unauthenticated(
            "no API key, or one that the hub does not know: send it as "
            "'Authorization: Bearer ph_...' or 'x-api-key: ph_...'"
        ),
        RateLimited("the rate limit of this API key is used up"),
        TooLarge("the body is larger than the hub accepts (limits.body)"),
        Starting("the hub is starting, retry in a second", retry_after=1),
    )
    out: Refusals = {}
    for error in errors:
        out[0, error.code] = _split(problem(error, marker), marker)
        for name, path in (*((name, path) for _, name, path in chats), *PROTOCOLS):
            form = clients[name].error(error, marker)
            out[EDGE_ROUTES[path], error.code] = _split(form, marker)
    return out


def _split(form: tuple[int, list[tuple[str, str]], bytes], marker: str) -> Refusal:
    """Cut where the request id goes: headers of that value, and the body's one place."""
    status, headers, body = form
    before, found, after = body.partition(marker.encode())
    wanted = [(name, None if value == marker else value) for name, value in headers]
    # A protocol whose envelope has no place for the id (OpenAI, Ollama): a header has it.
    return f"{status} {REASONS[status]}", wanted, before, after if found else None


REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    413: "Content Too Large",
    429: "Too Many Requests",
    503: "Service Unavailable",
    529: "Overloaded",
}
