"""Errors in Ollama's envelope: `{"error": "text"}` and a status."""

from __future__ import annotations

from pihub.errors import PihubError
from pihub.protocols.faults import headers_of, job_of
from pihub.protocols.jsontext import encode


def envelope(error: PihubError, request_id: str) -> dict[str, str]:
    """The code and the request id stand in the text: there is no other field for them."""
    text = f"{error.message} [{error.code or 'error'}"
    text = f"{text}, request {request_id}]" if request_id else f"{text}]"
    return {"error": text, **job_of(error)}


def render(error: PihubError, request_id: str) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = headers_of(error, error.status)
    return error.status, headers, encode(envelope(error, request_id))
