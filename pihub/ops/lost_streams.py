"""What a killed worker was streaming: recorded, and paid for, by what its clients received.

A stream's row in the shared table is freed after its record is written. So a row whose
process is dead is a stream without a record, or one whose worker died between the two:
that one is told apart by its request id, once all records are stored that were written
before the death was seen. This process keeps the same order: first the record, then the
row is freed, so its own death loses nothing. Of a whole answer that was on its way nobody
knows how long it was: its prompt is counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from pihub.domain.chat import Usage
from pihub.domain.event import Reason
from pihub.domain.pricing import PriceTable
from pihub.shared.budgets import Budgets, Window
from pihub.shared.events import Flag
from pihub.shared.spending import PlanReader
from pihub.shared.state import SharedState
from pihub.shared.streams import LiveStream, LiveStreams

GIVEN_UP = 499
"""The status of a request whose client got no end: as if it had left."""


class Recorded(Protocol):
    """The store, as far as this asks."""

    def recorded(self, rids: Iterable[int]) -> set[int]: ...


class LostStreams:
    """Looked at about once a second, and once more when the last records are stored."""

    def __init__(
        self,
        state: SharedState,
        slot: int,
        live: LiveStreams,
        store: Recorded,
        prices: PriceTable,
        kinds: dict[str, str],
        mark: Callable[[], Callable[[], bool]],
        window: Callable[[], Window],
    ) -> None:
        """`kinds`: of the upstreams, by name. `mark`: as insight.recorder.Recorder.mark."""
        self._state = state
        self._write = state.journal(slot).write
        self._live = live
        self._store = store
        self._prices = prices
        self._kinds = kinds
        self._mark = mark
        self._window = window
        self._budgets = Budgets(state.budgets, slot, state.arena.secret)
        self._plan = PlanReader(state.spending)
        self._stored: dict[tuple[int, int], Callable[[], bool]] = {}
        """By dead process: whether all records from before its death was seen are stored."""
        self._lock = threading.Lock()
        self.count = 0

    def look(self) -> None:
        """Record what has no record, once the store has all that could be one."""
        with self._lock:
            for process, streams in self._live.lost(self._state.incarnations).items():
                if process not in self._stored:
                    self._stored[process] = self._mark()
                if not self._stored[process]():
                    continue
                # Whatever fails below begins anew, behind the records that it wrote.
                del self._stored[process]
                recorded = self._store.recorded([stream.rid for stream in streams])
                for stream in streams:
                    if stream.rid not in recorded:
                        self._record(stream)
                self._live.free(*process)

    def _record(self, stream: LiveStream) -> None:
        kind = self._kinds.get(stream.upstream, "")
        usage = Usage(input=stream.input_tokens, output=stream.tokens)
        cost = self._prices.cost_or_none(kind, stream.model, usage) if kind else None
        if stream.flags & Flag.FOLLOWS:
            cost = 0
        began = time.monotonic_ns() - int(stream.age * 1e9)
        intern = self._state.names.intern
        first = 0 if stream.first_token is None else int(stream.first_token * 1e6)
        flags = (stream.flags | Flag.STREAM) if not stream.flags & Flag.WHOLE else stream.flags
        self._write(
            began, [], stream.rid, -1 if cost is None else cost, 0, first,
            usage.input, usage.output, 0, 0, 0, stream.bytes, stream.key, GIVEN_UP,
            stream.tenant, stream.route, intern(stream.model), intern(stream.upstream),
            intern(stream.alias), 0,
            (flags & ~(Flag.WHOLE | Flag.FOLLOWS)) | Flag.ERROR | Flag.ESTIMATED, 1, Reason.FAILED,
            intern("internal_error"), 0, 0, 0, 0, 0, 0, stream.stalls,
        )  # fmt: skip
        self.count += 1
        self._budgets.spend(
            self._plan(), cost or 0, self._window(),
            key=stream.key, tenant=stream.tenant, model=stream.model,
        )  # fmt: skip
