"""The offline mode as a bill of materials: the control process's watch, the workers' stage."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from pihub.domain.target import Target
from pihub.gateway.exchange import Incoming
from pihub.gateway.lookup import Lookup
from pihub.gateway.offline import Later, Offline, OfflineRules
from pihub.gateway.plan import Planner
from pihub.http.data.jobs import Deferred
from pihub.ops.wan import Place, WanWatch
from pihub.settings.routing_rules import local
from pihub.shared.wan import Wan
from pihub.upstream.connector.origin import Origin

if TYPE_CHECKING:
    from pihub.app import Hub


def start_wan_watch(hub: Hub, stop: threading.Event) -> WanWatch:
    """Its thread ends with `stop`."""
    outside = hub.settings.upstreams.keys() - local(hub.settings)
    places = []
    for name in sorted(outside):
        origin, _ = Origin.parse(hub.settings.upstreams[name].url, name=name)
        if origin.scheme != "unix":
            places.append(Place(name, origin.host, origin.port))
    watch = WanWatch(hub.state, hub.health, tuple(places), hub.settings.offline)
    threading.Thread(target=watch.run, args=(stop,), name="wan", daemon=True).start()
    return watch


def reached_by(hub: Hub) -> Callable[[str], bool]:
    """Whether an upstream may be called: it is local, or the hub is not offline."""
    wan, here = Wan(hub.state.wan), local(hub.settings)
    return lambda name: name in here or not wan.offline()


def offline_mode(hub: Hub, slot: int, planner: Planner, lookup: Lookup) -> Offline:
    """A worker's stage."""
    here = local(hub.settings)

    def instead(name: str) -> tuple[Target, ...]:
        return tuple(t for t in hub.models.find(name) if t.upstream in here) if name else ()

    rules = {
        alias: OfflineRules(model.offline == "queue", instead(model.offline_model))
        for alias, model in hub.settings.models.items()
        if model.offline == "queue" or model.offline_model
    }
    return Offline(
        Wan(hub.state.wan), here, rules, planner.only, lookup.stale, hub.state, slot,
        retry_after=hub.settings.offline.retry_after,
    )  # fmt: skip


def later_of(hub: Hub, offline: Offline, deferred: Deferred | None) -> Later:
    """What makes jobs of a worker's chats that could not be sent."""
    if deferred is None:
        return Later(offline, None)
    take, keep = deferred.take, hub.settings.offline.keep

    def soon(request: Incoming) -> tuple[int, bytes]:
        return take(request, keep, soon=True)

    return Later(offline, soon)
