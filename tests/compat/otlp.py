"""What the official protocol definitions make of the hub's OTLP/JSON.

`otlp.py FILE`, in the environment of `make compat`: each line of FILE is a path and a body,
separated by a tab. Every field must be one that the definitions know, with its type.
Source: opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding": ids are hexadecimal there,
where protobuf's own mapping has base64; nothing else differs.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

IDS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


def in_base64(value: Any) -> Any:
    """The document with its ids as protobuf's JSON mapping has them."""
    if isinstance(value, list):
        return [in_base64(one) for one in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for name, one in value.items():
        if name in IDS:
            raw = bytes.fromhex(one)
            assert len(raw) == IDS[name], f"{name} has {len(raw)} bytes"
            out[name] = base64.b64encode(raw).decode()
        else:
            out[name] = in_base64(one)
    return out


def main() -> int:
    spans: list[Any] = []
    metrics: list[Any] = []
    for line in Path(sys.argv[1]).read_text().splitlines():
        path, _, body = line.partition("\t")
        text = json.dumps(in_base64(json.loads(body)))
        if path.endswith("/v1/traces"):
            request = Parse(text, ExportTraceServiceRequest())
            for resource in request.resource_spans:
                spans += [span for scope in resource.scope_spans for span in scope.spans]
        else:
            told = Parse(text, ExportMetricsServiceRequest())
            for resource in told.resource_metrics:
                metrics += [one for scope in resource.scope_metrics for one in scope.metrics]
    assert spans and metrics, (len(spans), len(metrics))
    for span in spans:
        assert span.name and span.start_time_unix_nano <= span.end_time_unix_nano
    joined = [one for one in spans if one.trace_id.hex() == sys.argv[2]]
    assert joined, "the client's trace is not among those told"
    assert any(one.attributes for one in joined)
    kinds = {one.WhichOneof("data") for one in metrics}
    assert kinds >= {"sum", "gauge", "histogram"}, kinds
    for one in metrics:
        points = getattr(one, one.WhichOneof("data")).data_points
        assert len(points), one.name
    print(f"ok  OTLP/JSON: {len(spans)} spans and {len(metrics)} metrics by the definitions")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
