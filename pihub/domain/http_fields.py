"""Header fields: which belong to one connection, and what may stand in a value."""

from __future__ import annotations

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""They belong to one connection, not to the message (RFC 9110 section 7.6.1)."""


def header_text(text: str) -> str:
    """Printable ASCII, at most 300 characters: safe as a header value."""
    text = text[:300]
    if text.isascii() and text.isprintable():
        return text
    return "".join([c if " " <= c <= "~" else "?" for c in text])
