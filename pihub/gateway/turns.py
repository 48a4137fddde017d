"""Waiting for one's turn before an upstream that serves few requests at a time, and for the
model: the control process loads it, on a connection that no client's leaving closes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from time import monotonic

from pihub.domain import predict
from pihub.domain.ports import Waiter
from pihub.domain.target import Target
from pihub.errors import ChainDeadline, LocalBusy, ModelHeld
from pihub.gateway.exchange import Exchange
from pihub.shared.metrics import Series
from pihub.shared.routing import Cell, Event, LocalState, Speeds, load_left, now_ms
from pihub.shared.state import SharedState

NEXT = 0.01
"""Seconds between two looks of who is next; the others look less often."""
OTHERS = 0.05
LOOK = 0.1
"""Seconds between two looks at a model that is being loaded."""
LOADING = 900.0
"""The longest load, in seconds, that is waited for."""
ASK = 1.0
"""Seconds between two wishes for it."""
TAKEN = 3.0
"""Seconds in which the control process must have begun it."""
UNKNOWN_MS = 10_000
"""Predicted cost of a model that was never measured."""


@dataclass(frozen=True, slots=True)
class Lane:
    """`hold`: seconds after a conversation's last request for which its model stays."""

    row: int
    patience: float
    hold: float = 0.0


class Turn:
    """A place that runs; `end` it once, idempotent."""

    __slots__ = ("_row", "_table", "_ticket")

    def __init__(self, table: SharedState, row: int, ticket: int) -> None:
        self._table = table
        self._row = row
        self._ticket = ticket

    def end(self) -> None:
        ticket, self._ticket = self._ticket, -1
        if ticket >= 0:
            self._table.queues.leave(self._row, ticket, now_ms())


class Waits:
    """What a newcomer to each queue would wait, as any process sees it."""

    def __init__(self, lanes: Mapping[str, Lane], state: SharedState) -> None:
        self._lanes = lanes
        self._state = state

    def wait_ms(self, upstream: str) -> int:
        """Predicted for a newcomer; 0 without a queue."""
        lane = self._lanes.get(upstream)
        return 0 if lane is None else self._state.queues.load(lane.row, now_ms())[2]


class Turns(Waits):
    """The queues of all local upstreams, as one worker uses them."""

    def __init__(
        self,
        lanes: Mapping[str, Lane],
        speeds: Speeds,
        models: LocalState,
        waiter: Waiter,
        state: SharedState,
        slot: int,
    ) -> None:
        super().__init__(lanes, state)
        self._speeds = speeds
        self._models = models
        self._waiter = waiter
        self._slot = slot

    def take(self, x: Exchange, target: Target) -> Turn | None:
        """Wait for a turn and for the model; None where there is no queue.

        Raises LocalBusy (full, or not one's turn in time), ModelHeld, ChainDeadline and
        ClientGone.
        """
        turn = self._queued(x, target)
        try:
            if target.kind == "ollama":
                self.ready(x, target)
        except BaseException:
            if turn is not None:
                turn.end()
            raise
        return turn

    def ready(self, x: Exchange, target: Target) -> None:
        """Wait until the control process has loaded the model. If it does not care (it is
        down, or the load failed), Ollama is called as it is. Raises as `take`."""
        seen = self._models.model(target)
        if seen is None or seen.loaded:
            return
        start, failed, plan = monotonic(), seen.failed, x.plan
        self._count(Event.LOAD_ASKED)
        asked = -ASK
        while seen is not None and not seen.loaded and seen.failed == failed:
            waited = monotonic() - start
            if not seen.began and waited - asked >= ASK:
                # Again, should the control process have started just now.
                self._speeds.learn(target, Cell.WANTED, 1.0)
                asked = waited
            if plan is not None and monotonic() > plan.until:
                raise ChainDeadline("the time for all targets of the chain is used up")
            if waited > LOADING or (waited > TAKEN and not seen.began):
                break
            left = max(0.0, self._speeds.figures(target).load - waited)
            x.waits = f"loading {target.name}" + (f", about {ceil(left)} s" if left else "")
            self._waiter.sleep(LOOK, client_fd=x.request.client_fd)
            seen = self._models.model(target)
        x.waits = ""
        if plan is not None:
            plan.waited_ms += int((monotonic() - start) * 1000)

    def _queued(self, x: Exchange, target: Target) -> Turn | None:
        lane = self._lanes.get(target.upstream)
        if lane is None:
            return None
        table, number = self._state.queues, self._state.names.intern(target.model)
        cost, swap = self._cost(x, target)
        self._hold(x, target, lane, number)
        ticket = table.enter(
            lane.row, self._slot, x.request.principal.key, number, cost, swap, now_ms()
        )
        if ticket < 0:
            self._count(Event.QUEUE_FULL)
            wait = table.load(lane.row, now_ms())[2]
            raise LocalBusy(
                f"the queue before {target.upstream} is full",
                retry_after=float(max(1, ceil(wait / 1000))),
            )
        try:
            self._wait(x, target, lane, ticket)
        except BaseException:
            table.leave(lane.row, ticket, now_ms())
            raise
        return Turn(self._state, lane.row, ticket)

    def _wait(self, x: Exchange, target: Target, lane: Lane, ticket: int) -> None:
        table, plan = self._state.queues, x.plan
        start = monotonic()
        until = start + lane.patience
        position, eta = table.turn(lane.row, ticket, now_ms())
        if position:
            self._count(Event.QUEUED)
        while position:
            x.waits = f"waiting for {target.name}: place {position}, about {ceil(eta / 1000)} s"
            if plan is not None and monotonic() > plan.until:
                raise ChainDeadline("the time for all targets of the chain is used up")
            if monotonic() > until:
                self._count(Event.QUEUE_LATE)
                raise LocalBusy(
                    f"{target.upstream} was busy for {lane.patience:g} s",
                    retry_after=float(max(1, ceil(eta / 1000))),
                )
            self._waiter.sleep(
                NEXT if position == 1 else OTHERS, client_fd=x.request.client_fd
            )
            position, eta = table.turn(lane.row, ticket, now_ms())
        x.waits = ""
        waited = monotonic() - start
        self._state.latency.record(self._slot, Series.QUEUE, int(waited * 1_000_000))
        if plan is not None:
            plan.waited_ms += int(waited * 1000)

    def _hold(self, x: Exchange, target: Target, lane: Lane, number: int) -> None:
        """Refuse what would evict a model that a conversation is using."""
        if not lane.hold:
            return
        model, used = self._state.queues.last(lane.row)
        left = lane.hold - (now_ms() - used) / 1000
        if model in (0, number) or left <= 0 or not used:
            return
        seen = self._models.model(target)
        if seen is not None and (seen.loaded or 0 < seen.size < self._models.free(target.upstream)):
            return
        self._count(Event.SWAP_REFUSED)
        raise ModelHeld(
            f"another model is in use on {target.upstream}", retry_after=float(ceil(left))
        )

    def _cost(self, x: Exchange, target: Target) -> tuple[int, int]:
        """(predicted ms of service with loading, of loading alone)"""
        figures = self._speeds.figures(target)
        seen = self._models.model(target)
        swap = load_left(seen, figures) if seen is not None else figures.load * 1000
        plan = x.plan
        prompt = plan.prompt if plan else predict.prompt_tokens(len(x.request.body), figures)
        output = plan.output if plan else predict.output_tokens(figures, None)
        ms = predict.service_ms(figures, prompt, output)
        return int((UNKNOWN_MS if ms is None else ms) + swap), int(swap)

    def _count(self, event: Event) -> None:
        self._state.routing.add(self._slot, event, 1)
