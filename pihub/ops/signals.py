"""What alerts are judged by: one number a measure and subject, with a sentence for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

from pihub.domain.promptcache import balance
from pihub.ops.budgets import NANO, BudgetState
from pihub.ops.health import Report
from pihub.ops.wan import said
from pihub.shared.wan import WanState
from pihub.store.rows import Dimension, Step, UsageRow
from pihub.store.sqlite import StoreFault

FAR = 1e6
"""Days, or hours, where no limit is in sight."""
LEAST_CALLS = 3
LEAST_WRITTEN = 10_000
"""Tokens written to a vendor's prompt cache in a day, before that is worth a word."""
SLOW = 60.0
"""Seconds between looks at the sums of usage."""


class Signal(NamedTuple):
    value: float
    text: str


Signals = Mapping[str, Mapping[str, Signal]]
"""By measure and subject. A measure that is missing could not be read, and changes nothing."""


class Usage(Protocol):
    """`store.rows.EventStore`"""

    def usage(self, start: int, end: int, step: Step, by: Dimension) -> list[UsageRow]: ...


class SignalMaker:
    """Not thread-safe: the health watch's thread alone uses it."""

    def __init__(
        self,
        store: Usage,
        dead_letters: Callable[[], int],
        lost: Callable[[], int],
        wan: Callable[[], WanState] = WanState,
        named: Callable[[str], str] = str,
    ) -> None:
        """`dead_letters`: deliveries that could be replayed. `lost`: records, in all. `named`: a
        subject as people call it."""
        self._named = named
        self._wan = wan
        self._store = store
        self._dead = dead_letters
        self._lost_total = lost
        self._lost_before = lost()
        self._lost_at = 0.0
        self._slow: dict[str, dict[str, Signal]] = {}
        self._slow_at = float("-inf")

    def of(self, report: Report) -> dict[str, dict[str, Signal]]:
        """All that is known as of that report."""
        found: dict[str, dict[str, Signal]] = {
            "score": dict(_scores(report)),
            "failing": dict(_failing(report)),
            "breaker_open": {
                name: Signal(float(state == "open"), f"The breaker of {name} is open.")
                for name, state in report.breakers.items()
            },
            "pace": dict(_paces(report)),
            "dead_letters": {"webhooks": _dead(self._dead())},
            "offline": {"hub": _offline(self._wan())},
            "records_lost": {"recorder": self._lost(report.at)},
            **_forecast(report, self._named),
            **_budgets(report, self._named),
        }
        heat = report.reading.temperature
        if heat is not None:
            found["temperature"] = {"box": Signal(heat, f"The processor is at {heat:.0f} °C.")}
        return {**found, **self._usage(report.at)}

    def _lost(self, now: float) -> Signal:
        """Lost within the last ten minutes, so that the alert ends by itself."""
        total = self._lost_total()
        if total > self._lost_before:
            self._lost_at = now
        fresh = total if now - self._lost_at < 600 else 0
        self._lost_before = total
        return Signal(float(fresh), f"{total} records were overwritten before they were stored.")

    def _usage(self, now: float) -> dict[str, dict[str, Signal]]:
        if now - self._slow_at < SLOW:
            return self._slow
        self._slow_at = now
        end = int(now) + 1
        try:
            day = self._store.usage(end - 86400, end, "hour", "model")
            hour = self._store.usage(end - 3600, end, "minute", "none")
        except StoreFault:
            self._slow = {}
            return self._slow
        unpriced = sum(row.unpriced for row in hour)
        self._slow = {
            "cache_writes": dict(_cache_writes(day)),
            "unknown_price": {
                "prices": Signal(
                    float(unpriced),
                    f"{unpriced} requests of the last hour have no known price: "
                    "pihub prices check names their models.",
                )
            },
        }
        return self._slow


def _scores(report: Report) -> Iterator[tuple[str, Signal]]:
    for one in (report.box, *report.upstreams):
        if one.value is not None:
            advice = one.advice[0] if one.advice else ""
            text = f"The health of {one.name} is {one.value} of 100"
            yield one.name, Signal(one.value, f"{text}: {advice}." if advice else f"{text}.")


