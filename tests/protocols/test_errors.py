"""Errors: what an upstream's failure means, and how a client is told."""

from __future__ import annotations

import json
import time
from email.utils import formatdate

import pytest

from pihub.errors import (
    Internal,
    Overloaded,
    PihubError,
    RateLimited,
    TooLarge,
    UpstreamBusy,
    UpstreamError,
    UpstreamIncomplete,
    UpstreamProtocol,
    UpstreamRejected,
    UpstreamTimeout,
    all_errors,
)
from pihub.protocols.faults import MAX_DETAIL
from pihub.protocols.registry import CLIENTS, UPSTREAMS
from tests.protocols.carry import ASKS_BY_CLIENT, ndjson, sse

CONCRETE = sorted(set(all_errors()), key=lambda cls: cls.code)


def made(cls: type[PihubError]) -> PihubError:
    if issubclass(cls, UpstreamTimeout):
        return cls("it took too long", timer="idle", detail="/secret/path")
    return cls("it went wrong", detail="/secret/path")


@pytest.mark.parametrize("cls", CONCRETE, ids=lambda cls: cls.code)
def test_every_error_in_every_envelope(cls: type[PihubError]) -> None:
    error = made(cls)
    status, headers, body = CLIENTS["openai"]().error(error, "r-1")
    openai = json.loads(body)["error"]
    assert status == error.status
    assert set(openai) == {"message", "type", "param", "code"}
    assert openai["code"] == cls.code and (
        openai["type"].endswith("_error") or openai["type"] == "insufficient_quota"
    )
    assert ("x-request-id", "r-1") in headers

    status, headers, body = CLIENTS["anthropic"]().error(error, "r-1")
    anthropic = json.loads(body)
    assert status == (529 if error.kind == "overloaded" else error.status)
    assert (anthropic["type"], anthropic["request_id"]) == ("error", "r-1")
    assert anthropic["error"]["type"] in {
        "invalid_request_error",
        "authentication_error",
        "permission_error",
        "not_found_error",
        "request_too_large",
        "rate_limit_error",
        "billing_error",
        "api_error",
        "overloaded_error",
        "timeout_error",
    }

    status, headers, ollama = CLIENTS["ollama"]().error(error, "r-1")
    text = json.loads(ollama)["error"]
    assert status == error.status and error.message in text and "r-1" in text

    for data in (body, ollama, CLIENTS["openai"]().error(error, "r-1")[2]):
        assert b"/secret/path" not in data
    assert headers[0] == ("content-type", "application/json")


@pytest.mark.parametrize(
    ("error", "openai", "anthropic"),
    [
        (TooLarge("x"), (413, "invalid_request_error"), (413, "request_too_large")),
        (RateLimited("x"), (429, "rate_limit_error"), (429, "rate_limit_error")),
        (Overloaded("x"), (503, "overloaded_error"), (529, "overloaded_error")),
        (UpstreamTimeout("x", timer="idle"), (504, "timeout_error"), (504, "timeout_error")),
        (Internal("x"), (500, "server_error"), (500, "api_error")),
    ],
)
def test_types_and_statuses_by_meaning(
    error: PihubError, openai: tuple[int, str], anthropic: tuple[int, str]
) -> None:
    status, _, body = CLIENTS["openai"]().error(error, "")
    assert (status, json.loads(body)["error"]["type"]) == openai
    status, _, body = CLIENTS["anthropic"]().error(error, "")
    assert (status, json.loads(body)["error"]["type"]) == anthropic


def test_retry_headers() -> None:
    for client in CLIENTS.values():
        headers = dict(client().error(RateLimited("x", retry_after=2.01), "")[1])
        assert headers["retry-after"] == "3" and "x-should-retry" not in headers
        headers = dict(client().error(UpstreamRejected("x"), "")[1])
        assert headers["x-should-retry"] == "false" and "retry-after" not in headers
        assert "x-should-retry" not in dict(client().error(TooLarge("x"), "")[1])


def test_errors_after_the_headers_end_the_stream_without_a_terminal_marker() -> None:
    error = UpstreamIncomplete("the upstream's answer ended early")
    openai = CLIENTS["openai"]().renderer(ASKS_BY_CLIENT["openai"]).error(error, "r-1")
    assert sse(openai)[0][1]["error"]["code"] == "upstream_incomplete"
    assert b"[DONE]" not in openai and b"finish_reason" not in openai
    anthropic = CLIENTS["anthropic"]().renderer(ASKS_BY_CLIENT["anthropic"]).error(error, "r-1")
    assert sse(anthropic) == [
        (
            "error",
            {
                "type": "error",
                "error": {"type": "api_error", "message": error.message},
                "request_id": "r-1",
            },
        )
    ]
    ollama = CLIENTS["ollama"]().renderer(ASKS_BY_CLIENT["ollama"]).error(error, "r-1")
    assert list(ndjson(ollama)[0]) == ["error"] and ollama.endswith(b"\n")


