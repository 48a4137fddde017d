"""Errors in Anthropic's envelope. Source: Anthropic API reference, "Errors"."""

from __future__ import annotations

from typing import Any

from pihub.errors import Kind, PihubError, Unsupported
from pihub.protocols.faults import headers_of, job_of
from pihub.protocols.jsontext import encode

TYPES: dict[Kind, str] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "too_large": "request_too_large",
    "rate_limit": "rate_limit_error",
    "billing": "billing_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
    "upstream": "api_error",
    "internal": "api_error",
}
OVERLOADED = 529
NO_THREADS = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
"""What tells Anthropic's SDK to send the whole history instead of a conversation that the
server holds (beta "threads"): no other upstream holds one."""


def envelope(error: PihubError, request_id: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": TYPES[error.kind], "message": error.message, **job_of(error)
    }  # fmt: skip
    if isinstance(error, Unsupported) and error.param == "thread":
        told["details"] = NO_THREADS
    return {"type": "error", "error": told, "request_id": request_id or None}


def render(error: PihubError, request_id: str) -> tuple[int, list[tuple[str, str]], bytes]:
    status = OVERLOADED if error.kind == "overloaded" else error.status
    headers = headers_of(error, status)
    if request_id:
        headers.append(("request-id", request_id))
    return status, headers, encode(envelope(error, request_id))