def _failing(report: Report) -> Iterator[tuple[str, Signal]]:
    for name, (failures, calls) in report.failing.items():
        part = 100.0 * failures / calls if calls >= LEAST_CALLS else 0.0
        # While the breaker is open nothing is called, and nothing is known to be better.
        if not calls and report.breakers.get(name) == "open":
            part = 100.0
        yield name, Signal(
            part, f"{name}: {failures} of {calls} calls failed in the last five minutes."
        )


def _paces(report: Report) -> Iterator[tuple[str, Signal]]:
    for key, pace in report.paces.items():
        if not key.model or key.version != report.versions.get(key.upstream, ""):
            continue
        ratio = pace.ratio
        if ratio is not None:
            yield f"{key.upstream}/{key.model}{' whole' if key.whole else ''}", Signal(
                100 * ratio,
                f"{key.model} gives {pace.now:.1f} tokens a second, usually {pace.usual:.1f}.",
            )


def _dead(number: int) -> Signal:
    what = "delivery was" if number == 1 else "deliveries were"
    return Signal(float(number), f"{number} webhook {what} given up: look at the dead letters.")


def _offline(state: WanState) -> Signal:
    return Signal(float(state.offline), said(state))


def _forecast(report: Report, named: Callable[[str], str]) -> dict[str, dict[str, Signal]]:
    found: dict[str, dict[str, Signal]] = {}
    for one in report.forecasts:
        wait = one.seconds
        if one.name == "disk":
            days = FAR if wait is None else wait / 86400
            found["disk_days"] = {
                "box": Signal(days, f"The disk is full in {days:.1f} days, as it goes now.")
            }
        elif one.name == "memory":
            hours = FAR if wait is None else wait / 3600
            found["memory_hours"] = {
                "box": Signal(hours, f"The memory is used up in {hours:.1f} hours, as it goes now.")
            }
        elif one.name.startswith("budget "):
            hours = FAR if wait is None else wait / 3600
            name = one.name.removeprefix("budget ")
            found.setdefault("budget_hours", {})[name] = Signal(
                hours, f"Budget {named(name)} is spent in {hours:.1f} hours, as it goes now."
            )
    return found


def _budgets(
    report: Report, named: Callable[[str], str]
) -> dict[str, dict[str, Signal]]:
    soft: dict[str, Signal] = {}
    hard: dict[str, Signal] = {}
    ask: dict[str, Signal] = {}
    for state in report.budgets:
        for period, spent, limit in _periods(state):
            budget = state.budget
            part = 100.0 * spent / limit
            name = f"{budget.label} {period}"
            called = named(name)
            said = f"{spent / NANO:.4g} of {limit / NANO:.4g} USD"
            warned = 100 * part / budget.soft_percent if budget.soft_percent else part
            soft[name] = Signal(
                warned, f"Budget {called}: {said}, over {budget.soft_percent} percent of it."
            )
            if budget.at_limit != "ask":
                hard[name] = Signal(part, f"Budget {called} is spent: {said}.")
            else:
                ask[name] = Signal(
                    part,
                    f"Budget {called} is spent ({said}) and asks for more: POST "
                    f"/admin/api/v1/budgets/{state.id}/approvals, or Costs on the page.",
                )
    return {"budget_soft": soft, "budget_hard": hard, "budget_ask": ask}


def _periods(state: BudgetState) -> Iterator[tuple[str, int, int]]:
    if state.budget.day_nano:
        yield "day", state.spent_day, state.budget.day_nano + state.extra_day
    if state.budget.month_nano:
        yield "month", state.spent_month, state.budget.month_nano + state.extra_month


def _cache_writes(day: list[UsageRow]) -> Iterator[tuple[str, Signal]]:
    written: dict[str, list[int]] = {}
    for row in day:
        sums = written.setdefault(row.group, [0, 0])
        sums[0] += row.cache_write_tok
        sums[1] += row.cache_read_tok
    for model, (write, read) in written.items():
        if write >= LEAST_WRITTEN:
            yield model, Signal(
                balance(write, read),
                f"{model}: {write:,} tokens were written to the vendor's prompt cache in a day "
                f"and {read:,} read from it; writing cost more than reading saved.",
            )
