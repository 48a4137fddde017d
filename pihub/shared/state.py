"""SharedState: every region of the arena, created before the first fork.

RAM of the regions beside the cache, for W worker slots (W = 2 x workers + 3):
rings W x 1 MiB (touched only as far as records are written), latency W x 9 x 15 KiB,
traces W x 64 KiB
(touched when clients send a traceparent), everything else under 1 MiB together.
`pihub config --memory` prints the sizes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from pihub._core.arena import Arena
from pihub._core.board import Board
from pihub._core.breaker import Breaker
from pihub._core.budget import Budget
from pihub._core.cache import Cache
from pihub._core.counters import Counters
from pihub._core.histogram import Histogram
from pihub._core.inflight import Inflight
from pihub._core.journal import Journal
from pihub._core.keytable import KeyTable
from pihub._core.limiter import Limiter
from pihub._core.names import Names
from pihub._core.queue import Queue
from pihub._core.ring import Ring
from pihub._core.speeds import Speeds
from pihub._core.streams import Streams
from pihub.shared import machine
from pihub.shared.events import EventLog
from pihub.shared.findings import ALLOWED_BYTES, FINDINGS, FindingLog
from pihub.shared.metrics import (
    MAX_UPSTREAMS,
    ROUTE_COLUMNS,
    Column,
    Foretold,
    Route,
    Series,
    UpstreamColumn,
)
from pihub.shared.traces import CAPACITY, TraceLog
from pihub.shared.wan import BOARD_BYTES as WAN_BYTES

CONTROL = 0
"""Slot of the control process, which the recorder runs in: its eventfd is the rings'."""
RING_RECORDS = 8192
"""Records a worker can be ahead of the recorder: 8192 x 128 B = 1 MiB a worker."""
KEYS = 4096
"""API keys that can be live at once: 4096 x 64 B = 256 KiB."""
TENANTS = 1024
"""Tenants with a quota of their own: 1024 x 32 B = 32 KiB."""
NAMES = 2048
"""Distinct names (models, upstreams, error codes): 2048 x 128 B = 256 KiB."""
FLIGHTS = 4096
"""Requests in flight that others may share: 4096 x 16 B = 64 KiB."""
BUDGETS = 2048
"""Keys, users, tenants and models with money of their own: 2048 x (64 + 8 x W) B."""
LOCKOUT_BYTES = 512 * 1024
"""Counters of failed logins (security/lockout.py); taken when used."""
STREAMS = 512
"""Live streams of a worker that are tracked: 512 x 128 B = 64 KiB a worker."""
SPEEDS = 256
"""Models whose speed is learnt: 256 x 128 B = 32 KiB."""
ROUTING = 64
"""Counters of routing decisions (shared.routing.Event), a worker: 512 B."""
BOARD_BYTES = 64 * 1024
"""Largest published blob: two copies of 64 KiB a board."""


@dataclass(frozen=True)
class Plan:
    """What the arena must hold; two equal plans have the same layout."""

    workers: int
    cache_bytes: int

    @property
    def slots(self) -> int:
        """Control, each worker twice (a reload runs old and new side by side), spares."""
        return 2 * self.workers + 3

    def regions(self) -> list[tuple[str, int]]:
        """(name, bytes) in the order of the arena."""
        n = self.slots
        return [
            ("counters", Counters.size_for(n, len(Column))),
            ("routes", Counters.size_for(n, len(Route) * ROUTE_COLUMNS)),
            ("upstreams", Counters.size_for(n, MAX_UPSTREAMS * len(UpstreamColumn))),
            ("machine", machine.size()),
            ("latency", Histogram.size_for(n, len(Series))),
            ("ring", Ring.size_for(n, RING_RECORDS)),
            ("traces", Ring.size_for(n, CAPACITY)),
            ("names", Names.size_for(NAMES)),
            ("keys", KeyTable.size_for(KEYS)),
            ("limits", Limiter.size_for(KEYS)),
            ("quotas", Limiter.size_for(TENANTS)),
            ("scopes", Board.size_for(BOARD_BYTES)),
            ("api_limits", Limiter.size_for(MAX_UPSTREAMS)),
            ("breakers", Breaker.size_for(MAX_UPSTREAMS)),
            ("inflight", Inflight.size_for(FLIGHTS)),
            ("budgets", Budget.size_for(BUDGETS, n)),
            ("spending", Board.size_for(BOARD_BYTES)),
            ("streams", Streams.size_for(n, STREAMS)),
            ("queues", Queue.size_for(MAX_UPSTREAMS)),
            ("speeds", Speeds.size_for(SPEEDS)),
            ("routing", Counters.size_for(n, ROUTING)),
            ("cooldowns", Counters.size_for(n, MAX_UPSTREAMS)),
            ("foretold", Counters.size_for(1, len(Foretold))),
            ("local", Board.size_for(BOARD_BYTES)),
            ("dns", Board.size_for(BOARD_BYTES)),
            ("findings", Ring.size_for(n, FINDINGS)),
            ("allowed", Board.size_for(ALLOWED_BYTES)),
            ("lockouts", Board.size_for(LOCKOUT_BYTES)),
            ("vitals", Board.size_for(BOARD_BYTES)),
            ("wan", Board.size_for(WAN_BYTES)),
            ("cache", Cache.size_for(self.cache_bytes)),
        ]


