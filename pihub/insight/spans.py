"""Request records as OTLP/JSON spans and GenAI histograms.

Sources: OpenTelemetry protocol 1.x (JSON mapping: ids in hex, 64-bit numbers as strings),
semantic conventions for HTTP and for generative AI (`gen_ai.*`), W3C Trace Context.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any

from pihub.shared.events import Record
from pihub.shared.metrics import Route
from pihub.shared.traces import Trace

OPERATIONS = {
    Route.OPENAI_CHAT: "POST /v1/chat/completions",
    Route.ANTHROPIC_MESSAGES: "POST /v1/messages",
    Route.OLLAMA_CHAT: "POST /api/chat",
}
"""Names of the spans of chats; other routes go by their own name."""
_ROUTES: dict[int, Route] = {int(route): route for route in Route}
SERVER, CLIENT = 2, 3
OK, ERROR = 1, 2
TOKEN_BOUNDS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304)
SECOND_BOUNDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48,
                 40.96, 81.92)  # fmt: skip
MOST_SERIES = 64
"""Series of one histogram; what is beyond is one series `other`."""
_CALL = 0x5CA1AB1E0DDBA115


def attribute(key: str, value: str | float | bool) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"key": key, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": key, "value": {"intValue": str(value)}}
    if isinstance(value, float):
        return {"key": key, "value": {"doubleValue": value}}
    return {"key": key, "value": {"stringValue": value}}


def spans(
    record: Record, trace: Trace | None, boot: int, name: Callable[[int], str],
    kinds: Mapping[str, str],
) -> list[dict[str, Any]]:  # fmt: skip
    """The request's span, and that of its call of an upstream if there was one.

    `name`: number to name; `kinds`: upstream to its kind. A request without a trace of its
    own is the root of one whose id holds the arena's boot id and the request's.
    """
    trace_id = trace.trace_id if trace else f"{boot:016x}{record.rid:016x}"
    span_id = f"{record.rid:016x}"
    model, upstream = name(record.model), name(record.upstream)
    alias, error = name(record.alias), name(record.error)
    route = _ROUTES.get(record.route, Route.OTHER)
    status = {"code": ERROR, "message": error} if record.status >= 500 else {"code": 0}
    found = {
        "traceId": trace_id,
        "spanId": span_id,
        "name": OPERATIONS.get(route, route.name.lower()),
        "kind": SERVER,
        "startTimeUnixNano": str(record.ts_ns),
        "endTimeUnixNano": str(record.ts_ns + record.dur_us * 1000),
        "status": status,
        "attributes": [
            attribute("http.response.status_code", record.status),
            attribute("pihub.request_id", span_id),
            attribute("pihub.route", route.name.lower()),
            attribute("pihub.cache", record.cache),
            attribute("pihub.attempts", record.attempts),
            *([attribute("error.type", error)] if error else []),
        ],
    }
    if trace:
        found["parentSpanId"] = trace.parent_id
    out = [found]
    if model and record.attempts:
        begun = record.ts_ns + 1000 * (record.inspect_us + record.lookup_us + record.route_us)
        out.append(
            {
                "traceId": trace_id,
                "spanId": f"{record.rid ^ _CALL:016x}",
                "parentSpanId": span_id,
                "name": f"chat {model}",
                "kind": CLIENT,
                "startTimeUnixNano": str(begun),
                "endTimeUnixNano": str(max(begun, record.ts_ns + record.dur_us * 1000)),
                "status": status,
                "attributes": [
                    attribute("gen_ai.operation.name", "chat"),
                    attribute("gen_ai.provider.name", kinds.get(upstream, upstream)),
                    attribute("gen_ai.request.model", alias or model),
                    attribute("gen_ai.response.model", model),
                    attribute("gen_ai.usage.input_tokens", record.in_tok),
                    attribute("gen_ai.usage.output_tokens", record.out_tok),
                    attribute("server.address", upstream),
                    *([attribute("error.type", error)] if error else []),
                ],
            }
        )
    return out


class GenAi:
    """`gen_ai.client.token.usage` and `gen_ai.client.operation.duration`, cumulative.

    RAM: at most 2 x MOST_SERIES histograms of some 200 bytes.
    """

    def __init__(self) -> None:
        self._tokens: dict[tuple[tuple[str, str], ...], list[float]] = {}
        self._seconds: dict[tuple[tuple[str, str], ...], list[float]] = {}

    def add(self, record: Record, model: str, alias: str, provider: str) -> None:
        if not model or not record.attempts:
            return
        base = (
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", provider),
            ("gen_ai.request.model", alias or model),
            ("gen_ai.response.model", model),
        )
        for kind, count in (("input", record.in_tok), ("output", record.out_tok)):
            if count:
                labels = (*base, ("gen_ai.token.type", kind))
                _put(self._tokens, labels, TOKEN_BOUNDS, float(count))
        _put(self._seconds, base, SECOND_BOUNDS, record.dur_us / 1e6)

    def metrics(self, start_ns: int, now_ns: int) -> list[dict[str, Any]]:
        return [
            _histogram("gen_ai.client.token.usage", "{token}", TOKEN_BOUNDS, self._tokens,
                       start_ns, now_ns),
            _histogram("gen_ai.client.operation.duration", "s", SECOND_BOUNDS, self._seconds,
                       start_ns, now_ns),
        ]  # fmt: skip


def _put(
    into: dict[tuple[tuple[str, str], ...], list[float]],
    labels: tuple[tuple[str, str], ...],
    bounds: tuple[float, ...],
    value: float,
) -> None:
    if labels not in into and len(into) >= MOST_SERIES:
        labels = (("gen_ai.response.model", "other"),)
    row = into.setdefault(labels, [0.0] * (len(bounds) + 2))
    row[bisect_left(bounds, value)] += 1
    row[-1] += value


def _histogram(
    name: str, unit: str, bounds: tuple[float, ...],
    series: Mapping[tuple[tuple[str, str], ...], list[float]], start_ns: int, now_ns: int,
) -> dict[str, Any]:  # fmt: skip
    return {
        "name": name,
        "unit": unit,
        "histogram": {
            "aggregationTemporality": 2,
            "dataPoints": [
                {
                    "attributes": [attribute(key, value) for key, value in labels],
                    "startTimeUnixNano": str(start_ns),
                    "timeUnixNano": str(now_ns),
                    "count": str(int(sum(row[:-1]))),
                    "sum": row[-1],
                    "bucketCounts": [str(int(count)) for count in row[:-1]],
                    "explicitBounds": list(bounds),
                }
                for labels, row in series.items()
            ],
        },
    }
