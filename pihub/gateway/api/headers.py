"""Header fields across the hop, both ways (RFC 9110 section 7.6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from pihub.domain.http_fields import HOP_BY_HOP
from pihub.domain.ports import Headers

_HELD: Final = frozenset(
    {
        "authorization",
        "x-api-key",
        "cookie",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
    }
)
"""Request fields that hold the hub's own keys or sessions, or that let a method pass which
`methods` does not; `forward_headers` frees them."""
_REPLACED: Final = frozenset(
    {
        "host",
        "content-length",
        "expect",
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-real-ip",
    }
)
_NOT_OURS: Final = frozenset({"alt-svc", "strict-transport-security", "content-length"})
"""Answer fields that speak for the upstream's own host, or that the body decides."""
_INTERNAL: Final = "x-pihub-"
VIA: Final = "1.1 pihub"


def field(headers: Headers, name: str) -> str | None:
    """The values of a field joined by a comma (RFC 9110 section 5.3), None if absent."""
    values = [value for key, value in headers if key == name]
    return ", ".join(values) if values else None


def lowered(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Names in lower case, values without blanks around them."""
    return [(name.lower(), value.strip(" \t")) for name, value in headers]


def to_upstream(
    headers: Headers,
    *,
    allowed: Collection[str],
    client_address: str,
    scheme: str,
) -> list[tuple[str, str]]:
    """The client's fields (names in lower case) as they go upstream.

    Hop-by-hop fields, those that Connection names, and whatever could hold a key of
    the hub's are dropped; who asked is told anew, not taken from the client.
    """
    dropped = _named_by_connection(headers)
    out = [
        (name, value)
        for name, value in headers
        if name not in HOP_BY_HOP
        and name not in _REPLACED
        and name not in dropped
        and (name not in _HELD or name in allowed)
        and not name.startswith(_INTERNAL)
    ]
    via = field(headers, "via")
    out.append(("via", f"{via}, {VIA}" if via else VIA))
    if client_address:
        out.append(("x-forwarded-for", client_address))
    out.append(("x-forwarded-proto", scheme))
    host = field(headers, "host")
    if host:
        out.append(("x-forwarded-host", host))
    return out


def to_client(headers: Headers) -> list[tuple[str, str]]:
    """The upstream's fields (names in lower case) as the client sees them."""
    dropped = _named_by_connection(headers)
    out = []
    via = ""
    for name, value in headers:
        if name == "via":
            via = f"{via}{value}, "
        elif (
            name not in HOP_BY_HOP
            and name not in _NOT_OURS
            and name not in dropped
            and not name.startswith(_INTERNAL)
        ):
            out.append((name, value))
    out.append(("via", via + VIA))
    return out


def without(headers: Headers, names: Collection[str]) -> list[tuple[str, str]]:
    """All fields but those."""
    return [(name, value) for name, value in headers if name not in names]


def relocated(value: str, authorities: Collection[str], base: str, prefix: str) -> str:
    """A Location below the upstream's base URL, moved below the API's prefix.

    `authorities`: `scheme://host[:port]` forms of the upstream; `base`: its path. Any
    other place, and relative references, stay as they are.
    """
    path = value
    for authority in authorities:
        if value.lower().startswith(authority):
            path = value[len(authority) :] or "/"
            break
    if not path.startswith("/") or path.startswith("//"):
        return value
    if base:
        below = path.removeprefix(base)
        if below == path or not (below == "" or below[0] in "/?#"):
            return value
        path = below
    return prefix + path


def _named_by_connection(headers: Headers) -> frozenset[str]:
    named = field(headers, "connection")
    if not named:
        return frozenset()
    return frozenset(part.strip().lower() for part in named.split(","))
