"""What /metrics says, from the shared arena alone: any worker can answer, always.

`METRICS` is every family (insight/family.py); docs/metrics.md explains them and a test
compares both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from pihub import __version__
from pihub.domain.target import Target
from pihub.insight import openmetrics
from pihub.insight.cache_metrics import CACHE
from pihub.insight.exemplars import exemplars
from pihub.insight.exposition import CONTENT_TYPE, Histo
from pihub.insight.family import (
    Family,
    Histogram,
    Metric,
    Scrape,
    Values,
    counter,
    durations,
    level,
    times,
)
from pihub.insight.health_metrics import VITALS
from pihub.insight.machine_metrics import MACHINE
from pihub.insight.routing_metrics import ROUTING
from pihub.shared.health import HealthBoard
from pihub.shared.metrics import STATUS_CLASSES, Column, Route, Series, route_column
from pihub.shared.state import SharedState

__all__ = ["CONTENT_TYPE", "METRICS", "exposition", "render"]

STAGE_BOUNDS_US = (10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 100_000, 1_000_000, 10_000_000)
BREAKER_STATES = ("closed", "open", "half-open")
STALE_MS = 10_000
"""A process whose last heartbeat is older does not count as up."""
NANO = 1_000_000_000
_STAGES = (
    Series.INSPECT, Series.LOOKUP, Series.ROUTE, Series.CALL, Series.RENDER, Series.REMEMBER,
)  # fmt: skip


def _requests(scrape: Scrape) -> Values:
    for route in Route:
        for digit in range(STATUS_CLASSES):
            count = scrape.state.routes.total(route_column(route, digit * 100 if digit else 499))
            if count:
                status = f"{digit}xx" if digit else "499"
                yield {"route": route.name.lower(), "status": status}, count


def _tokens(scrape: Scrape) -> Values:
    total = scrape.state.counters.total
    yield {"direction": "input"}, total(Column.TOKENS_IN)
    yield {"direction": "output"}, total(Column.TOKENS_OUT)


def _processes(scrape: Scrape) -> Values:
    now = int(time.monotonic() * 1000)
    for slot in range(scrape.state.slots):
        pid, _, beat = scrape.state.arena.slot_info(slot)
        if pid or slot == 0:
            role = "worker" if slot else "control"
            up = bool(pid) and now - beat < STALE_MS
            yield {"role": role, "slot": str(slot)}, int(up)


def _stages(scrape: Scrape) -> Iterable[Histo]:
    for one in _STAGES:
        yield durations(scrape, one, STAGE_BOUNDS_US, {"stage": one.name.lower()})


def _of_upstreams(field: str) -> Callable[[Scrape], Values]:
    return lambda scrape: [
        ({"upstream": name}, int(one[field])) for name, one in scrape.upstreams.items()
    ]


def _breakers(scrape: Scrape) -> Values:
    for name, one in scrape.upstreams.items():
        for state in BREAKER_STATES:
            yield {"upstream": name, "state": state}, int(one["state"] == state)


REQUESTS: tuple[Family, ...] = (
    Metric("pihub_build_info", "gauge", "Version of the running hub, always 1",
           lambda _: [({"version": __version__}, 1)]),
    Metric("pihub_requests_total", "counter", "Requests, cache hits and refusals included",
           _requests),
    counter("pihub_requests_refused_total", "Requests that the hub itself refused",
            Column.REFUSED),
    counter("pihub_server_errors_total", "Answers with a status of 500 or more", Column.ERRORS),
    counter("pihub_fallbacks_total", "Answers that came from a later target of their chain",
            Column.FALLBACKS),
    level("pihub_requests_in_flight", "Requests inside the pipeline now", Column.IN_FLIGHT),
    level("pihub_streams_open", "Streams that are being sent now", Column.STREAMS_OPEN),
    counter("pihub_streams_total", "Streams begun", Column.STREAMS),
    counter("pihub_lane_total", "Chats that the core's lane passed through", Column.LANE),
    counter("pihub_received_bytes_total", "Bytes of request bodies", Column.BYTES_IN),
    counter("pihub_sent_bytes_total", "Bytes of answer bodies", Column.BYTES_OUT),
    Metric("pihub_tokens_total", "counter", "Tokens that upstreams counted", _tokens),
    counter("pihub_cost_usd_total", "Money spent at known prices, in USD", Column.COST_NANO,
            unit=NANO),
    counter("pihub_saved_usd_total", "Money that the cache saved, in USD", Column.SAVED_NANO,
            unit=NANO),
    counter("pihub_unpriced_requests_total",
            "Requests whose cost is unknown, in no sum of money", Column.PRICE_UNKNOWN),
    counter("pihub_clients_gone_total", "Clients that left before the end", Column.CLIENT_GONE),
    counter("pihub_malformed_events_total", "Malformed events in upstream streams, skipped",
            Column.MALFORMED_EVENTS),
    counter("pihub_scanner_noted_total", "Findings of the input scanner that passed",
            Column.SCANNER_NOTED),
    counter("pihub_scanner_blocked_total", "Findings of the input scanner that were refused",
            Column.SCANNER_BLOCKED),
    counter("pihub_prompts_found_total", "Prompts in which something was found",
            Column.PROMPTS_FOUND),
    counter("pihub_prompts_redacted_total", "Prompts that left the house without it",
            Column.PROMPTS_REDACTED),
    counter("pihub_prompts_kept_local_total", "Prompts whose targets outside were left out",
            Column.PROMPTS_KEPT_LOCAL),
    counter("pihub_prompts_withheld_total",
            "Prompts that were refused, because no local target was there",
            Column.PROMPTS_WITHHELD),
    times("pihub_request_duration_seconds", "From the request's head to the last byte",
          Series.REQUEST),
    times("pihub_first_token_seconds", "From the request's head to the first content byte",
          Series.TTFT),
    times("pihub_upstream_first_byte_seconds", "From one upstream call to its first byte",
          Series.UPSTREAM),
    Histogram("pihub_stage_duration_seconds", "Time in a stage of the pipeline", _stages),
    Metric("pihub_upstream_calls_total", "counter", "Calls of an upstream",
           _of_upstreams("calls")),
    Metric("pihub_upstream_failures_total", "counter", "Failed calls of an upstream",
           _of_upstreams("failures")),
    Metric("pihub_upstream_timeouts_total", "counter", "Calls that ended by a timer",
           _of_upstreams("timeouts")),
    Metric("pihub_upstream_breaker_state", "gauge",
           "1 for the state that the circuit breaker is in", _breakers),
)  # fmt: skip
HUB: tuple[Family, ...] = (
    counter("pihub_records_stored_total", "Request records in the database",
            Column.EVENTS_RECORDED),
    counter("pihub_records_lost_total",
            "Request records overwritten before they were stored", Column.EVENTS_LOST),
    counter("pihub_store_failures_total", "Batches that the database did not take at once",
            Column.STORE_FAILURES),
    counter("pihub_store_written_bytes_total", "Bytes that the recorder wrote to the disk",
            Column.STORE_WRITTEN),
    counter("pihub_compressed_answers_total",
            "Answers of the control plane that were compressed", Column.COMPRESSED),
    counter("pihub_compression_saved_bytes_total",
            "Bytes that compressed answers became shorter", Column.COMPRESSION_SAVED),
    Metric("pihub_keys", "gauge", "API keys in force",
           lambda scrape: [({}, len(scrape.state.keys))]),
    Metric("pihub_process_up", "gauge", "Whether a process of the hub is alive, by role",
           _processes),
)  # fmt: skip
WEBHOOKS: tuple[Family, ...] = (
    counter("pihub_webhook_events_total", "Webhook events that were committed",
            Column.HOOK_EVENTS),
    counter("pihub_webhook_duplicates_total", "Webhook events that were there already",
            Column.HOOK_DUPLICATES),
    counter("pihub_webhook_ignored_total", "Webhook events too old, or of the forgotten",
            Column.HOOK_IGNORED),
    counter("pihub_webhook_refused_total", "Webhook requests with a bad signature or body",
            Column.HOOK_REFUSED),
    counter("pihub_webhook_delivered_total", "Deliveries that a target took",
            Column.HOOK_DELIVERED),
    counter("pihub_webhook_failed_attempts_total", "Attempts to deliver that failed",
            Column.HOOK_FAILED),
    counter("pihub_webhook_dead_total", "Deliveries that were given up", Column.HOOK_DEAD),
    level("pihub_webhook_pending", "Deliveries that wait", Column.HOOK_PENDING),
    level("pihub_webhook_dead_letters", "Dead letters that could be replayed",
          Column.HOOK_LETTERS),
)  # fmt: skip
METRICS: tuple[Family, ...] = (
    *REQUESTS, *CACHE, *HUB, *WEBHOOKS, *ROUTING, *MACHINE, *VITALS.values(),
)  # fmt: skip


def render(
    state: SharedState, health: HealthBoard, targets: Sequence[Target] = ()
) -> bytes:
    """The whole exposition, some 30 KiB; costs 1 to 3 ms."""
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


def _lines(
    state: SharedState, health: HealthBoard, targets: Sequence[Target]
) -> Iterator[str]:
    scrape = Scrape(state, health, targets)
    for one in METRICS:
        yield from one.lines(scrape)