class SharedState:
    """The regions, typed. Built by `create`, `adopt` or `attach`, never by hand."""

    def __init__(self, arena: Arena, eventfds: tuple[int, ...]) -> None:
        n = arena.n_slots
        self.arena = arena
        self.eventfds = eventfds
        self.slots = n
        self.counters = Counters(arena, "counters", n, len(Column))
        self.routes = Counters(arena, "routes", n, len(Route) * ROUTE_COLUMNS)
        self.upstreams = Counters(
            arena, "upstreams", n, MAX_UPSTREAMS * len(UpstreamColumn)
        )
        self.machine = machine.MachineState(arena)
        self.latency = Histogram(arena, "latency", n, len(Series))
        wake = eventfds[CONTROL] if eventfds else -1
        self.ring = Ring(arena, "ring", n, RING_RECORDS, wake)
        self.traces = TraceLog(Ring(arena, "traces", n, CAPACITY), n)
        self.names = Names(arena, "names")
        self.keys = KeyTable(arena, "keys")
        self.limits = Limiter(arena, "limits", KEYS)
        self.quotas = Limiter(arena, "quotas", TENANTS)
        self.scopes = Board(arena, "scopes")
        self.api_limits = Limiter(arena, "api_limits", MAX_UPSTREAMS)
        self.breakers = Breaker(arena, "breakers", MAX_UPSTREAMS)
        self.inflight = Inflight(arena, "inflight", eventfds)
        self.budgets = Budget(arena, "budgets", BUDGETS, n)
        self.spending = Board(arena, "spending")
        self.streams = Streams(arena, "streams", n, STREAMS)
        self.queues = Queue(arena, "queues", MAX_UPSTREAMS)
        self.speeds = Speeds(arena, "speeds", SPEEDS)
        self.routing = Counters(arena, "routing", n, ROUTING)
        self.cooldowns = Counters(arena, "cooldowns", n, MAX_UPSTREAMS)
        self.foretold = Counters(arena, "foretold", 1, len(Foretold))
        self.local = Board(arena, "local")
        self.dns = Board(arena, "dns")
        self.findings = FindingLog(Ring(arena, "findings", n, FINDINGS), n)
        self.allowed = Board(arena, "allowed")
        self.lockouts = Board(arena, "lockouts")
        self.vitals = Board(arena, "vitals")
        self.wan = Board(arena, "wan")
        self.cache = Cache(arena, "cache")
        self.events = EventLog(self.ring, n, wake)

    @classmethod
    def create(cls, plan: Plan, page: int = 0) -> SharedState:
        """A fresh arena; raises OSError when the memory cannot be had. `page`: another page
        size than this machine's (`Arena.create`)."""
        arena = Arena.create(plan.regions(), plan.slots - 1, page)
        flags = os.EFD_NONBLOCK | os.EFD_CLOEXEC
        return cls(arena, tuple(os.eventfd(0, flags) for _ in range(plan.slots)))

    @classmethod
    def adopt(cls, fd: int, eventfds: tuple[int, ...], plan: Plan) -> SharedState | None:
        """The arena that an earlier image of this process made.

        None if its layout is not what `plan` needs: the caller makes a fresh one.
        """
        try:
            arena = Arena.attach(fd)
        except ValueError:
            return None
        wanted = plan.regions()
        found = arena.regions()
        fits = (
            arena.n_slots == plan.slots == len(eventfds)
            and list(found) == [name for name, _ in wanted]
            and all(found[name][1] >= size for name, size in wanted)
        )
        try:
            return cls(arena, eventfds) if fits else None
        except ValueError:  # as large, but of another shape
            return None

    @classmethod
    def attach(cls, fd: int) -> SharedState:
        """Read-only, for `pihub top`. Raises ValueError for a foreign layout."""
        arena = Arena.attach(fd, readonly=True)
        return cls(arena, ())

    def journal(self, slot: int) -> Journal:
        """Where the process of `slot` writes down its finished requests."""
        return Journal(self.counters, self.routes, self.latency, self.ring, slot)

    def process_began(self, slot: int) -> None:
        """Once in each process, after it claimed its slot and before it serves."""
        incarnation = self.arena.slot_info(slot)[1]
        self.cache.set_owner(slot << 16 | incarnation)
        self.budgets.begin(slot, incarnation)
        self.streams.begin(slot, incarnation)

    def incarnations(self) -> list[int]:
        """Of each slot's process, 0 for a slot that nobody holds."""
        found = [self.arena.slot_info(slot) for slot in range(self.slots)]
        return [incarnation if pid else 0 for pid, incarnation, _ in found]

    def process_died(self, slot: int, incarnation: int) -> None:
        """Free what a dead worker held: locks, leases, gauges."""
        self.cache.recover(slot << 16 | incarnation)
        self.inflight.recover(slot)
        self.budgets.recover(slot, incarnation)
        self.queues.recover(slot)
        for gauge in (Column.IN_FLIGHT, Column.STREAMS_OPEN):
            self.counters.set(slot, gauge, 0)
