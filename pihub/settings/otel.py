"""OpenTelemetry: where traces and metrics are sent, if anywhere."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pihub.settings.section import Seconds, Section


class Otel(Section, frozen=True):
    """The collector, by OTLP/HTTP in JSON."""

    endpoint: str = ""
    """Base URL; empty: nothing is sent."""
    headers_env: str = ""
    """Names the variable that holds `name=value,...` header fields, as a collector's key."""
    headers_file: str = ""
    interval: Seconds = 10.0
    traces: bool = True
    metrics: bool = True
    sample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    """Of the requests that came without a trace of their own."""
    service_name: str = "pihub"
