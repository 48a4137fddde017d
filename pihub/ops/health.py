"""The health watch of the control process: scores, paces, forecasts, and their history.

One thread, a look each five seconds (below a millisecond), means of five minutes written in
one transaction. What it finds is in `report`, on /metrics by the arena's board, and in the
signals that alerts are made of.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pihub.domain.score import Score
from pihub.domain.trend import Baseline
from pihub.ops.budgets import NANO, BudgetState
from pihub.ops.forecasts import Forecast, Forecasts
from pihub.ops.judging import BoxSeen, UpstreamSeen, judge_box, judge_upstream
from pihub.ops.machine import Reading
from pihub.ops.pace import Key, Pace, Versions
from pihub.shared.health import HealthBoard
from pihub.shared.machine import CONTROL, Gauge, MachineState
from pihub.shared.metrics import Column
from pihub.shared.state import SharedState
from pihub.store.health import BaselineRow, HealthRows
from pihub.store.sqlite import StoreFault

log = logging.getLogger("pihub.health")

LOOK = 5.0
WINDOW = 60
"""Looks that count: five minutes. RAM: 32 upstreams x 60 x 100 bytes."""
SAVE = 300.0
SLOW = 15.0
"""Seconds between looks at what costs more: budgets, versions of Ollama."""
SILENT_MS = 20_000
MEMORY_FLOOR = 0.05
"""Of the RAM: the limit of the memory forecast."""
DISK_FLOOR = 0.02


class Report(NamedTuple):
    """One look's findings."""

    at: float
    box: Score
    upstreams: tuple[Score, ...]
    forecasts: tuple[Forecast, ...]
    paces: Mapping[Key, Baseline]
    versions: Mapping[str, str]
    """Of each Ollama that answered."""
    failing: Mapping[str, tuple[int, int]]
    """(failures, calls) of the last five minutes, by upstream."""
    breakers: Mapping[str, str]
    budgets: Sequence[BudgetState]
    reading: Reading


class _Look(NamedTuple):
    open: bool
    calls: int
    failures: int
    timeouts: int


