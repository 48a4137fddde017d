"""Health and alerts as one service of the control process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from pihub.ops import health
from pihub.ops.alerts import AlertService, Tell, Word
from pihub.ops.budgets import BudgetService, window_now
from pihub.ops.health import HealthWatch, Report
from pihub.ops.local_models import Ollama
from pihub.ops.machine import machine
from pihub.ops.pace import Pace, Versions
from pihub.ops.signals import SignalMaker
from pihub.settings.alerts import merged
from pihub.settings.paths import database
from pihub.settings.schema import Settings
from pihub.shared.health import HealthBoard
from pihub.shared.metrics import Column
from pihub.shared.state import SharedState
from pihub.shared.vitals import Sample, publish
from pihub.shared.wan import Wan
from pihub.store.alerts import AlertRows
from pihub.store.health import HealthRows
from pihub.store.metrics import MetricsStore
from pihub.store.sqlite import Database, StoreFault


class Vitals(NamedTuple):
    """`run` in a thread of its own."""

    watch: HealthWatch
    alerts: AlertService
    history: HealthRows
    signals: SignalMaker
    state: SharedState
    store: MetricsStore

    def run(self, stop: threading.Event) -> None:
        health.run(self.watch, stop, (self.judged,))

    def judged(self, report: Report) -> None:
        """Alerts by a report, then all of it to /metrics."""
        self.alerts.turn(self.signals.of(report))
        with contextlib.suppress(ValueError):  # more names than the board holds
            publish(self.state.vitals, [*_samples(report, self.alerts), *self._stored()])

    def _stored(self) -> Iterator[Sample]:
        try:
            found = self.store.info()
        except StoreFault:
            return
        wal = found["wal_bytes"]
        yield Sample("store", (("file", "database"),), found["bytes"] - wal)
        yield Sample("store", (("file", "wal"),), wal)
        yield Sample("kept", (), found["requests"])


def nobody(word: Word) -> bool:
    """Tells nobody."""
    return True


def open_vitals(
    settings: Settings,
    state: SharedState,
    board: HealthBoard,
    store: MetricsStore,
    control: Database,
    budgets: BudgetService,
    behind: Callable[[], int],
    tell: Tell | None = None,
    named: Callable[[str], str] = str,
) -> Vitals:
    """`control`: the control database, migrated. `named`: an alert's subject as people call it."""
    ollamas = {
        name: Ollama(one.url) for name, one in settings.upstreams.items() if one.kind == "ollama"
    }

    def ask(name: str) -> str:
        return str(ollamas[name].get("/api/version").get("version") or "")

    versions = Versions({name: partial(ask, name) for name in ollamas})

    def periods() -> tuple[str, str]:
        window = window_now()
        return str(window.day), str(window.month)

    rows = HealthRows(store.database)
    watch = HealthWatch(
        state,
        board,
        rows,
        Pace(state.names, versions.of),
        database(settings).parent,
        memory=machine().memory,
        hot=settings.machine.hot,
        budgets=budgets.states,
        behind=behind,
        versions=versions,
        periods=periods,
    )
    alerts = AlertService(
        merged(settings.alerts),
        AlertRows(control),
        tell or nobody,
        repeat=settings.alerts.repeat,
        keep_days=settings.alerts.keep_days,
        named=named,
    )
    signals = SignalMaker(
        store,
        lambda: state.counters.total(Column.HOOK_LETTERS),
        lambda: state.counters.total(Column.EVENTS_LOST),
        Wan(state.wan).state,
        named,
    )
    return Vitals(watch, alerts, rows, signals, state, store)


def _samples(report: Report, alerts: AlertService) -> Iterator[Sample]:
    yield Sample("judged", (), report.at)
    for score in (report.box, *report.upstreams):
        if score.value is not None:
            yield Sample("score", (("of", score.name),), score.value)
    for one in report.forecasts:
        labels: tuple[tuple[str, str], ...] = (("what", one.name), ("unit", one.unit))
        yield Sample("value", labels, one.value)
        yield Sample("limit", labels, one.limit)
        if one.per_day is not None:
            yield Sample("slope", labels, one.per_day)
        if one.seconds is not None:
            yield Sample("until", labels, one.seconds)
    counts: dict[tuple[str, str], int] = {}
    for view in alerts.open():
        named = (view.row.rule, view.row.severity)
        counts[named] = counts.get(named, 0) + 1
    for rule, limits in alerts.rules.items():
        counts.setdefault((rule, limits.severity or "warning"), 0)
    for (rule, severity), count in counts.items():
        yield Sample("alerts", (("rule", rule), ("severity", severity)), count)
    for score in (report.box, *report.upstreams):
        for part in score.parts:
            if part.share is not None:
                yield Sample("part", (("of", score.name), ("part", part.name)), part.share)
    for key, pace in report.paces.items():
        family, scale = ("pace", 1.0) if key.model else ("latency", 1000.0)
        labels = (("upstream", key.upstream),)
        if key.model:
            answer = "whole" if key.whole else "streamed"
            labels += (("model", key.model), ("version", key.version), ("answer", answer))
        yield Sample(family, (*labels, ("kind", "now")), pace.now / scale)
        if pace.ratio is not None:
            yield Sample(family, (*labels, ("kind", "usual")), pace.usual / scale)
