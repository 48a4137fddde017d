"""What /metrics says, from the shared arena alone: any worker can answer, always.

`METRICS` lists every family; docs/metrics.md explains them and a test compares both.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from pihub import __version__
from pihub.domain.target import Target
from pihub.insight import machine, openmetrics
from pihub.insight.cache_metrics import CACHE, cache_lines
from pihub.insight.exemplars import exemplars
from pihub.insight.exposition import CONTENT_TYPE, Histo, Labels, Metric, family, histogram
from pihub.insight.routing_metrics import ROUTING, TIMES, routing_lines
from pihub.insight.vitals import VITALS, vitals_lines
from pihub.shared.health import HealthBoard
from pihub.shared.metrics import STATUS_CLASSES, Column, Route, Series, route_column
from pihub.shared.state import SharedState

__all__ = ["CONTENT_TYPE", "METRICS", "exposition", "render"]

LATENCY_BOUNDS_US = (
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000, 120_000_000,
)  # fmt: skip
STAGE_BOUNDS_US = (10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 100_000, 1_000_000, 10_000_000)
BREAKER_STATES = ("closed", "open", "half-open")
STALE_MS = 10_000
"""A process whose last heartbeat is older does not count as up."""
NANO = 1_000_000_000
MICRO = 1_000_000

BUILD = Metric("pihub_build_info", "gauge", "Version of the running hub, always 1")
REQUESTS = Metric("pihub_requests_total", "counter", "Requests, cache hits and refusals included")
REFUSED = Metric("pihub_requests_refused_total", "counter", "Requests that the hub itself refused")
ERRORS = Metric("pihub_server_errors_total", "counter", "Answers with a status of 500 or more")
CACHE_RESULTS = Metric("pihub_cache_results_total", "counter", "What the cache did for a request")
FALLBACKS = Metric(
    "pihub_fallbacks_total", "counter", "Answers that came from a later target of their chain"
)
IN_FLIGHT = Metric("pihub_requests_in_flight", "gauge", "Requests inside the pipeline now")
STREAMS_OPEN = Metric("pihub_streams_open", "gauge", "Streams that are being sent now")
LANE = Metric("pihub_lane_total", "counter", "Chats that the core's lane passed through")
STREAMS = Metric("pihub_streams_total", "counter", "Streams begun")
RECEIVED = Metric("pihub_received_bytes_total", "counter", "Bytes of request bodies")
SENT = Metric("pihub_sent_bytes_total", "counter", "Bytes of answer bodies")
TOKENS = Metric("pihub_tokens_total", "counter", "Tokens that upstreams counted")
COST = Metric("pihub_cost_usd_total", "counter", "Money spent at known prices, in USD")
SAVED = Metric("pihub_saved_usd_total", "counter", "Money that the cache saved, in USD")
UNPRICED = Metric(
    "pihub_unpriced_requests_total", "counter", "Requests whose cost is unknown, in no sum of money"
)
CLIENT_GONE = Metric("pihub_clients_gone_total", "counter", "Clients that left before the end")
MALFORMED = Metric(
    "pihub_malformed_events_total", "counter", "Malformed events in upstream streams, skipped"
)
CACHE_REFUSED = Metric(
    "pihub_cache_refused_total", "counter", "Answers that the cache would not keep"
)
CACHE_ENTRIES = Metric("pihub_cache_entries", "gauge", "Entries in the shared cache")
CACHE_BYTES = Metric("pihub_cache_bytes", "gauge", "Bytes of live entries in the shared cache")
CACHE_CAPACITY = Metric("pihub_cache_capacity_bytes", "gauge", "Size of the shared cache in bytes")
CACHE_EVICTED = Metric("pihub_cache_evictions_total", "counter", "Entries evicted from the cache")
RECORDED = Metric("pihub_records_stored_total", "counter", "Request records in the database")
LOST = Metric(
    "pihub_records_lost_total", "counter", "Request records overwritten before they were stored"
)
STORE_FAILURES = Metric(
    "pihub_store_failures_total", "counter", "Batches that the database did not take at once"
)
HOOK_EVENTS = Metric(
    "pihub_webhook_events_total", "counter", "Webhook events that were committed"
)
HOOK_DUPLICATES = Metric(
    "pihub_webhook_duplicates_total", "counter", "Webhook events that were there already"
)
HOOK_IGNORED = Metric(
    "pihub_webhook_ignored_total", "counter", "Webhook events too old, or of the forgotten"
)
HOOK_REFUSED = Metric(
    "pihub_webhook_refused_total", "counter", "Webhook requests with a bad signature or body"
)
HOOK_DELIVERED = Metric(
    "pihub_webhook_delivered_total", "counter", "Deliveries that a target took"
)
HOOK_FAILED = Metric(
    "pihub_webhook_failed_attempts_total", "counter", "Attempts to deliver that failed"
)
HOOK_DEAD = Metric("pihub_webhook_dead_total", "counter", "Deliveries that were given up")
HOOK_PENDING = Metric("pihub_webhook_pending", "gauge", "Deliveries that wait")
HOOK_LETTERS = Metric(
    "pihub_webhook_dead_letters", "gauge", "Dead letters that could be replayed"
)
COMPRESSED = Metric(
    "pihub_compressed_answers_total", "counter", "Answers of the control plane that were compressed"
)
COMPRESSION_SAVED = Metric(
    "pihub_compression_saved_bytes_total", "counter", "Bytes that compressed answers became shorter"
)
STORE_WRITTEN = Metric(
    "pihub_store_written_bytes_total", "counter", "Bytes that the recorder wrote to the disk"
)
MEMORY_STEPS = Metric(
    "pihub_memory_steps_total", "counter", "Times that the cache shrank for want of memory"
)
MEMORY_SHED = Metric(
    "pihub_memory_shed_bytes_total", "counter", "Bytes that the cache gave back to the system"
)
KEYS = Metric("pihub_keys", "gauge", "API keys in force")
UP = Metric("pihub_process_up", "gauge", "Whether a process of the hub is alive, by role")
DURATION = Metric(
    "pihub_request_duration_seconds", "histogram", "From the request's head to the last byte"
)
TTFT = Metric(
    "pihub_first_token_seconds", "histogram", "From the request's head to the first content byte"
)
FIRST_BYTE = Metric(
    "pihub_upstream_first_byte_seconds", "histogram", "From one upstream call to its first byte"
)
STAGES = Metric("pihub_stage_duration_seconds", "histogram", "Time in a stage of the pipeline")
CALLS = Metric("pihub_upstream_calls_total", "counter", "Calls of an upstream")
OUTCOMES = Metric("pihub_upstream_failures_total", "counter", "Failed calls of an upstream")
TIMEOUTS = Metric("pihub_upstream_timeouts_total", "counter", "Calls that ended by a timer")
BREAKER = Metric(
    "pihub_upstream_breaker_state", "gauge", "1 for the state that the circuit breaker is in"
)

SCANNER_NOTED = Metric(
    "pihub_scanner_noted_total", "counter", "Findings of the input scanner that passed"
)
SCANNER_BLOCKED = Metric(
    "pihub_scanner_blocked_total", "counter", "Findings of the input scanner that were refused"
)

METRICS = (
    BUILD, REQUESTS, REFUSED, ERRORS, CACHE_RESULTS, FALLBACKS, IN_FLIGHT, STREAMS_OPEN,
    STREAMS, LANE, RECEIVED, SENT, TOKENS, COST, SAVED, UNPRICED, CLIENT_GONE, MALFORMED,
    CACHE_REFUSED, CACHE_ENTRIES, CACHE_BYTES, CACHE_CAPACITY, CACHE_EVICTED, RECORDED, LOST,
    STORE_FAILURES, HOOK_EVENTS, HOOK_DUPLICATES, HOOK_IGNORED, HOOK_REFUSED,
    HOOK_DELIVERED, HOOK_FAILED, HOOK_DEAD, HOOK_PENDING, HOOK_LETTERS,
    COMPRESSED, COMPRESSION_SAVED, STORE_WRITTEN, MEMORY_STEPS, MEMORY_SHED, SCANNER_NOTED,
    SCANNER_BLOCKED,
    KEYS, UP, DURATION, TTFT, FIRST_BYTE, STAGES, CALLS, OUTCOMES, TIMEOUTS,
    BREAKER, *CACHE, *ROUTING, *(metric for metric, _ in TIMES), *machine.MACHINE, *VITALS.values(),
)  # fmt: skip

_PLAIN = (
    (REFUSED, Column.REFUSED),
    (ERRORS, Column.ERRORS),
    (FALLBACKS, Column.FALLBACKS),
    (IN_FLIGHT, Column.IN_FLIGHT),
    (STREAMS_OPEN, Column.STREAMS_OPEN),
    (STREAMS, Column.STREAMS),
    (LANE, Column.LANE),
    (RECEIVED, Column.BYTES_IN),
    (SENT, Column.BYTES_OUT),
    (UNPRICED, Column.PRICE_UNKNOWN),
    (CLIENT_GONE, Column.CLIENT_GONE),
    (MALFORMED, Column.MALFORMED_EVENTS),
    (CACHE_REFUSED, Column.CACHE_REFUSED),
    (RECORDED, Column.EVENTS_RECORDED),
    (LOST, Column.EVENTS_LOST),
    (STORE_FAILURES, Column.STORE_FAILURES),
    (HOOK_EVENTS, Column.HOOK_EVENTS),
    (HOOK_DUPLICATES, Column.HOOK_DUPLICATES),
    (HOOK_IGNORED, Column.HOOK_IGNORED),
    (HOOK_REFUSED, Column.HOOK_REFUSED),
    (HOOK_DELIVERED, Column.HOOK_DELIVERED),
    (HOOK_FAILED, Column.HOOK_FAILED),
    (HOOK_DEAD, Column.HOOK_DEAD),
    (HOOK_PENDING, Column.HOOK_PENDING),
    (HOOK_LETTERS, Column.HOOK_LETTERS),
    (COMPRESSED, Column.COMPRESSED),
    (COMPRESSION_SAVED, Column.COMPRESSION_SAVED),
    (STORE_WRITTEN, Column.STORE_WRITTEN),
    (MEMORY_STEPS, Column.MEMORY_STEPS),
    (MEMORY_SHED, Column.MEMORY_SHED),
    (SCANNER_NOTED, Column.SCANNER_NOTED),
    (SCANNER_BLOCKED, Column.SCANNER_BLOCKED),
)
_RESULTS = {
    "hit": Column.HITS,
    "miss": Column.MISSES,
    "bypass": Column.BYPASSES,
    "shared": Column.SHARED,
    "stale": Column.STALE,
}
_STAGES = (
    Series.INSPECT, Series.LOOKUP, Series.ROUTE, Series.CALL, Series.RENDER, Series.REMEMBER,
)  # fmt: skip


def render(
    state: SharedState, health: HealthBoard, targets: Sequence[Target] = ()
) -> bytes:
    """The whole exposition, some 20 KiB; costs about a millisecond."""
    return ("\n".join(_lines(state, health, targets)) + "\n").encode()


def exposition(
    state: SharedState, health: HealthBoard, accept: str, targets: Sequence[Target] = ()
) -> tuple[str, bytes]:
    """(content type, body) in the format that the Accept field asks for; OpenMetrics comes
    with exemplars."""
    if openmetrics.wanted(accept):
        body = openmetrics.convert(_lines(state, health, targets), exemplars(state))
        return openmetrics.CONTENT_TYPE, body
    return CONTENT_TYPE, render(state, health, targets)


def gauge(value: int) -> int:
    """A sum of gauges below zero (a killed worker's row, for a moment) reads as zero."""
    return 0 if value < 0 or value >> 63 else value


def _lines(
    state: SharedState, health: HealthBoard, targets: Sequence[Target]
) -> Iterator[str]:
    total = state.counters.total
    yield from family(BUILD, [({"version": __version__}, 1)])
    yield from family(REQUESTS, _requests(state))
    for metric, column in _PLAIN:
        value = total(column)
        yield from family(metric, [({}, gauge(value) if metric.kind == "gauge" else value)])
    yield from family(
        CACHE_RESULTS, [({"result": name}, total(column)) for name, column in _RESULTS.items()]
    )
    yield from family(
        TOKENS,
        [
            ({"direction": "input"}, total(Column.TOKENS_IN)),
            ({"direction": "output"}, total(Column.TOKENS_OUT)),
        ],
    )
    yield from family(COST, [({}, total(Column.COST_NANO) / NANO)])
    yield from family(SAVED, [({}, total(Column.SAVED_NANO) / NANO)])
    cache = state.cache.stats()
    yield from family(CACHE_ENTRIES, [({}, cache["entries"])])
    yield from family(CACHE_BYTES, [({}, cache["bytes"])])
    yield from family(CACHE_CAPACITY, [({}, cache["capacity"])])
    yield from family(CACHE_EVICTED, [({}, cache["evicted"])])
    yield from cache_lines(state)
    yield from family(KEYS, [({}, len(state.keys))])
    yield from family(UP, _processes(state))
    for metric, series in (
        (DURATION, Series.REQUEST),
        (TTFT, Series.TTFT),
        (FIRST_BYTE, Series.UPSTREAM),
        *TIMES,
    ):
        yield from histogram(metric, [_histo(state, series, {}, LATENCY_BOUNDS_US)])
    yield from histogram(
        STAGES,
        [_histo(state, one, {"stage": one.name.lower()}, STAGE_BOUNDS_US) for one in _STAGES],
    )
    yield from _upstreams(health)
    yield from routing_lines(state, health.rows, targets)
    yield from machine.lines(state.machine)
    yield from vitals_lines(state.vitals)


def _requests(state: SharedState) -> Iterable[tuple[Labels, int]]:
    for route in Route:
        for digit in range(STATUS_CLASSES):
            count = state.routes.total(route_column(route, digit * 100 if digit else 499))
            if count:
                status = f"{digit}xx" if digit else "499"
                yield {"route": route.name.lower(), "status": status}, count


def _processes(state: SharedState) -> Iterable[tuple[Labels, int]]:
    now = int(time.monotonic() * 1000)
    for slot in range(state.slots):
        pid, _, beat = state.arena.slot_info(slot)
        if pid or slot == 0:
            role = "worker" if slot else "control"
            up = bool(pid) and now - beat < STALE_MS
            yield {"role": role, "slot": str(slot)}, int(up)


def _histo(state: SharedState, series: Series, labels: Labels, bounds: tuple[int, ...]) -> Histo:
    # The buckets before the count: what is recorded in between can only raise the latter.
    cumulative = state.latency.cumulative(series, bounds)
    return Histo(
        labels,
        [bound / MICRO for bound in bounds],
        cumulative,
        state.latency.count(series),
        state.latency.sum(series) / MICRO,
    )


def _upstreams(health: HealthBoard) -> Iterator[str]:
    found = health.snapshot()
    for metric, field in ((CALLS, "calls"), (OUTCOMES, "failures"), (TIMEOUTS, "timeouts")):
        yield from family(
            metric, [({"upstream": name}, int(one[field])) for name, one in found.items()]
        )
    yield from family(
        BREAKER,
        [
            ({"upstream": name, "state": state}, int(one["state"] == state))
            for name, one in found.items()
            for state in BREAKER_STATES
        ],
    )
