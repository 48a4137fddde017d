"""What a browser may do with the pages: only what they bring themselves."""

from __future__ import annotations

import falcon

CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy (W3C CSP 3): no inline script or style, no foreign host, no frame."""
HEADERS = (
    ("content-security-policy", CSP),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)


def guard(resp: falcon.Response) -> None:
    """Put the policy on an answer of the dashboard."""
    for name, value in HEADERS:
        resp.set_header(name, value)
