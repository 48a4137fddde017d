"""What keeps a worker's chats from being paid for twice, and what of them is tracked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pihub.domain.ports import Waiter
from pihub.gateway.linger import Linger
from pihub.gateway.negatives import Negatives
from pihub.gateway.promptcache import PromptCache
from pihub.gateway.track import Tracking
from pihub.shared.answers import AnswerCache, ByteCache
from pihub.shared.flights import Flights
from pihub.shared.negatives import NegativeCache
from pihub.shared.relay import Relay
from pihub.shared.routing import Speeds
from pihub.shared.streams import StreamTracker

if TYPE_CHECKING:
    from pihub.app import Hub


@dataclass(frozen=True)
class Shares:
    relay: Relay
    linger: Linger
    tracking: Tracking
    prompt_cache: PromptCache | None


def negatives(hub: Hub) -> Negatives | None:
    """What upstreams refused; None: every request is asked."""
    ttl, state = hub.settings.cache.negative_ttl, hub.state
    if not ttl:
        return None
    kept = NegativeCache(state.cache, state.arena.secret, hub.loaded.epoch)
    return Negatives(kept, ttl, state.names.intern)


def build_shares(
    hub: Hub,
    slot: int,
    waiter: Waiter,
    flights: Flights,
    answers: AnswerCache,
    tracker: StreamTracker,
) -> Shares:
    settings, state, prices = hub.settings, hub.state, hub.prices
    prompt_cache = None
    if settings.gateway.prompt_caching != "off":
        cache = ByteCache(state.cache, state.arena.secret, hub.loaded.epoch)
        prompt_cache = PromptCache(cache, Speeds(state), state, slot)
    return Shares(
        Relay(state.cache, flights, state.arena, slot),
        Linger(settings.streams.linger, prices, answers, flights, waiter.spawn),
        Tracking(
            tracker,
            state.names.intern,
            lambda target: prices.is_free(target.kind, target.model),
        ),
        prompt_cache,
    )
