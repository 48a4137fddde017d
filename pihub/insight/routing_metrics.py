"""What /metrics says of routing: decisions, queues, learnt speeds, how good predictions are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pihub.domain.target import Target
from pihub.insight.exposition import Metric, family
from pihub.shared.metrics import Series
from pihub.shared.routing import Cell, Event, LocalState, Speeds, now_ms
from pihub.shared.state import SharedState

DECISIONS = Metric("pihub_routing_events_total", "counter", "Decisions of the router, by kind")
DRAFTS = Metric("pihub_drafts_total", "counter", "Local drafts that were checked, by outcome")
WAITING = Metric("pihub_queue_waiting", "gauge", "Requests that wait before a local upstream")
RUNNING = Metric("pihub_queue_running", "gauge", "Requests that a queued upstream serves now")
ETA = Metric("pihub_queue_wait_seconds", "gauge", "Predicted wait of a newcomer")
PREFILL = Metric("pihub_model_prefill_tokens_per_second", "gauge", "Learnt prompt tokens a second")
DECODE = Metric("pihub_model_decode_tokens_per_second", "gauge", "Learnt output tokens a second")
LOAD = Metric("pihub_model_load_seconds", "gauge", "Learnt seconds of loading the model")
ERROR = Metric(
    "pihub_model_prediction_error_ratio", "gauge", "Mean of |predicted - real| / real, recent"
)
MISSED = Metric(
    "pihub_prediction_error_seconds", "histogram", "How far predicted local times were off"
)
QUEUED = Metric("pihub_queue_duration_seconds", "histogram", "Time in the queue before an upstream")
LOADED = Metric("pihub_model_loaded", "gauge", "Whether the hub last saw the local model loaded")
REUSE = Metric(
    "pihub_model_prefix_reuse_ratio", "gauge", "Share of prompts that needed no reading, recent"
)

READ = Metric(
    "pihub_model_prompt_cache_read_ratio", "gauge",
    "Recent share of prompt tokens that came from the vendor's prompt cache",
)  # fmt: skip
WRITTEN = Metric(
    "pihub_model_prompt_cache_write_ratio", "gauge",
    "Recent share of prompt tokens that were written to the vendor's prompt cache",
)  # fmt: skip

ROUTING = (DECISIONS, DRAFTS, WAITING, RUNNING, ETA, PREFILL, DECODE, LOAD, ERROR, REUSE, LOADED,
           READ, WRITTEN)  # fmt: skip
TIMES = ((MISSED, Series.PREDICTED), (QUEUED, Series.QUEUE))
_CELLS = (
    (PREFILL, Cell.PREFILL), (DECODE, Cell.DECODE), (LOAD, Cell.LOAD), (ERROR, Cell.ERROR),
    (REUSE, Cell.REUSE), (READ, Cell.CACHE_READ), (WRITTEN, Cell.CACHE_WRITTEN),
)  # fmt: skip


def routing_lines(
    state: SharedState, rows: Mapping[str, int], targets: Sequence[Target]
) -> Iterator[str]:
    total = state.routing.total
    plain = [one for one in Event if not one.name.startswith("DRAFT_")]
    drafts = [one for one in Event if one.name.startswith("DRAFT_")]
    yield from family(DECISIONS, [({"event": one.name.lower()}, total(one)) for one in plain])
    yield from family(
        DRAFTS,
        [({"outcome": one.name.removeprefix("DRAFT_").lower()}, total(one)) for one in drafts],
    )
    now = now_ms()
    loads = {name: state.queues.load(row, now) for name, row in rows.items()}
    for metric, part, unit in ((WAITING, 0, 1), (RUNNING, 1, 1), (ETA, 2, 1000)):
        yield from family(
            metric, [({"upstream": name}, found[part] / unit) for name, found in loads.items()]
        )
    speeds = Speeds(state)
    for metric, cell in _CELLS:
        known = [(target.name, speeds.read(target, cell)) for target in targets]
        yield from family(
            metric, [({"target": name}, mean) for name, (mean, samples) in known if samples]
        )
    local = LocalState(state)
    seen = [(t.name, local.model(t)) for t in targets if t.kind == "ollama"]
    yield from family(
        LOADED, [({"target": name}, int(one.loaded)) for name, one in seen if one is not None]
    )