ENVELOPES = {
    "openai": b'{"error":{"message":"You gave sk-live-123456 wrongly","type":"t","code":null}}',
    "anthropic": b'{"type":"error","error":{"message":"You gave sk-live-123456 wrongly"}}',
    "ollama": b'{"error":"You gave sk-live-123456 wrongly"}',
}


@pytest.mark.parametrize("name", ["openai", "anthropic", "ollama"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, UpstreamRejected),
        (401, UpstreamRejected),
        (403, UpstreamRejected),
        (404, UpstreamRejected),
        (413, UpstreamRejected),
        (408, UpstreamError),
        (429, UpstreamBusy),
        (500, UpstreamError),
        (502, UpstreamError),
        (503, UpstreamBusy),
        (529, UpstreamBusy),
        (302, UpstreamProtocol),
        (204, UpstreamProtocol),
    ],
)
def test_statuses_of_upstreams(name: str, status: int, kind: type[UpstreamError]) -> None:
    upstream = UPSTREAMS[name]()
    error = upstream.error(status, [], ENVELOPES[name])
    assert type(error) is kind and error.upstream_status == status
    assert "wrongly" not in error.message and "wrongly" in error.detail
    assert "sk-live" not in error.detail
    with pytest.raises(kind):
        upstream.answer(status, [], ENVELOPES[name])


def test_retry_after_of_upstreams() -> None:
    upstream = UPSTREAMS["anthropic"]()

    def seconds(name: str, value: str) -> float | None:
        return upstream.error(429, [(name, value)], b"").retry_after

    assert seconds("retry-after", "7") == 7
    assert seconds("Retry-After", "1.5") == 1.5
    assert seconds("retry-after-ms", "250") == 0.25
    later = seconds("retry-after", formatdate(time.time() + 60, usegmt=True))
    assert later is not None and 50 < later < 65
    assert seconds("retry-after", formatdate(time.time() - 60, usegmt=True)) == 0
    assert seconds("retry-after", "1e12") == 86400
    for broken in ("soon", "nan", "inf", ""):
        assert seconds("retry-after", broken) is None
    assert upstream.error(500, [("retry-after", "3")], b"").retry_after == 3


@pytest.mark.parametrize("name", ["openai", "anthropic", "ollama"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", UpstreamProtocol),
        (b"  \n", UpstreamProtocol),
        (b"<html><body>502</body></html>", UpstreamProtocol),
        (b"{}", UpstreamProtocol),
        (b"null", UpstreamProtocol),
        (b"\xff", UpstreamProtocol),
        (b"[" * 100000, UpstreamProtocol),
        (b'{"error":"model runner has unexpectedly stopped"}', UpstreamError),
        (b'{"error":{"type":"overloaded_error","message":"Overloaded"}}', UpstreamBusy),
        (b'{"error":{"type":"invalid_request_error","message":"no"}}', UpstreamRejected),
        (b'{"choices":[],"content":5,"message":{},"done":false}', UpstreamProtocol),
        (b'{"choices":[{"index":0}],"type":"error","content":[]}', UpstreamProtocol),
    ],
)
def test_a_200_that_is_no_answer_is_an_error(
    name: str, body: bytes, kind: type[UpstreamError]
) -> None:
    with pytest.raises(UpstreamError) as caught:
        UPSTREAMS[name]().answer(200, [], body)
    assert type(caught.value) is kind
    assert "html" not in caught.value.message and "stopped" not in caught.value.message


def test_a_tool_call_with_broken_arguments_is_the_upstreams_error() -> None:
    body = (
        b'{"choices":[{"message":{"tool_calls":[{"id":"c","function":'
        b'{"name":"f","arguments":"{broken"}}]},"finish_reason":"tool_calls"}]}'
    )
    with pytest.raises(UpstreamError):
        UPSTREAMS["openai"]().answer(200, [], body)


def test_details_are_short_and_printable() -> None:
    error = UPSTREAMS["ollama"]().error(500, [], b"\x1b[31m" + b"x" * 100000)
    assert len(error.detail) <= MAX_DETAIL and error.detail.isprintable()
