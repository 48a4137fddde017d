"""The rows of the shared table of live streams that this worker's chats hold.

A paid call has one from before it is made until its record is written, streamed or not:
what a killed worker leaves there is recorded and paid for by the control process
(ops/lost_streams.py). A free stream has one while it runs, to be shown and cancelled.
"""

from __future__ import annotations

from collections.abc import Callable

from pihub.domain.target import Target
from pihub.gateway.exchange import Exchange
from pihub.gateway.record import Numbers
from pihub.gateway.remember import CHARS_PER_TOKEN
from pihub.shared.events import Flag
from pihub.shared.streams import Live, StreamTracker

_SIMULATED, _WHOLE, _FOLLOWS = int(Flag.SIMULATED), int(Flag.WHOLE), int(Flag.FOLLOWS)


class Tracking:
    """One worker's. `free`: whether a target's calls cost nothing."""

    def __init__(
        self, tracker: StreamTracker, intern: Callable[[str], int], free: Callable[[Target], bool]
    ) -> None:
        self._tracker = tracker
        self._names = Numbers(intern)
        self._free = free

    def paid(self, target: Target) -> bool:
        return not self._free(target)

    def call(self, x: Exchange, target: Target) -> None:
        """Before a call of `target`; a row of an earlier target is given back."""
        self.end(x)
        if self.paid(target):
            flags = _SIMULATED if target.simulated else 0
            if not x.streams:
                flags |= _WHOLE
            x.live = self._open(x, target.model, target.upstream, flags)

    def stream(self, x: Exchange) -> Live:
        """The running stream's row."""
        if x.live is None:
            source = x.target or (x.follows.source if x.follows is not None else None)
            assert source is not None
            flags = _SIMULATED if source.simulated else 0
            if x.target is None:
                flags |= _FOLLOWS
            x.live = self._open(x, source.model, source.upstream, flags)
        return x.live

    def end(self, x: Exchange) -> None:
        """After the record was written, or when the row's call has failed."""
        live, x.live = x.live, None
        if live is not None:
            live.close()
        beside, x.beside = x.beside, ()
        for one in beside:
            if one.race is not None:
                one.race.free()

    def _open(self, x: Exchange, model: str, upstream: str, flags: int) -> Live:
        who = x.request.principal
        return self._tracker.open(
            x.request.rid,
            key=who.key,
            tenant=who.tenant,
            route=x.request.route,
            flags=flags,
            model=self._names[model],
            upstream=self._names[upstream],
            alias=self._names[x.alias],
            input_tokens=len(x.request.body) // CHARS_PER_TOKEN + 1,
            began_ns=x.request.t0_ns,
        )
