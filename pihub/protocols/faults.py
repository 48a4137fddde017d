"""What an upstream's HTTP error means, and the headers that go with the hub's own.

Sources: RFC 9110 10.2.3 (Retry-After); the vendors' lists of error types. An upstream's
own words never become `message`; they go, shortened and without keys, into `detail`.
"""

from __future__ import annotations

import math
import re
import time
from email.utils import parsedate_to_datetime

import msgspec

from pihub.domain.ports import Headers
from pihub.errors import (
    OfflineQueued,
    PihubError,
    UpstreamBusy,
    UpstreamError,
    UpstreamProtocol,
    UpstreamRejected,
)

MAX_DETAIL = 500
"""Characters of an upstream's words that are kept for the log."""
MAX_RETRY_AFTER = 86400.0
BUSY_STATUSES = frozenset({429, 503, 529})
_SECRET = re.compile(
    r"\b(?:sk|pk|key|gsk|xai)[-_][A-Za-z0-9_\-*]{6,}|\bBearer\s+\S+", re.IGNORECASE
)


class _Inner(msgspec.Struct):
    message: str = ""
    type: str | None = None
    code: str | int | None = None


class _Body(msgspec.Struct):
    error: _Inner | str | None = None
    message: str | None = None


_DECODER = msgspec.json.Decoder(_Body)

_BUSY_WORDS = frozenset(
    {
        "overloaded_error",
        "overloaded",
        "rate_limit_error",
        "rate_limit_exceeded",
        "insufficient_quota",
        "service_unavailable",
        "server_overloaded",
        "tokens",
        "requests",
    }
)
_REJECTED_WORDS = frozenset(
    {
        "invalid_request_error",
        "authentication_error",
        "permission_error",
        "not_found_error",
        "request_too_large",
        "billing_error",
        "context_length_exceeded",
        "model_not_found",
    }
)


def mask(text: str) -> str:
    """`text` shortened, without control characters and without what looks like a key."""
    clean = "".join(c if c.isprintable() else " " for c in text[: 2 * MAX_DETAIL])
    return _SECRET.sub("***", clean)[:MAX_DETAIL]


def retry_after(headers: Headers) -> float | None:
    """Seconds to wait by `retry-after-ms` or `retry-after` (seconds or a date)."""
    found = {name.lower(): value for name, value in headers}
    try:
        if (ms := found.get("retry-after-ms")) is not None:
            return _bounded(float(ms) / 1000)
        value = found.get("retry-after")
        if value is None:
            return None
        try:
            return _bounded(float(value))
        except ValueError:
            return _bounded(parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _bounded(seconds: float) -> float | None:
    return min(max(seconds, 0.0), MAX_RETRY_AFTER) if math.isfinite(seconds) else None


def words(body: bytes) -> tuple[str, str, str]:
    """(message, type, code) of an error body in any of the three envelopes."""
    try:
        parsed = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body[: 2 * MAX_DETAIL].decode("utf-8", "replace"), "", ""
    error = parsed.error
    if isinstance(error, str):
        return error, "", ""
    if error is None:
        return parsed.message or "", "", ""
    return error.message, error.type or "", str(error.code or "")


def from_status(status: int, headers: Headers, body: bytes) -> UpstreamError:
    """The error that a non-200 answer means."""
    text, kind, code = words(body)
    detail = mask(": ".join(part for part in (kind, code, text) if part))
    if status in BUSY_STATUSES:
        return UpstreamBusy(
            f"the upstream is busy ({status})",
            upstream_status=status,
            detail=detail,
            retry_after=retry_after(headers),
        )
    if status in (401, 403):
        return UpstreamRejected(
            f"the upstream refused the hub's credentials ({status})",
            upstream_status=status,
            detail=detail,
        )
    if 400 <= status < 500 and status not in (408, 409, 425):
        return UpstreamRejected(
            f"the upstream refused the request ({status})", upstream_status=status, detail=detail
        )
    if 100 <= status < 400:
        return UpstreamProtocol(
            f"the upstream answered with an unexpected status ({status})",
            upstream_status=status,
            detail=detail,
        )
    return UpstreamError(
        f"the upstream failed ({status})",
        upstream_status=status,
        detail=detail,
        retry_after=retry_after(headers),
    )


def from_body(status: int, body: bytes) -> UpstreamError:
    """The error object that stands in a 200 answer or inside a stream."""
    text, kind, code = words(body)
    detail = mask(": ".join(part for part in (kind, code, text) if part))
    if kind in _BUSY_WORDS or code in _BUSY_WORDS or code in ("429", "503", "529"):
        return UpstreamBusy("the upstream is busy", upstream_status=status, detail=detail)
    if kind in _REJECTED_WORDS or code in _REJECTED_WORDS:
        return UpstreamRejected(
            "the upstream refused the request", upstream_status=status, detail=detail
        )
    return UpstreamError("the upstream reported an error", upstream_status=status, detail=detail)


def not_the_format(name: str, status: int, body: bytes) -> UpstreamError:
    """For a 200 whose body is neither an answer nor an error: HTML, empty, broken."""
    if not body.strip():
        return UpstreamProtocol("the upstream's answer is empty", upstream_status=status)
    if b'"error"' in body[:4096]:
        found = from_body(status, body)
        if found.detail:
            return found
    return UpstreamProtocol(
        f"the upstream's answer is not in the {name} format",
        upstream_status=status,
        detail=mask(body[:MAX_DETAIL].decode("utf-8", "replace")),
    )


def headers_of(error: PihubError, status: int) -> list[tuple[str, str]]:
    """The headers of an error answer: content type, retry-after, a job's address, x-should-retry.

    `x-should-retry` is what the OpenAI and Anthropic SDKs obey; it is sent only where it
    differs from what the status alone would make them do (retry 408, 409, 429, 5xx).
    """
    headers = [("content-type", "application/json")]
    if error.retry_after is not None:
        headers.append(("retry-after", str(max(0, math.ceil(error.retry_after)))))
    if isinstance(error, OfflineQueued):
        headers.append(("location", f"/v1/jobs/{error.job}"))
    if not error.retryable and (status >= 500 or status in (408, 409, 429)):
        headers.append(("x-should-retry", "false"))
    return headers


def job_of(error: PihubError) -> dict[str, str]:
    """What an envelope says of the job that was made of a request, beside its message."""
    return {"job": error.job} if isinstance(error, OfflineQueued) and error.job else {}
