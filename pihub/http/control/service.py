"""The control process from its database files to its socket, start to clean stop."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable

from pihub.errors import StartupError
from pihub.gateway.preview import Previewer
from pihub.http.control.errors import Page
from pihub.http.control.routes import App, Route, build_control_app
from pihub.http.control.services import ControlServices
from pihub.insight import leftovers
from pihub.insight.cache_desk import CacheDesk
from pihub.insight.recorder import Recorder
from pihub.insight.service import Exporter, Observers
from pihub.jobs.service import JobService
from pihub.ops.alerts import Tell
from pihub.ops.budgets import BudgetService, open_budgets, window_now
from pihub.ops.catalog import Catalog
from pihub.ops.configuring import ConfigDesk
from pihub.ops.lost_streams import LostStreams
from pihub.ops.subjects import Subjects
from pihub.ops.upstreams import UpstreamDesk
from pihub.ops.vitals import open_vitals
from pihub.ops.wan import WanWatch
from pihub.security.egress import Egress
from pihub.security.keys import KeyService
from pihub.security.lockout import Lockout
from pihub.security.opening import open_control
from pihub.security.publish import Publisher
from pihub.security.scanner.keeper import open_keeper
from pihub.settings.paths import database
from pihub.settings.prices import settings_prices
from pihub.settings.schema import Settings
from pihub.shared.health import HealthBoard
from pihub.shared.heap import trim
from pihub.shared.metrics import Column
from pihub.shared.state import STREAMS, SharedState
from pihub.shared.streams import LiveStreams
from pihub.store.metrics import MetricsStore
from pihub.store.sqlite import StoreFault
from pihub.webhooks.desk import Desk, NoDesk

log = logging.getLogger("pihub.control")

Serve = Callable[[App, socket.socket, threading.Event], None]
"""Serves the app on the listening socket until the event is set, then returns."""
Pages = Callable[[ControlServices], tuple[Iterable[Route], Page]]
"""Routes of their own, and what people see of an error there."""

SEEN = 120.0
"""Seconds between two looks at which keys were used: one write for all of them."""
LAST_LOOK = 4.0
"""Seconds for the health watch to write down what it learnt."""
REFRESH = 1.0
"""Seconds until a key that another process made or revoked is in force, at most."""


def run_control(
    settings: Settings,
    state: SharedState,
    slot: int,
    health: HealthBoard,
    upstreams: UpstreamDesk,
    config: ConfigDesk,
    listener: socket.socket,
    stop: threading.Event,
    serve: Serve,
    pages: Pages | None = None,
    previous: SharedState | None = None,
    webhooks: Desk | None = None,
    exporter: Exporter | None = None,
    tell: Tell | None = None,
    jobs: Callable[[MetricsStore, Callable[[], bool], KeyService], JobService | None] = (
        lambda *_: None
    ),
    wan: WanWatch | None = None,
    preview: Previewer | None = None,
) -> None:
    """Blocks until `stop`; then what the rings hold is stored, within 8 seconds.

    `previous`: the arena that draining workers still write to after a reload.
    `tell`: takes alerts to subscribers. `jobs` starts the work on deferred requests, over the
    store, whether it has all records from before this start, and the keys.

    Keys are published first: until then workers answer `starting`. Raises StartupError.
    """
    control = open_control(
        settings,
        Publisher(
            state.keys, state.limits, settings.limits, state.scopes, state.quotas,
            settings.prompts.watches,
        ),
        Lockout(kept=state.lockouts),
    )
    keys = control.keys
    log.info("%d keys in force", keys.load())
    store = MetricsStore(database(settings))
    observers = Observers(settings, state, health, store, exporter)
    budgets = open_budgets(
        settings,
        state,
        slot,
        store.database,
        lambda: observers.recorder.state().behind,
        control.key_users,
    )
    streams = LiveStreams(state.streams, state.names, STREAMS)
    keeper = open_keeper(settings, state, store.database, control.database)
    vitals = open_vitals(
        settings,
        state,
        health,
        store,
        control.database,
        budgets,
        lambda: observers.recorder.state().behind,
        tell,
        Subjects(
            lambda: {key.id: key.name for key in keys.list()},
            lambda: {one.id: one.name for one in keys.tenants()},
        ),
    )
    observers.recorder.listen(vitals.watch.pace.stored)
    egress = Egress(settings, store.database, control.audit, control.reports)
    services = ControlServices(
        keys,
        store,
        observers.live,
        budgets,
        streams,
        upstreams,
        config,
        settings.server.public_url,
        control.cursors,
        webhooks or NoDesk(),
        control=control,
        proxies=tuple(settings.access.trusted_proxies),
        level=settings.access.mode,
        scanner=keeper,
        vitals=vitals,
        catalog=Catalog(settings, settings_prices(settings), state),
        desk=CacheDesk(
            state,
            observers.study,
            {
                name: (one.semantic.mode, one.semantic.threshold)
                for name, one in settings.models.items()
                if one.semantic.mode != "off"
            },
        ),
        egress=egress,
        jobs=jobs(store, observers.recorder.mark(), keys),
        wan=wan,
        preview=preview,
    )

    def saved(number: int) -> None:
        state.counters.add(slot, Column.COMPRESSED, 1)
        state.counters.add(slot, Column.COMPRESSION_SAVED, number)

    routes, fault = pages(services) if pages else ((), None)
    app = build_control_app(services, routes, saved, fault)
    observers.start(on_death=stop.set)
    watched = (keys, store, egress, stop)
    watch = threading.Thread(target=_refresh, args=watched, name="keys", daemon=True)
    watch.start()
    lost = lost_streams(settings, state, slot, store, observers, streams)
    threading.Thread(target=budgets.run, args=(stop, lost.look), name="money", daemon=True).start()
    found = threading.Thread(target=keeper.run, args=(stop,), name="findings", daemon=True)
    found.start()
    judge = threading.Thread(target=vitals.run, args=(stop,), name="health", daemon=True)
    judge.start()
    if previous is not None:
        rest = (previous, state, database(settings), settings, stop)
        threading.Thread(target=leftovers.drain, args=rest, name="drain").start()
    trim()
    try:
        serve(app, listener, stop)
    finally:
        stop.set()
        watch.join(REFRESH)
        found.join(REFRESH)
        judge.join(LAST_LOOK)
        if observers.finish():
            if not observers.failed:
                _last(lost, observers.recorder)
            _close(store)
        _close(keys)
        _close(budgets)
    if observers.failed:
        raise StartupError("the recorder ended with an error; the log has it")


def lost_streams(
    settings: Settings,
    state: SharedState,
    slot: int,
    store: MetricsStore,
    observers: Observers,
    streams: LiveStreams,
) -> LostStreams:
    """What records the streams of killed workers."""
    return LostStreams(
        state,
        slot,
        streams,
        store,
        settings_prices(settings),
        {name: one.kind for name, one in settings.upstreams.items()},
        observers.recorder.mark,
        window_now,
    )


def _last(lost: LostStreams, recorder: Recorder) -> None:
    """Of workers that were killed while the hub stopped; the recorder's thread has ended."""
    try:
        lost.look()
        recorder.drain()
    except StoreFault as error:
        log.warning("streams of killed workers cannot be recorded: %s", error)


def _refresh(
    keys: KeyService, store: MetricsStore, egress: Egress, stop: threading.Event
) -> None:
    looked = time.time()
    while not stop.wait(REFRESH):
        try:
            if keys.refresh():
                log.info("keys loaded again")
            if time.time() - looked >= SEEN:
                _seen(keys, store, int(looked))
                egress.daily()
                looked = time.time()
        except StoreFault as error:
            log.warning("keys cannot be read: %s", error)


def _seen(keys: KeyService, store: MetricsStore, since: int) -> None:
    """When keys were last used, out of the minutes that were recorded meanwhile."""
    found = store.usage(since - 2 * 60, int(time.time()) + 1, "minute", "key")
    used = {int(row.group): row.start for row in found if row.group != "0"}
    if used:
        keys.used(used.items())


def _close(closing: MetricsStore | KeyService | BudgetService) -> None:
    try:
        closing.close()
    except StoreFault as error:
        log.warning("a database did not close cleanly: %s", error)
