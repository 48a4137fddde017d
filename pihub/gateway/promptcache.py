"""Sets marks for Anthropic's prompt cache where they are expected to pay.

A write costs a quarter more than the tokens themselves, a read saves nine tenths of them: a
mark pays if what it keeps is read once again within five minutes in more than 28 % of the
cases. So only what shows signs of coming again is marked: tools and system that the same
tenant has sent within the last five minutes, and a conversation that has gone on before.
Where writes nevertheless outweigh reads, marks stop until the learnt shares have faded.

A body with marks of its client's own is never touched.
RAM: an entry of some 100 bytes in the shared cache for each prefix, for five minutes.
"""

from __future__ import annotations

from pihub.domain.promptcache import outweighs
from pihub.domain.target import Target
from pihub.gateway.exchange import Exchange
from pihub.protocols.anthropic.caching import least_tokens, mark, parts
from pihub.shared.answers import ByteCache
from pihub.shared.routing import Cell, Event, Speeds
from pihub.shared.state import SharedState

CHARS_PER_TOKEN = 4
KEPT = 300.0
"""Seconds; the vendor's."""
SAMPLES = 20
"""Requests of a target before its shares say anything."""


class PromptCache:
    """One worker's."""

    def __init__(self, cache: ByteCache, speeds: Speeds, state: SharedState, slot: int) -> None:
        self._cache = cache
        self._speeds = speeds
        self._count = state.routing.add
        self._slot = slot

    def mark(self, x: Exchange, target: Target, body: bytes) -> bytes:
        """The body of a call to an Anthropic upstream, marked or as it is."""
        least = least_tokens(target.model) * CHARS_PER_TOKEN
        if len(body) < least or self._loses(target):
            return body
        found = parts(body)
        if found is None:
            return body
        prefix = len(found.prefix) >= least and self._seen(x, target, found.prefix)
        if not (prefix or found.turns):
            return body
        self._count(self._slot, Event.PROMPT_MARKED, 1)
        return mark(body, found, prefix=prefix, messages=found.turns > 0)

    def _seen(self, x: Exchange, target: Target, prefix: bytes) -> bool:
        """Whether this tenant sent the same a moment ago; it is noted that it has."""
        key = b"prefix\0" + target.name.encode() + b"\0" + prefix
        tenant = x.request.principal.tenant
        found = self._cache.get(key, tenant)
        self._cache.put(key, tenant, b"1", KEPT, 0.0)
        return found is not None and found[1] <= 0

    def _loses(self, target: Target) -> bool:
        written, samples = self._speeds.read(target, Cell.CACHE_WRITTEN)
        read, _ = self._speeds.read(target, Cell.CACHE_READ)
        return samples >= SAMPLES and outweighs(written, read)
