"""Stage 7: count the money, keep complete answers under both keys."""

from __future__ import annotations

import itertools
import logging
from time import monotonic_ns
from typing import Protocol

import msgspec

from pihub.domain.cacheable import why_not_kept
from pihub.domain.chat import Block, Text, Thinking, ToolUse, Usage
from pihub.domain.collect import Collector
from pihub.domain.energy import UNCOUNTED, Energy
from pihub.domain.http_fields import header_text
from pihub.domain.target import Target
from pihub.domain.whynot import WhyNot
from pihub.errors import UpstreamError
from pihub.gateway.exchange import Exchange
from pihub.gateway.pieces import HeldPieces
from pihub.shared.answers import AnswerCache, Stored, Wire, worth
from pihub.shared.events import CacheState
from pihub.shared.metrics import Column
from pihub.shared.state import SharedState

log = logging.getLogger("pihub.gateway")

CHARS_PER_TOKEN = 4
"""For estimates where an upstream never told its usage; marked as such."""
FULL_ROOM = 1000
"""Thousandths of the cache that are used while memory suffices."""
BRIDGE = 60.0
"""Seconds for which a free model's answer is kept that was only asked because a paid one failed:
it bridges the trouble and does not outlast it. Dearer help is kept as long as any answer."""
ROUTED = 3
"""Index in an exchange's marks of the moment when the call began."""


class Prices(Protocol):
    """What a model's tokens cost."""

    def cost_or_none(self, kind: str, model: str, usage: Usage | None) -> int | None:
        """nano-USD; None if the model's price is unknown."""

    def is_free(self, kind: str, model: str) -> bool:
        """A local model: nothing but electricity."""


