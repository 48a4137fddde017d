"""What /metrics says of routing: decisions, queues, learnt speeds, how good predictions are."""

from __future__ import annotations

from collections.abc import Callable

from pihub.insight.family import Family, Metric, Scrape, Values, times
from pihub.shared.metrics import Series
from pihub.shared.routing import Cell, Event, LocalState, Speeds
from pihub.shared.wan import Wan

_DRAFT, _SEMANTIC = "DRAFT_", "SEMANTIC_"


def _events(scrape: Scrape) -> Values:
    for one in Event:
        if not one.name.startswith((_DRAFT, _SEMANTIC)):
            yield {"event": one.name.lower()}, scrape.state.routing.total(one)


def _outcomes(prefix: str) -> Callable[[Scrape], Values]:
    return lambda scrape: [
        ({"outcome": one.name.removeprefix(prefix).lower()}, scrape.state.routing.total(one))
        for one in Event
        if one.name.startswith(prefix)
    ]


def _queue(part: int, unit: int = 1) -> Callable[[Scrape], Values]:
    """`part`: of Scrape.queues."""
    return lambda scrape: [
        ({"upstream": name}, found[part] / unit if unit > 1 else found[part])
        for name, found in scrape.queues.items()
    ]


def _learnt(cell: Cell) -> Callable[[Scrape], Values]:
    def values(scrape: Scrape) -> Values:
        speeds = Speeds(scrape.state)
        for target in scrape.targets:
            mean, count = speeds.read(target, cell)
            if count:
                yield {"target": target.name}, mean

    return values


def _loaded(scrape: Scrape) -> Values:
    local = LocalState(scrape.state)
    for target in scrape.targets:
        seen = local.model(target) if target.kind == "ollama" else None
        if seen is not None:
            yield {"target": target.name}, int(seen.loaded)


def _offline(scrape: Scrape) -> Values:
    yield {}, int(Wan(scrape.state.wan).offline())


def _changed(scrape: Scrape) -> Values:
    yield {}, Wan(scrape.state.wan).state().since


ROUTING: tuple[Family, ...] = (
    Metric("pihub_offline", "gauge", "Whether nothing outside is reached, or it was said by hand",
           _offline),
    Metric("pihub_offline_changed_timestamp_seconds", "gauge",
           "When the hub last went offline or came back, 0: never", _changed),
    Metric("pihub_routing_events_total", "counter", "Decisions of the router, by kind", _events),
    Metric("pihub_drafts_total", "counter", "Local drafts that were checked, by outcome",
           _outcomes(_DRAFT)),
    Metric("pihub_semantic_cache_total", "counter",
           "Questions that were looked for in other words, by outcome", _outcomes(_SEMANTIC)),
    Metric("pihub_queue_waiting", "gauge", "Requests that wait before a local upstream",
           _queue(0)),
    Metric("pihub_queue_running", "gauge", "Requests that a queued upstream serves now",
           _queue(1)),
    Metric("pihub_queue_wait_seconds", "gauge", "Predicted wait of a newcomer", _queue(2, 1000)),
    Metric("pihub_model_prefill_tokens_per_second", "gauge", "Learnt prompt tokens a second",
           _learnt(Cell.PREFILL)),
    Metric("pihub_model_decode_tokens_per_second", "gauge", "Learnt output tokens a second",
           _learnt(Cell.DECODE)),
    Metric("pihub_model_load_seconds", "gauge", "Learnt seconds of loading the model",
           _learnt(Cell.LOAD)),
    Metric("pihub_model_late_first_content_seconds", "gauge",
           "Learnt 95th percentile of the time to a stream's first content",
           _learnt(Cell.FIRST_P95)),
    Metric("pihub_model_late_whole_answer_seconds", "gauge",
           "Learnt 95th percentile of the time to an answer that is not streamed",
           _learnt(Cell.WHOLE_P95)),
    Metric("pihub_model_prediction_error_ratio", "gauge",
           "Mean of |predicted - real| / real, recent", _learnt(Cell.ERROR)),
    Metric("pihub_model_prefix_reuse_ratio", "gauge",
           "Share of prompts that needed no reading, recent", _learnt(Cell.REUSE)),
    Metric("pihub_model_loaded", "gauge", "Whether the hub last saw the local model loaded",
           _loaded),
    Metric("pihub_model_prompt_cache_read_ratio", "gauge",
           "Recent share of prompt tokens that came from the vendor's prompt cache",
           _learnt(Cell.CACHE_READ)),
    Metric("pihub_model_prompt_cache_write_ratio", "gauge",
           "Recent share of prompt tokens that were written to the vendor's prompt cache",
           _learnt(Cell.CACHE_WRITTEN)),
    times("pihub_prediction_error_seconds", "How far predicted local times were off",
          Series.PREDICTED),
    times("pihub_queue_duration_seconds", "Time in the queue before an upstream", Series.QUEUE),
)  # fmt: skip
