"""Traces and metrics at a collector, as OTLP/JSON with GenAI names."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pihub.insight.otel import WAITING, OtelExporter, otlp
from pihub.settings.otel import Otel
from pihub.shared.events import Record
from pihub.shared.metrics import Route
from pihub.shared.state import SharedState
from pihub.shared.traces import Trace, TraceLog, parse

NAMES = ("", "llama3.2:3b", "ollama-pi", "assistant", "upstream_timeout")
LINES = ["# TYPE a_total counter", 'a_total{route="x",s="2xx"} 5', "# TYPE g gauge", "g 1.5"]
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Collector:
    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], Any]] = []
        self.status = 200
        made = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                body = json.loads(gzip.decompress(data))
                made.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(made.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/otlp"

    def spans(self) -> list[dict[str, Any]]:
        return [
            span for path, _, body in self.got if path == "/otlp/v1/traces"
            for span in body["resourceSpans"][0]["scopeSpans"][0]["spans"]
        ]  # fmt: skip

    def metrics(self) -> dict[str, Any]:
        _, _, body = [one for one in self.got if one[0] == "/otlp/v1/metrics"][-1]
        return {m["name"]: m for m in body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]}


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


def exporter(state: SharedState, collector: Collector, **settings: Any) -> OtelExporter:
    return OtelExporter(
        Otel(endpoint=collector.url, **settings), b"x-key=secret,x-other=a=b", state.traces, 0xB007,
        NAMES.__getitem__, {"ollama-pi": "ollama"},
        lambda: LINES,
    )  # fmt: skip


def record(rid: int, **fields: Any) -> bytes:
    return Record(**{
        "ts_ns": 10**18, "rid": rid, "dur_us": 2_000_000, "in_tok": 10, "out_tok": 20, "model": 1,
        "upstream": 2, "alias": 3, "attempts": 1, "status": 200, "route": Route.OPENAI_CHAT,
        "inspect_us": 100, **fields,
    }).pack()  # fmt: skip


def attributes(span: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}


def test_a_request_is_a_span_and_its_call_a_child(state: SharedState, collector: Collector) -> None:
    made = exporter(state, collector)
    made.stored([record(0xABC)])
    assert made.send()
    server, call = collector.spans()
    assert server["name"] == "POST /v1/chat/completions"
    assert server["traceId"] == f"{0xB007:016x}{0xABC:016x}" and "parentSpanId" not in server
    assert call["parentSpanId"] == server["spanId"] == f"{0xABC:016x}"
    assert call["name"] == "chat llama3.2:3b"
    assert int(call["endTimeUnixNano"]) - int(server["startTimeUnixNano"]) == 2 * 10**9
    told = attributes(call)
    assert told["gen_ai.provider.name"] == "ollama"
    assert told["gen_ai.request.model"] == "assistant"
    assert told["gen_ai.usage.output_tokens"] == "20"
    _path, headers, _ = collector.got[0]
    assert (headers["x-key"], headers["x-other"]) == ("secret", "a=b")


def test_a_client_s_trace_goes_on(state: SharedState, collector: Collector) -> None:
    trace = parse(PARENT)
    assert trace is not None
    state.traces.push(1, 7, trace)
    made = exporter(state, collector, sample=0.0)
    made.stored([record(7), record(8)])
    made.send()
    server, call = collector.spans()
    assert server["traceId"] == call["traceId"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert server["parentSpanId"] == "00f067aa0ba902b7"
    assert trace.child(f"{7:016x}") == f"00-{trace.trace_id}-{7:016x}-01"


def test_who_does_not_want_to_be_sampled_is_not(state: SharedState, collector: Collector) -> None:
    state.traces.push(1, 7, Trace("a" * 32, "b" * 16, 0))
    made = exporter(state, collector)
    made.stored([record(7)])
    made.send()
    assert collector.spans() == []


def test_metrics(state: SharedState, collector: Collector) -> None:
    made = exporter(state, collector)
    made.stored([record(1), record(2, status=504, error=4), record(3, attempts=0)])
    made.send()
    found = collector.metrics()
    [point] = found["a_total"]["sum"]["dataPoints"]
    assert point["asDouble"] == 5 and attributes(point) == {"route": "x", "s": "2xx"}
    assert found["g"]["gauge"]["dataPoints"][0]["asDouble"] == 1.5
    durations = found["gen_ai.client.operation.duration"]["histogram"]["dataPoints"]
    assert durations[0]["count"] == "2" and durations[0]["sum"] == 4.0
    tokens = found["gen_ai.client.token.usage"]["histogram"]["dataPoints"]
    assert {attributes(p)["gen_ai.token.type"]: p["sum"] for p in tokens} == {
        "input": 20.0, "output": 40.0,
    }  # fmt: skip
    for point in (*durations, *tokens):
        assert len(point["bucketCounts"]) == len(point["explicitBounds"]) + 1


def test_a_collector_in_trouble_costs_memory_up_to_a_bound(
    state: SharedState, collector: Collector
) -> None:
    made = exporter(state, collector, metrics=False)
    collector.status = 503
    for start in range(0, 3000, 500):
        made.stored([record(start + n) for n in range(500)])
    assert not made.send() and made.failures == 1
    collector.status = 200
    collector.got.clear()
    assert made.send()
    assert len(collector.spans()) == WAITING
    assert made.dropped == 6000 - WAITING
    collector.status = 400
    made.stored([record(1)])
    assert made.send(), "what is refused for good is not sent again"


@pytest.mark.parametrize(
    "text",
    ["", "x", PARENT[:-1], PARENT + "-x", "ff" + PARENT[2:], PARENT.replace("4bf", "4BF"),
     "00-" + "0" * 32 + PARENT[35:], PARENT[:36] + "0" * 16 + "-01"],
)  # fmt: skip
def test_a_bad_traceparent_is_none(text: str) -> None:
    assert parse(text) is None
    later = parse("01" + PARENT[2:] + "-more")
    assert later is not None and later.flags == 1


def test_labels_and_numbers_survive() -> None:
    [metric] = otlp(["# TYPE g gauge", 'g{a="x=y",b=""} 1e-06'], 1, 2)
    [point] = metric["gauge"]["dataPoints"]
    assert attributes(point) == {"a": "x=y", "b": ""} and point["asDouble"] == 1e-06


def test_the_ring_of_traces_keeps_the_newest(state: SharedState) -> None:
    log = state.traces
    assert isinstance(log, TraceLog)
    for number in range(3):
        log.push(1, number + 1, Trace("c" * 32, "d" * 16, 1))
    assert sorted(log.drain()) == [1, 2, 3] and log.drain() == {}
