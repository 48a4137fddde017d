"""What people ask of webhooks: events, deliveries, dead letters, and their replay."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from pihub.errors import ControlUnavailable, NotFound
from pihub.settings.webhooks import Webhook
from pihub.store.group import Closed, Full, GroupCommit
from pihub.store.hooks import HookDatabase, replay
from pihub.store.hookviews import DeliveryRow, EventRow, HookViews
from pihub.store.sqlite import StoreFault
from pihub.webhooks.courier import Courier, CourierState
from pihub.webhooks.routing import Wish

PATIENCE = 5.0
MOST = 1000
"""Dead letters that one replay may name."""


class SenderState(NamedTuple):
    """One [webhooks.NAME]."""

    name: str
    kind: str
    path: str


class Overview(NamedTuple):
    senders: list[SenderState]
    targets: list[CourierState]
    pending: int
    dead: int
    bytes: int


class Desk(Protocol):
    """With or without webhooks."""

    def overview(self) -> Overview: ...

    def events(
        self, count: int, *, before: int | None, after: int | None, source: str, kind: str,
        about: str,
    ) -> Sequence[EventRow]:  # fmt: skip
        """Newest first; with `after`, those newer than it, the nearest first."""

    def event(self, number: int) -> tuple[EventRow, str | None, Sequence[DeliveryRow]]:
        """With its body and its deliveries. Raises NotFound."""

    def deliveries(
        self, count: int, *, before: int | None, after: int | None, target: str,
        state: int | None,
    ) -> Sequence[DeliveryRow]: ...  # fmt: skip

    def replay(self, target: str, numbers: Sequence[int] | None) -> int:
        """Dead letters pending again; how many. Raises NotFound, ControlUnavailable."""

    def of_tenant(self, name: str) -> Desk:
        """Only what senders of that tenant sent."""


class NoDesk:
    """Where no webhook is configured."""

    def overview(self) -> Overview:
        return Overview([], [], 0, 0, 0)

    def events(self, count: int, **_: object) -> Sequence[EventRow]:
        return []

    def event(self, number: int) -> tuple[EventRow, str | None, Sequence[DeliveryRow]]:
        raise NotFound(f"there is no event {number}")

    def deliveries(self, count: int, **_: object) -> Sequence[DeliveryRow]:
        return []

    def replay(self, target: str, numbers: Sequence[int] | None) -> int:
        raise NotFound("there is no such target")

    def of_tenant(self, name: str) -> Desk:
        return self


class HookDesk:
    """On the running service's store and couriers."""

    def __init__(
        self,
        webhooks: Mapping[str, Webhook],
        store: HookDatabase,
        group: GroupCommit,
        couriers: Mapping[str, Courier],
        wished: Sequence[Wish],
        tenant: str | None = None,
    ) -> None:
        """`tenant`: see of_tenant."""
        self._all = (webhooks, store, group, couriers, wished)
        self._webhooks = {
            name: one for name, one in webhooks.items() if tenant in (None, one.tenant)
        }
        self._sources = None if tenant is None else sorted(self._webhooks)
        # A target's counts tell of all it was sent: it is shown to a tenant only if nobody
        # else's events go there.
        self._shown = {
            one.target
            for one in wished
            if tenant is None or (one.sources and set(one.sources) <= self._webhooks.keys())
        }
        self._reached = {
            one.target
            for one in wished
            if not one.sources or set(one.sources) & self._webhooks.keys()
        }
        self._store = store
        self._group = group
        self._couriers = couriers
        views = HookViews(store.database, self._sources)
        self.events = views.events
        self.deliveries = views.deliveries
        self._views = views

    def of_tenant(self, name: str) -> HookDesk:
        return HookDesk(*self._all, name)

    def overview(self) -> Overview:
        return Overview(
            [SenderState(name, one.kind, f"/webhooks/{name}") for name, one in
             sorted(self._webhooks.items())],
            [courier.state() for name, courier in sorted(self._couriers.items())
             if name in self._shown],
            self._views.count(0), self._views.count(2),
            self._store.database.size() if self._sources is None else 0,
        )  # fmt: skip

    def event(self, number: int) -> tuple[EventRow, str | None, Sequence[DeliveryRow]]:
        found = self._views.event(number)
        if found is None:
            raise NotFound(f"there is no event {number}")
        return found

    def replay(self, target: str, numbers: Sequence[int] | None) -> int:
        courier = self._couriers.get(target)
        if courier is None or not self._webhooks or target not in self._reached:
            raise NotFound("there is no such target")
        now, sources = int(time.time() * 1000), self._sources
        try:
            count = self._group.call(lambda c: replay(c, target, now, numbers, sources), PATIENCE)
        except (StoreFault, TimeoutError, Closed, Full) as error:
            raise ControlUnavailable(
                "the database does not answer; try again", detail=str(error), retry_after=2
            ) from error
        courier.wake()
        return count