class Remember:
    """Sets `usage`, `cost_nano`, `saved_nano`; keeps what may be kept."""

    def __init__(
        self,
        answers: AnswerCache,
        prices: Prices,
        state: SharedState,
        slot: int,
        *,
        ttl: float,
        stale: float = 0.0,
        max_value: int,
        warn: bool = True,
        energy: Energy = UNCOUNTED,
    ) -> None:
        """`max_value`: bytes of the largest answer that is kept. `warn`: name models
        without a known price in the log, once each. `energy`: what local seconds cost."""
        self._energy = energy
        self._answers = answers
        self._prices = prices
        self._state = state
        self._slot = slot
        self._ttl = ttl
        self._stale = stale
        self._warn = warn
        self._warned: set[str] = set()
        self._unpriced: set[str] = set()
        self.max_value = min(max_value, answers.max_value)

    def __call__(self, x: Exchange) -> None:
        """Keep a complete answer; called after its last byte is known."""
        if x.pieces is not None and not x.rendered and x.bytes_out <= self.max_value:
            return  # the stream is not over yet
        self.keep(x)

    def keep(self, x: Exchange) -> None:
        """A complete answer, for whoever asks the same."""
        if x.answer is None or x.error is not None:
            return
        if x.key is None:
            if x.once is not None and x.stored is None and not why_not_kept(x.answer):
                x.stored = self.stored(x)
            return
        ttl = x.wish.ttl if x.wish.mode == "ttl" else self._ttl
        tenant = x.request.principal.tenant
        if x.stored is None:
            reason = why_not_kept(x.answer)
            if reason or x.target is None:
                x.cache_reason = reason
                return
            kept = self.stored(x)
            assert kept is not None
            too_large = _size(x.answer.blocks) > self.max_value
            saves = worth(kept.cost_nano, x.elapsed_us() / 1e6)
            if self._is_makeshift(x):
                ttl = min(ttl, BRIDGE)
            if not too_large:
                x.kept = self._answers.put(
                    x.key, tenant, kept, ttl, saves, self.tag(x), self._stale
                )
            if not x.kept:
                self._state.counters.add(self._slot, Column.CACHE_REFUSED, 1)
                x.why = WhyNot.TOO_LARGE if too_large else self._why_refused()
                return
            x.kept_ttl = ttl
            x.stored = kept
        else:
            # The same answer in another form must not outlive the kept one.
            found = self._state.cache.get_stale(*x.key, tenant)
            ttl = 0.0 if found is None else min(ttl, -found[1])
        self._keep_wire(x, x.stored, tenant, ttl)

    def _is_makeshift(self, x: Exchange) -> bool:
        """A paid target failed, and a free one stood in for it."""
        if not isinstance(x.moved_on, UpstreamError) or x.target is None:
            return False
        before = itertools.takewhile(lambda one: one is not x.target, x.targets)
        return self._prices.is_free(x.target.kind, x.target.model) and not all(
            self._prices.is_free(one.kind, one.model) for one in before
        )

    def tag(self, x: Exchange) -> int:
        """What its answer is purged by: the number of the name that was asked for."""
        return self._state.names.intern(x.alias)

    def stored(self, x: Exchange) -> Stored | None:
        """The complete answer and where it came from; None for a part of one."""
        if x.answer is None:
            return None
        if x.target is None:
            if x.follows is None:
                return x.stored
            source, worth_nano = x.follows.source, x.follows.worth_nano
            return Stored(
                x.answer, source.upstream, source.model, source.route, -1, source.simulated,
                worth_nano,
            )  # fmt: skip
        own_cost = x.cost_nano if x.cost_nano < 0 else x.cost_nano - x.lost_nano
        return Stored(
            x.answer,
            x.target.upstream,
            x.target.model,
            x.target.name,
            own_cost,
            x.target.simulated,
            max(own_cost, self._paid_elsewhere(x)),
        )

    def _why_refused(self) -> WhyNot:
        """An answer of an allowed size did not go in."""
        short = self._state.cache.room() < FULL_ROOM
        return WhyNot.SHORT_OF_MEMORY if short else WhyNot.BUSY

    def _keep_wire(self, x: Exchange, stored: Stored, tenant: int, ttl: float) -> None:
        """The rendered form too, so that the same bytes are answered by the edge.

        Not for requests with a cache wish: the edge does not look at those, nor may it
        answer for those whose prompts are judged.
        """
        if x.request.exact is None or not x.rendered or x.wish.mode != "auto":
            return
        if x.prompt is not None:
            return
        if ttl <= 0 or len(x.rendered) > self.max_value:
            return
        names = self._state.names
        usage = stored.answer.usage or Usage()
        headers = [
            ("x-pihub-route", header_text(stored.route)),
            ("x-pihub-model", header_text(stored.model)),
        ]
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
            self.tag(x),
            x.streams,
            stored.worth_nano,
            usage.input,
            usage.output,
            stored.simulated,
            0 if x.key is None else x.key[0],
        )
        saves = worth(stored.cost_nano, x.elapsed_us() / 1e6)
        x.kept += self._answers.put_wire(x.request.exact, tenant, wire, ttl, saves)
        x.kept_ttl = ttl

    def price(self, x: Exchange) -> None:
        """Usage and cost of a complete answer; a kept one costs nothing."""
        if x.follows is not None:
            x.usage = None if x.answer is None else x.answer.usage
            x.usage = x.usage or Usage()
            x.cost_nano, x.saved_nano = 0, x.follows.worth_nano
            return
        if x.stored is not None:
            x.usage = x.stored.answer.usage
            x.cost_nano, x.saved_nano = 0, x.stored.worth_nano
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
        x.usage = self._partial_usage(x, collector)
        self._settle(x)

    def price_failed(self, x: Exchange) -> None:
        """What a request has cost that ended in an error before anything was sent."""
        if x.usage is not None or x.stored is not None:
            return
        if x.target is not None and (x.answer is not None or x.raw):
            self.price(x)
        elif x.target is None and x.lost:
            (x.target, collector), x.lost = x.lost[-1], x.lost[:-1]
            self.price_partial(x, collector)
        elif x.target is not None and isinstance(x.pieces, HeldPieces):
            # The answer had begun, and no stream of it: its client left in that moment.
            self.price_partial(x, x.pieces.heard())

    def _partial_usage(self, x: Exchange, collector: Collector) -> Usage:
        told = collector.usage
        if told is not None and collector.finished:
            return told
        guess = self._estimate(x, _length(collector.partial()))
        if told is None:
            return guess
        # Anthropic's first word counts a token or so of output, whatever follows.
        return msgspec.structs.replace(told, output=max(told.output, guess.output))

    def _estimate(self, x: Exchange, characters: int) -> Usage:
        x.estimated = True
        return Usage(
            input=max(1, len(x.request.body) // CHARS_PER_TOKEN),
            output=-(-characters // CHARS_PER_TOKEN),
        )

    def _settle(self, x: Exchange) -> None:
        assert x.target is not None
        assert x.usage is not None
        cost = self._cost(x.target, x.usage)
        if cost is not None and self._prices.is_free(x.target.kind, x.target.model):
            cost += self._energy.nano(_seconds(x))
            x.saved_nano = max(0, self._paid_elsewhere(x) - cost)
        for target, collector in x.lost:
            part = self._cost(target, self._partial_usage(x, collector))
            if cost is not None:
                cost = None if part is None else cost + part
            x.lost_nano += part or 0
        x.cost_nano = -1 if cost is None else cost

    def _paid_elsewhere(self, x: Exchange) -> int:
        """What the same tokens would have cost at the chain's first paid target; else 0."""
        if x.usage is None:
            return 0
        for target in x.targets:
            if not self._prices.is_free(target.kind, target.model):
                return self._prices.cost_or_none(target.kind, target.model, x.usage) or 0
        return 0

    def _cost(self, target: Target, usage: Usage) -> int | None:
        cost = None
        if target.name not in self._unpriced:
            cost = self._prices.cost_or_none(target.kind, target.model, usage)
        if cost is None:
            self.unpriced(target)
        return cost

    def unpriced(self, target: Target) -> None:
        """Count an answer whose cost nobody knows; the log names the model once."""
        self._unpriced.add(target.name)
        self._state.counters.add(self._slot, Column.PRICE_UNKNOWN, 1)
        if self._warn and target.name not in self._warned:
            self._warned.add(target.name)
            log.warning("no price is known for %s: its cost is not counted", target.name)


def _seconds(x: Exchange) -> float:
    """How long the local model worked: by its own word, else since it was called."""
    told = 0 if x.answer is None else x.answer.timings.get("total_duration", 0)
    if told > 0:
        return told / 1e9
    began = x.marks[ROUTED] if len(x.marks) > ROUTED else x.request.t0_ns
    return (monotonic_ns() - began) / 1e9


def _length(blocks: tuple[Block, ...]) -> int:
    """Characters that the model wrote."""
    total = 0
    for block in blocks:
        if isinstance(block, Text | Thinking):
            total += len(block.text)
        elif isinstance(block, ToolUse):
            total += len(block.input)
    return total


def _size(blocks: tuple[Block, ...]) -> int:
    """Bytes of what the model wrote, in UTF-8."""
    total = 0
    for block in blocks:
        if isinstance(block, Text | Thinking):
            total += len(block.text.encode("utf-8", "replace"))
        elif isinstance(block, ToolUse):
            total += len(block.input.encode("utf-8", "replace"))
    return total
