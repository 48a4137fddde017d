"""Through the whole hub: a trace from client to upstream to collector, pages as one stream."""

from __future__ import annotations

import gzip
import http.server
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.system.hub import HubProcess, Upstreams

EXTRA = """
[upstreams.traced]
kind = "openai"
url = "http://127.0.0.1:{port}"
[models.traced]
chain = ["traced/gpt"]
[otel]
endpoint = "http://127.0.0.1:{port}"
interval = 0.2
[apis.crm]
prefix = "/apis/crm"
url = "http://127.0.0.1:{port}"
"""
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Outside(http.server.BaseHTTPRequestHandler):
    """An upstream, a collector and a CRM."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, dict[str, str]]]
    spans: list[dict[str, Any]]
    metrics: set[str]
    """Of the last answer to the collector."""
    broken = False

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        type(self).asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        if self.path == "/v1/traces":
            body = json.loads(gzip.decompress(data))
            type(self).spans += body["resourceSpans"][0]["scopeSpans"][0]["spans"]
        if self.path == "/v1/metrics":
            body = json.loads(gzip.decompress(data))
            found = body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
            type(self).metrics = {one["name"] for one in found}
        self._say({"id": "x", "object": "chat.completion", "created": 1, "model": "gpt",
                   "choices": [{"index": 0, "finish_reason": "stop",
                                "message": {"role": "assistant", "content": "hi"}}],
                   "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}})

    def do_GET(self) -> None:
        after = int(parse_qs(urlsplit(self.path).query).get("after", ["0"])[0])
        found: dict[str, Any] = {"results": [{"id": n} for n in range(after, after + 10)]}
        if after < 40:
            found["paging"] = {"next": {"after": str(after + 10)}}
        if type(self).broken and after == 30:
            self.send_error(500)
            return
        self._say(found)

    def _say(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def seen(
    engine: str, upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    Outside.asked, Outside.spans, Outside.metrics = [], [], set()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Outside)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    folder: Path = tmp_path_factory.mktemp(f"seen-{engine}")
    extra = EXTRA.format(port=server.server_address[1])
    with HubProcess(folder, upstreams, engine=engine, extra=extra) as running:
        yield running
    server.shutdown()
    server.server_close()


def test_a_client_s_trace_reaches_upstream_and_collector(seen: HubProcess) -> None:
    body = {"model": "traced", "messages": [{"role": "user", "content": "hi"}]}
    for path in ("/v1/chat/completions", "/api/chat"):
        Outside.asked.clear()
        reply = seen.post(path, {**body, "stream": False}, traceparent=PARENT, tracestate="a=b")
        assert reply.status == 200, reply.body
        [headers] = [fields for where, fields in Outside.asked if where == "/v1/chat/completions"]
        rid = reply.headers["x-pihub-request-id"]
        assert headers["traceparent"] == f"00-4bf92f3577b34da6a3ce929d0e0e4736-{rid}-01"
        assert headers["tracestate"] == "a=b"
        end = time.monotonic() + 20
        while not (own := [one for one in Outside.spans if one["spanId"] == rid]):
            assert time.monotonic() < end
            time.sleep(0.02)
        assert own[0]["traceId"] == "4bf92f3577b34da6a3ce929d0e0e4736"
        assert own[0]["parentSpanId"] == "00f067aa0ba902b7"
        [call] = [one for one in Outside.spans if one.get("parentSpanId") == rid]
        assert call["name"] == "chat gpt"
    Outside.asked.clear()
    assert seen.post("/v1/chat/completions", body, traceparent="nonsense").status == 200
    fields = next(f for where, f in Outside.asked if where == "/v1/chat/completions")
    assert "traceparent" not in fields


def test_the_collector_gets_what_metrics_tells(seen: HubProcess) -> None:
    body = {"model": "assistant", "messages": [{"role": "user", "content": "hi"}]}
    assert seen.post("/v1/chat/completions", {**body, "stream": True}).status == 200
    told = set(re.findall(r"^# TYPE (\S+) (?:counter|gauge)$", seen.get("/metrics").text, re.M))
    assert "pihub_model_decode_tokens_per_second" in told
    end = time.monotonic() + 20
    while missing := told - Outside.metrics:
        assert time.monotonic() < end, missing
        time.sleep(0.02)


def test_pages_come_as_one_stream(seen: HubProcess) -> None:
    reply = seen.get("/apis/crm/contacts?limit=10", x_pihub_pages="100")
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in reply.body.splitlines()]
    assert [line["id"] for line in lines[:-1]] == list(range(50))
    assert lines[-1] == {"pihub": {"pages": 5, "items": 50, "next": None}}
    some = seen.get("/apis/crm/contacts", x_pihub_pages="2").body.splitlines()
    assert json.loads(some[-1])["pihub"]["next"] == "20"
    assert seen.get("/apis/crm/contacts", x_pihub_pages="0").status == 400


def test_a_page_that_fails_cuts_the_stream(seen: HubProcess) -> None:
    import http.client

    Outside.broken = True
    try:
        with pytest.raises(http.client.IncompleteRead) as caught:
            seen.get("/apis/crm/contacts", x_pihub_pages="100")
        assert b'"pihub"' not in caught.value.partial
    finally:
        Outside.broken = False
