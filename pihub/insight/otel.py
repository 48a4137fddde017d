"""Sends traces and metrics to a collector by OTLP/HTTP in JSON, from the control process.

Nothing waits for the collector: what it does not take in time is dropped and counted.
"""

from __future__ import annotations

import gzip
import http.client
import json
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from pihub import __version__
from pihub.insight.spans import GenAi, attribute, spans
from pihub.settings.otel import Otel
from pihub.shared.events import Record
from pihub.shared.traces import SAMPLED, Trace

log = logging.getLogger("pihub.otel")

WAITING = 4096
"""Spans that wait for the collector: some 1.5 kB each, 6 MiB in all."""
BATCH = 512
KNOWN = 4096
"""Clients' traces that wait for their request's record."""
TIMEOUT = 10.0
BACKOFF = (1.0, 60.0)


class Traces(Protocol):
    """`shared.traces.TraceLog`."""

    def drain(self) -> dict[int, Trace]: ...


class OtelExporter:
    """`stored` from the recorder's thread; `run` is the body of a thread of its own."""

    def __init__(
        self,
        settings: Otel,
        headers: bytes | None,
        traces: Traces,
        boot: int,
        name: Callable[[int], str],
        kinds: Mapping[str, str],
        lines: Callable[[], Sequence[str]],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """`lines`: the metrics in the text format; `headers`: `name=value,...`."""
        self._settings = settings
        self._url = urlsplit(settings.endpoint)
        self._headers = dict(
            pair.split("=", 1) for pair in (headers or b"").decode().split(",") if "=" in pair
        )
        self._traces = traces
        self._boot = boot
        self._name = name
        self._kinds = kinds
        self._lines = lines
        self._clock = clock
        self._started = clock()
        self._known: dict[int, Trace] = {}
        self._genai = GenAi()
        self._lock = threading.Lock()
        self._spans: deque[dict[str, Any]] = deque(maxlen=WAITING)
        self.dropped = 0
        self.failures = 0

    def stored(self, records: Sequence[bytes]) -> None:
        """After their commit; takes microseconds a record."""
        with self._lock:
            self._known.update(self._traces.drain())
            for raw in records:
                record = Record.unpack(raw)
                trace = self._known.pop(record.rid, None)
                model, upstream = self._name(record.model), self._name(record.upstream)
                provider = self._kinds.get(upstream, upstream)
                self._genai.add(record, model, self._name(record.alias), provider)
                if not self._settings.traces or not self._sampled(trace):
                    continue
                made = spans(record, trace, self._boot, self._name, self._kinds)
                self.dropped += max(0, len(self._spans) + len(made) - WAITING)
                self._spans.extend(made)
            while len(self._known) > KNOWN:
                del self._known[next(iter(self._known))]

    def _sampled(self, trace: Trace | None) -> bool:
        if trace is not None:
            return bool(trace.flags & SAMPLED)
        return random.random() < self._settings.sample

    def run(self, stop: threading.Event) -> None:
        pause = self._settings.interval
        while not stop.wait(pause):
            if self.send():
                pause = self._settings.interval
            else:
                low, high = BACKOFF
                pause = min(high, max(low, pause * 2))
        self.send()

    def send(self) -> bool:
        """Everything that waits; whether the collector took it."""
        while True:
            with self._lock:
                batch = [self._spans.popleft() for _ in range(min(BATCH, len(self._spans)))]
            if not batch:
                break
            if not self._post("/v1/traces", "resourceSpans", "scopeSpans", {"spans": batch}):
                with self._lock:
                    room = WAITING - len(self._spans)
                    self.dropped += max(0, len(batch) - room)
                    self._spans.extendleft(reversed(batch[-room:] if room else []))
                return False
        if not self._settings.metrics:
            return True
        now = self._clock()
        with self._lock:
            found = self._genai.metrics(self._started, now)
        found += otlp(self._lines(), self._started, now)
        return self._post("/v1/metrics", "resourceMetrics", "scopeMetrics", {"metrics": found})

    def _post(self, path: str, outer: str, inner: str, content: dict[str, Any]) -> bool:
        body = {
            outer: [
                {
                    "resource": {
                        "attributes": [
                            attribute("service.name", self._settings.service_name),
                            attribute("service.version", __version__),
                        ]
                    },
                    inner: [{"scope": {"name": "pihub", "version": __version__}, **content}],
                }
            ]
        }
        data = gzip.compress(json.dumps(body, separators=(",", ":")).encode(), 1)
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else (
            http.client.HTTPConnection
        )  # fmt: skip
        connection = kind(self._url.hostname or "", self._url.port, timeout=TIMEOUT)
        try:
            connection.request(
                "POST", self._url.path.rstrip("/") + path, data,
                {"content-type": "application/json", "content-encoding": "gzip", **self._headers},
            )  # fmt: skip
            answer = connection.getresponse()
            answer.read()
            # 4xx but for 429: sending it again would be refused again (OTLP/HTTP, "Failures").
            if answer.status < 300 or (400 <= answer.status < 500 and answer.status != 429):
                if answer.status >= 300:
                    self._failed(f"status {answer.status}")
                return True
            self._failed(f"status {answer.status}")
        except (OSError, http.client.HTTPException) as error:
            self._failed(str(error) or type(error).__name__)
        finally:
            connection.close()
        return False

    def _failed(self, why: str) -> None:
        self.failures += 1
        if self.failures == 1:
            log.warning("the collector does not take what it is sent: %s", why)


def otlp(lines: Sequence[str], start_ns: int, now_ns: int) -> list[dict[str, Any]]:
    """Counters and gauges of the text format as OTLP metrics (histograms: `gen_ai.*`)."""
    kinds: dict[str, str] = {}
    points: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            kinds[name] = kind
            continue
        name = line.partition("{")[0].partition(" ")[0]
        if line.startswith("#") or kinds.get(name) not in ("counter", "gauge"):
            continue
        labels, _, value = line[len(name) :].rpartition(" ")
        points.setdefault(name, []).append(
            {
                "attributes": [
                    attribute(key, text)
                    for key, _, text in (
                        pair.partition('="') for pair in labels.strip("{}")[:-1].split('",') if pair
                    )
                ],
                "startTimeUnixNano": str(start_ns),
                "timeUnixNano": str(now_ns),
                "asDouble": float(value),
            }
        )
    return [
        {"name": name, "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": one}}
        if kinds[name] == "counter"
        else {"name": name, "gauge": {"dataPoints": one}}
        for name, one in points.items()
    ]
