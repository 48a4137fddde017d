"""Errors in OpenAI's envelope. Source: OpenAI API reference, "Error codes"."""

from __future__ import annotations

from typing import Any

from pihub.errors import Kind, PihubError
from pihub.protocols.faults import headers_of, job_of
from pihub.protocols.jsontext import encode

TYPES: dict[Kind, str] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "too_large": "invalid_request_error",
    "rate_limit": "rate_limit_error",
    "billing": "insufficient_quota",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
    "upstream": "api_error",
    "internal": "server_error",
}


def envelope(error: PihubError) -> dict[str, Any]:
    """The `{"error": {...}}` object; `code` is pihub's own unique code."""
    return {
        "error": {
            "message": error.message,
            "type": TYPES[error.kind],
            "param": error.param,
            "code": error.code,
            **job_of(error),
        }
    }


def render(error: PihubError, request_id: str) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = headers_of(error, error.status)
    if request_id:
        headers.append(("x-request-id", request_id))
    return error.status, headers, encode(envelope(error))
