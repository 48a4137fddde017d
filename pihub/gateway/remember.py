"""Stage 7: count the money, keep complete answers under both keys."""

from __future__ import annotations

import logging
from typing import Protocol

from pihub.domain.cacheable import why_not_kept
from pihub.domain.chat import Block, Text, Thinking, ToolUse, Usage
from pihub.domain.collect import Collector
from pihub.gateway.exchange import Exchange
from pihub.shared.answers import AnswerCache, Stored, Wire
from pihub.shared.events import CacheState
from pihub.shared.metrics import Column
from pihub.shared.state import SharedState

log = logging.getLogger("pihub.gateway")

CHARS_PER_TOKEN = 4
"""For estimates where an upstream never told its usage; marked as such."""


class Prices(Protocol):
    """What a model's tokens cost."""

    def cost_or_none(self, kind: str, model: str, usage: Usage | None) -> int | None:
        """nano-USD; None if the model's price is unknown."""


class Remember:
    """Sets `usage`, `cost_nano`, `saved_nano`; keeps what may be kept."""

    def __init__(
        self, answers: AnswerCache, prices: Prices, state: SharedState, slot: int, *, ttl: float
    ) -> None:
        self._answers = answers
        self._prices = prices
        self._state = state
        self._slot = slot
        self._ttl = ttl
        self._warned: set[str] = set()
        self.max_value = answers.max_value

    def __call__(self, x: Exchange) -> None:
        """Keep a complete answer; called after its last byte is known."""
        if x.key is None or x.answer is None or x.error is not None:
            return
        if x.pieces is not None and not x.rendered and x.bytes_out <= self.max_value:
            return  # the stream is not over yet
        ttl = x.wish.ttl if x.wish.mode == "ttl" else self._ttl
        tenant = x.request.principal.tenant
        if x.stored is None:
            reason = why_not_kept(x.answer)
            if reason or x.target is None:
                x.cache_reason = reason
                return
            kept = Stored(
                x.answer,
                x.target.upstream,
                x.target.model,
                x.target.name,
                x.cost_nano,
                x.target.simulated,
            )
            if not self._answers.put(x.key, tenant, kept, ttl):
                self._state.counters.add(self._slot, Column.CACHE_REFUSED, 1)
                return
            x.stored = kept
        self._keep_wire(x, x.stored, tenant, ttl)

    def _keep_wire(self, x: Exchange, stored: Stored, tenant: int, ttl: float) -> None:
        """The rendered form too, so that the same bytes are answered by the edge.

        Not for requests with a cache wish: the edge does not look at those.
        """
        if x.request.exact is None or not x.rendered or x.wish.mode != "auto":
            return
        names = self._state.names
        usage = stored.answer.usage or Usage()
        headers = [("x-pihub-route", stored.route), ("x-pihub-model", stored.model)]
        headers.append(("x-pihub-reason", "kept answer"))
        if stored.simulated:
            headers.append(("x-pihub-simulated", "1"))
        kind = "application/json"
        if x.streams:
            kind = x.request.client.renderer(x.parsed()).content_type
        wire = Wire(
            kind,
            headers,
            x.rendered,
            names.intern(stored.model),
            names.intern(stored.upstream),
            names.intern(x.alias),
            x.streams,
            max(stored.cost_nano, 0),
            usage.input,
            usage.output,
            stored.simulated,
        )
        self._answers.put_wire(x.request.exact, tenant, wire, ttl)

    def price(self, x: Exchange) -> None:
        """Usage and cost of a complete answer; a kept one costs nothing."""
        if x.stored is not None:
            x.usage = x.stored.answer.usage
            x.cost_nano, x.saved_nano = 0, max(x.stored.cost_nano, 0)
            return
        if x.answer is not None:
            x.usage, x.raw_stop = x.answer.usage, x.answer.raw_stop
        if x.usage is None:
            length = len(x.raw) if x.answer is None else _length(x.answer.blocks)
            x.usage = self._estimate(x, length)
        self._settle(x)

    def price_partial(self, x: Exchange, collector: Collector) -> None:
        """What an interrupted stream has used: told by the upstream, else estimated."""
        if x.target is None or x.cache in (CacheState.HIT, CacheState.SHARED):
            return
        told = collector.usage
        if told is None or not told.output:
            guess = self._estimate(x, _length(collector.partial()))
            told = guess if told is None else Usage(
                told.input, guess.output, told.cache_read, told.cache_write_5m, told.cache_write_1h
            )
        x.usage = told
        self._settle(x)

    def _estimate(self, x: Exchange, characters: int) -> Usage:
        x.estimated = True
        return Usage(
            input=max(1, len(x.request.body) // CHARS_PER_TOKEN),
            output=-(-characters // CHARS_PER_TOKEN),
        )

    def _settle(self, x: Exchange) -> None:
        assert x.target is not None
        assert x.usage is not None
        cost = self._prices.cost_or_none(x.target.kind, x.target.model, x.usage)
        if cost is None:
            x.cost_nano = -1
            self._state.counters.add(self._slot, Column.PRICE_UNKNOWN, 1)
            if x.target.name not in self._warned:
                self._warned.add(x.target.name)
                log.warning("no price is known for %s: its cost is not counted", x.target.name)
            return
        x.cost_nano = cost


def _length(blocks: tuple[Block, ...]) -> int:
    """Characters that the model wrote."""
    total = 0
    for block in blocks:
        if isinstance(block, Text | Thinking):
            total += len(block.text)
        elif isinstance(block, ToolUse):
            total += len(block.input)
    return total