class HealthWatch:
    """`turn` is its step; `report` may be read by any thread."""

    def __init__(
        self,
        state: SharedState,
        board: HealthBoard,
        rows: HealthRows,
        pace: Pace,
        folder: Path,
        *,
        memory: int,
        hot: float,
        budgets: Callable[[], Sequence[BudgetState]],
        behind: Callable[[], int],
        versions: Versions,
        periods: Callable[[], tuple[str, str]],
    ) -> None:
        """`memory`: bytes of RAM. `periods`: what today and this month are called."""
        self._state = state
        self._board = board
        self._rows = rows
        self.pace = pace
        self._folder = folder
        self._memory = memory
        self._hot = hot
        self._budgets = budgets
        self._behind = behind
        self._versions = versions
        self._periods = periods
        self._looks: dict[str, deque[_Look]] = {
            name: deque(maxlen=WINDOW + 1) for name in board.rows
        }
        self._lost: deque[int] = deque(maxlen=WINDOW + 1)
        self._forecasts = Forecasts()
        self._seen_budgets: Sequence[BudgetState] = ()
        self._slow_at = self._saved_at = float("-inf")
        self._means: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self.report: Report | None = None

    # ---- steps ------------------------------------------------------------------------

    def turn(self, now: float) -> Report:
        """One look. `now`: Unix seconds."""
        if self._saved_at == float("-inf"):
            self._saved_at = now
        reading = reading_of(self._state.machine)
        if now - self._slow_at >= SLOW:
            self._slow_at = now
            self._slow()
        try:
            disk = shutil.disk_usage(self._folder)
            size, free = disk.total, disk.free
        except OSError:
            size = free = 0
        forecasts = self._forecast(now, reading, size, free)
        full = next((one.seconds for one in forecasts if one.name == "disk"), None)
        paces = self.pace.all()
        upstreams = self._upstreams(paces)
        self._lost.append(self._state.counters.total(Column.EVENTS_LOST))
        machine = self._state.machine
        box = judge_box(
            BoxSeen(
                reading=reading,
                memory=self._memory,
                disk_free=free,
                disk_size=size,
                disk_full_in=full,
                hot=self._hot,
                written_day=machine.get(CONTROL, Gauge.WRITTEN_DAY) or 0,
                write_budget=machine.get(CONTROL, Gauge.WRITE_BUDGET) or 0,
                behind=self._behind(),
                lost=self._lost[-1] - self._lost[0],
                silent=self._silent(),
            )
        )
        self.report = Report(
            now,
            box,
            tuple(judge_upstream(one) for one in upstreams),
            tuple(forecasts),
            paces,
            self._versions.all(),
            {one.name: (one.failures, one.calls) for one in upstreams},
            {one.name: one.breaker for one in upstreams},
            self._seen_budgets,
            reading,
        )
        self._remember(self.report)
        if now - self._saved_at >= SAVE:
            self._saved_at = now
            self.save(int(now))
        return self.report

    def restore(self, now: float) -> None:
        """What earlier processes learnt and saw. Raises StoreFault."""
        known = {
            Key(one.upstream, one.model, one.version, one.whole): Baseline(
                one.usual, one.spread, one.seen, one.now
            )
            for one in self._rows.baselines()
        }
        self.pace.restore(known)
        for name in ("disk", "memory"):
            for at, value in self._rows.samples(name, int(now) - 2 * 86400, 600):
                self._forecasts.add(name, "bytes", at, value, 0.0, falling=True)

    def save(self, now: int) -> None:
        """The means since the last time, and all baselines. A fault loses one row a series."""
        means = {name: total / count for name, (total, count) in self._means.items()}
        self._means.clear()
        rows = [
            BaselineRow(*key, one.usual, one.spread, one.count, one.now)
            for key, one in self.pace.all().items()
        ]
        try:
            self._rows.commit(now, means, rows)
        except StoreFault as error:
            log.warning("health could not be written down: %s", error)

    # ---- what is seen -----------------------------------------------------------------

    def _slow(self) -> None:
        self._versions.look()
        try:
            self._seen_budgets = self._budgets()
        except StoreFault as error:
            log.warning("budgets cannot be read: %s", error)

    def _upstreams(self, paces: Mapping[Key, Baseline]) -> list[UpstreamSeen]:
        found = []
        for name, one in self._board.snapshot().items():
            looks = self._looks[name]
            hold = self._board.held(name)
            # Taken out by hand: no failure of its own.
            state = "held" if hold is not None and hold.state == "open" else str(one["state"])
            looks.append(
                _Look(
                    state == "open",
                    int(one["calls"]),
                    int(one["failures"]),
                    int(one["timeouts"]),
                )
            )
            first, last = looks[0], looks[-1]
            found.append(
                UpstreamSeen(
                    name,
                    state,
                    sum(look.open for look in looks) / len(looks),
                    max(0, last.calls - first.calls),
                    max(0, last.failures - first.failures),
                    max(0, last.timeouts - first.timeouts),
                    paces.get(Key(name)),
                    [
                        (key.model, pace)
                        for key, pace in paces.items()
                        if key.upstream == name and key.model
                        and key.version == self._versions.of(name)
                    ],
                )
            )
        return found

    def _silent(self) -> list[str]:
        now = int(time.monotonic() * 1000)
        found = []
        for slot in range(1, self._state.slots):
            pid, _, beat = self._state.arena.slot_info(slot)
            if pid and now - beat > SILENT_MS:
                found.append(f"worker {slot}")
        return found

    def _forecast(
        self, now: float, reading: Reading, size: int, free: int
    ) -> list[Forecast]:
        add, names = self._forecasts.add, set()
        if size:
            add("disk", "bytes", now, free, size * DISK_FLOOR, falling=True)
            names.add("disk")
        if reading.available is not None and self._memory:
            limit = self._memory * MEMORY_FLOOR
            add("memory", "bytes", now, reading.available, limit, falling=True)
            names.add("memory")
        if reading.temperature is not None:
            add("temperature", "celsius", now, reading.temperature, self._hot, estimator="holt")
            names.add("temperature")
        today, month = self._periods()
        for one in self._seen_budgets:
            for period, spent, limit, extra, called in (
                ("day", one.spent_day, one.budget.day_nano, one.extra_day, today),
                ("month", one.spent_month, one.budget.month_nano, one.extra_month, month),
            ):
                if limit:
                    name = f"budget {one.budget.label} {period}"
                    add(name, "usd", now, spent / NANO, (limit + extra) / NANO, period=called)
                    names.add(name)
        self._forecasts.keep(names)
        return self._forecasts.ask(now)

    def _remember(self, report: Report) -> None:
        """Into the means of these five minutes."""
        found: dict[str, float] = {one.name: one.value for one in report.forecasts}
        for score in (report.box, *report.upstreams):
            if score.value is not None:
                found[f"score {score.name}"] = score.value
        for key, pace in report.paces.items():
            found[key.label] = pace.now
        for name, value in found.items():
            mean = self._means[name]
            mean[0] += value
            mean[1] += 1


def reading_of(machine: MachineState) -> Reading:
    """The machine watch's last reading, from the arena."""

    def scaled(gauge: Gauge, scale: float) -> float | None:
        value = machine.get(CONTROL, gauge)
        return None if value is None else value / scale

    if not machine.get(CONTROL, Gauge.READ_AT):
        return Reading()
    return Reading(
        temperature=scaled(Gauge.TEMPERATURE, 1000),
        flags=machine.get(CONTROL, Gauge.FLAGS),
        available=machine.get(CONTROL, Gauge.AVAILABLE),
        memory_some=scaled(Gauge.MEMORY_SOME, 100),
        memory_full=scaled(Gauge.MEMORY_FULL, 100),
        cpu_some=scaled(Gauge.CPU_SOME, 100),
        io_some=scaled(Gauge.IO_SOME, 100),
    )


def run(
    watch: HealthWatch, stop: threading.Event, also: Iterable[Callable[[Report], None]]
) -> None:
    """A thread's body: a look at once and each five seconds, then `also`; what is left is saved
    at the end."""
    try:
        watch.restore(time.time())
    except StoreFault as error:
        log.warning("health begins anew, what was learnt cannot be read: %s", error)
    while not stop.is_set():
        try:
            report = watch.turn(time.time())
            for one in also:
                one(report)
        except Exception:  # a defect here must not end the watch
            log.exception("health could not be judged")
        stop.wait(LOOK)
    watch.save(int(time.time()))
