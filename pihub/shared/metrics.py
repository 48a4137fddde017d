"""What is counted: columns of the counters, series of the histograms.

Every worker owns one row of each table and is its only writer; readers sum the rows.
RAM: (MAX_SLOTS rows x columns x 8 bytes) + rows x series x 15 KiB; see state.py.
"""

from __future__ import annotations

from enum import IntEnum


class Column(IntEnum):
    """Columns of the `counters` region. The journal writes its own by number."""

    REQUESTS = 0
    HITS = 1
    REFUSED = 2
    """By the hub itself (Reason.REFUSED)."""
    ERRORS = 3
    """Answers of 500 and above."""
    MISSES = 4
    BYPASSES = 5
    SHARED = 6
    """Answers taken from another request's flight."""
    STALE = 7
    FALLBACKS = 8
    """Answers that did not come from the first target of their chain."""
    IN_FLIGHT = 9
    """Gauge: requests inside the pipeline."""
    STREAMS_OPEN = 10
    """Gauge."""
    STREAMS = 11
    BYTES_IN = 12
    BYTES_OUT = 13
    TOKENS_IN = 14
    TOKENS_OUT = 15
    COST_NANO = 16
    SAVED_NANO = 17
    PRICE_UNKNOWN = 18
    CLIENT_GONE = 19
    MALFORMED_EVENTS = 20
    CACHE_REFUSED = 21
    EVENTS_RECORDED = 22
    """Request records that the control process has stored; its row only, as the next two."""
    EVENTS_LOST = 23
    """Records overwritten before they could be stored."""
    STORE_FAILURES = 24
    """Batches that could not be stored at once (they are tried again)."""
    HOOK_EVENTS = 25
    """Webhook events committed; the control process's row, as the next two."""
    HOOK_DUPLICATES = 26
    HOOK_IGNORED = 27
    """Too old, or of an object that was to be forgotten."""
    HOOK_REFUSED = 28
    """Webhook requests with a wrong signature, body or name."""
    LANE = 29
    """Chats that the core's lane answered."""
    HOOK_DELIVERED = 30
    """Deliveries that a target took; the control process's row, as those below."""
    HOOK_FAILED = 31
    """Attempts that failed."""
    HOOK_DEAD = 32
    """Deliveries given up."""
    HOOK_PENDING = 33
    """Gauge: deliveries that wait."""
    HOOK_LETTERS = 34
    """Gauge: dead letters that could be replayed."""
    COMPRESSED = 35
    """Answers of the control plane that were compressed; its row, as the next two."""
    COMPRESSION_SAVED = 36
    """Bytes that they became shorter by."""
    STORE_WRITTEN = 37
    """Bytes that the recorder wrote to the disk."""
    MEMORY_STEPS = 38
    """Times that the cache was made smaller for want of memory; the control process's row, as
    the next."""
    MEMORY_SHED = 39
    """Bytes that it gave back to the system."""
    SCANNER_NOTED = 40
    """What the input scanner found and let pass."""
    SCANNER_BLOCKED = 41
    """What it refused."""
    PROMPTS_FOUND = 42
    """Prompts in which something was found."""
    PROMPTS_REDACTED = 43
    """Those that left the house without it."""
    PROMPTS_KEPT_LOCAL = 44
    """Those whose targets outside were left out."""
    PROMPTS_WITHHELD = 45
    """Those that were refused, because there was no local target."""
    NEGATIVE = 46
    """Refusals that were told again from the cache."""


class Series(IntEnum):
    """Series of the `latency` region, in microseconds."""

    REQUEST = 0
    TTFT = 1
    UPSTREAM = 2
    """Call to first byte of one upstream attempt."""
    INSPECT = 3
    LOOKUP = 4
    ROUTE = 5
    CALL = 6
    RENDER = 7
    REMEMBER = 8
    PREDICTED = 9
    """How far the predicted time of a local answer was from the real one."""
    QUEUE = 10
    """Time in the queue before a local upstream."""


class Foretold(IntEnum):
    """Columns of the `foretold` region, one row: what the cache would do with other sizes, by
    the look-ups of the last days (insight/cache_study.py)."""

    HALF_PPM = 0
    """Millionths of the look-ups that a cache of half the size would answer."""
    SAME_PPM = 1
    DOUBLE_PPM = 2
    HALF_NANO = 3
    """Nano-USD a day that it would save."""
    SAME_NANO = 4
    DOUBLE_NANO = 5
    HALF_MS = 6
    """Milliseconds a day that its hits would have taken upstream."""
    SAME_MS = 7
    DOUBLE_MS = 8
    SAMPLE_PPM = 9
    """Millionths of the keys that are followed."""


class Route(IntEnum):
    """Route numbers: rows of refusals at the edge, labels on /metrics."""

    OTHER = 0
    OPENAI_CHAT = 1
    ANTHROPIC_MESSAGES = 2
    OLLAMA_CHAT = 3
    MODELS = 4
    API = 5
    CONTROL = 6
    HEALTH = 7
    WEBHOOK = 8
    OPENAI_COMPLETIONS = 9
    OPENAI_RESPONSES = 10
    OPENAI_EMBEDDINGS = 11
    OLLAMA_GENERATE = 12
    OLLAMA_EMBED = 13
    OLLAMA_SHOW = 14
    COUNT_TOKENS = 15


STATUS_CLASSES = 6
"""Per route: 1xx..5xx by the first digit, and 0 for 499 (client gone)."""

ROUTE_CACHE = 6
"""Within a route's columns: where the states of the cache (shared.events) begin. The last of
them lies where reason 0 would, which is never counted."""
ROUTE_WHY = 12
"""Where the reasons of domain.whynot begin."""
ROUTE_COLUMNS = 40
"""Columns of one route: 16 routes x 40 x 8 B = 5 KiB a process."""

MAX_UPSTREAMS = 32
"""Upstreams and APIs together that have counters and breakers of their own."""


class UpstreamColumn(IntEnum):
    """Columns of one upstream's block in the `upstreams` region."""

    CALLS = 0
    OK = 1
    FAILED = 2
    TIMEOUTS = 3
    ERROR_AT = 4
    """Unix seconds of the last failure that this worker saw; with it, in the shared names,
    its code, and the upstream's status (0: there was no answer)."""
    ERROR = 5
    ERROR_STATUS = 6
    CONNECTIONS = 7
    """Of this worker's pool: open ones, of them idle, callers that wait for one."""
    IDLE = 8
    WAITING = 9


def route_column(route: int, status: int) -> int:
    """Column of the `routes` region for a route and an HTTP status."""
    return route * ROUTE_COLUMNS + (0 if status == 499 else min(status // 100, 5))


def cache_column(route: int, cache: int) -> int:
    """Column of the `routes` region for a route and what the cache did (CacheState)."""
    return route * ROUTE_COLUMNS + ROUTE_CACHE + cache


def why_column(route: int, why: int) -> int:
    """Column of the `routes` region for a route and why nothing was kept (WhyNot)."""
    return route * ROUTE_COLUMNS + ROUTE_WHY + why


def upstream_column(index: int, column: UpstreamColumn) -> int:
    """Column of the `upstreams` region."""
    return index * len(UpstreamColumn) + column


def gauge(value: int) -> int:
    """A sum of gauges below zero (a killed worker's row, for a moment) reads as zero."""
    return 0 if value < 0 or value >> 63 else value
