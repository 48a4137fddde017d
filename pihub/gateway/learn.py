"""After an answer: what it teaches about its model, and how far the prediction was off."""

from __future__ import annotations

from time import monotonic

from pihub.domain.chat import Usage
from pihub.gateway.exchange import Exchange
from pihub.shared.metrics import Series
from pihub.shared.routing import Cell, Speeds
from pihub.shared.state import SharedState

NS = 1_000_000_000
LEAST_PROMPT = 16
"""Tokens: a shorter prompt, or one that was cached, says nothing of the prefill rate."""
LEAST_OUTPUT = 4
REUSED = 1.5
"""A prefill rate so many times the mean is of a prompt whose beginning was still cached."""
LOADING_NS = 100_000_000
"""Ollama tells a few ms of `load_duration` for a model that is loaded already."""


class Learner:
    """Called for every finished exchange; never raises for what an upstream says."""

    def __init__(self, speeds: Speeds, state: SharedState, slot: int) -> None:
        self._speeds = speeds
        self._state = state
        self._slot = slot

    def __call__(self, x: Exchange) -> None:
        target = x.target
        if target is None or x.answer is None or x.error is not None:
            return
        usage = x.usage or Usage()
        learn = self._speeds.learn
        if usage.output > 0 and not x.estimated:
            learn(target, Cell.OUTPUT, usage.output)
        prompt = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h
        if prompt >= LEAST_PROMPT and not x.estimated:
            learn(target, Cell.CHARS, len(x.request.body) / prompt)
        if prompt and target.kind == "anthropic" and not x.estimated:
            written = usage.cache_write_5m + usage.cache_write_1h
            learn(target, Cell.CACHE_READ, usage.cache_read / prompt)
            learn(target, Cell.CACHE_WRITTEN, written / prompt)
        if x.answer.timings:
            self._timed(x, x.answer.timings)
        elif x.hedge_won:
            pass  # its time counts from later on
        elif x.streams and usage.output >= LEAST_OUTPUT and x.ttft_us:
            spent = x.elapsed_us() - x.ttft_us
            learn(target, Cell.FIRST, x.ttft_us / 1e6)
            if spent > 0:
                learn(target, Cell.DECODE, usage.output / (spent / 1e6))
        elif usage.output >= LEAST_OUTPUT and x.ttft_us:
            learn(target, Cell.FIRST, 0.001)
            learn(target, Cell.DECODE, usage.output / (x.ttft_us / 1e6))
        self._compare(x, target.name)

    def _timed(self, x: Exchange, timings: dict[str, int]) -> None:
        """Ollama's own durations, in nanoseconds."""
        assert x.target is not None
        learn = self._speeds.learn
        prompt, spent = timings.get("prompt_eval_count", 0), timings.get("prompt_eval_duration", 0)
        if not prompt and x.usage is not None:
            prompt = x.usage.input
        if prompt >= LEAST_PROMPT and spent > 0:
            rate = prompt / (spent / NS)
            known, samples = self._speeds.read(x.target, Cell.PREFILL)
            fresh = samples < 2 or rate < REUSED * known
            if fresh:
                learn(x.target, Cell.PREFILL, rate)
            if samples >= 2:
                learn(x.target, Cell.REUSE, 0.0 if fresh else 1 - known / rate)
        output = timings.get("eval_count", 0) or (x.usage.output if x.usage else 0)
        spent = timings.get("eval_duration", 0)
        if output >= LEAST_OUTPUT and spent > 0:
            learn(x.target, Cell.DECODE, output / (spent / NS))
        if (loading := timings.get("load_duration", 0)) > LOADING_NS:
            learn(x.target, Cell.LOAD, loading / NS)
        learn(x.target, Cell.USED, 1.0)

    def _compare(self, x: Exchange, name: str) -> None:
        plan = x.plan
        predicted = plan.predicted_ms.get(name) if plan is not None else None
        if plan is None or predicted is None or x.failures or x.hedge_won:
            return
        real = max((monotonic() - plan.began) * 1000, 0.001)
        assert x.target is not None
        self._speeds.learn(x.target, Cell.ERROR, abs(predicted - real) / real)
        self._state.latency.record(
            self._slot, Series.PREDICTED, int(abs(predicted - real) * 1000)
        )
