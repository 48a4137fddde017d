"""[alerts]: what is worth a word, when, and how loud."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pihub.settings.section import Section

Measure = Literal[
    "score", "failing", "breaker_open", "disk_days", "memory_hours", "temperature",
    "budget_soft", "budget_hard", "budget_ask", "budget_hours", "dead_letters", "cache_writes",
    "unknown_price", "records_lost", "pace", "offline",
]  # fmt: skip
Severity = Literal["note", "warning", "critical"]
Hold = Annotated[float, msgspec.Meta(ge=0, le=86400)]
OWN_SOURCE = "pihub"
"""The source of the hub's own events: a subscriber gets them if it names it."""


class AlertRule(Section, frozen=True):
    """One [alerts.rules.NAME]. What is left out is taken from the built-in rule of that name."""

    measure: Measure | None = None
    above: float | None = None
    below: float | None = None
    """It is a problem from here on: `above` and `below` include the value itself."""
    clear: float | None = None
    """It is over only on the other side of this value."""
    after: Hold | None = None
    """For so many seconds, before it is one; and so long it must be well to be over."""
    severity: Severity | None = None
    enabled: bool | None = None


class Alerts(Section, frozen=True):
    rules: dict[str, AlertRule] = {}
    repeat: Annotated[float, msgspec.Meta(ge=0, le=604800)] = 14400.0
    """Seconds until an open alert that nobody acknowledged is told again; 0: never."""
    keep_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 90


def _rule(
    measure: Measure,
    severity: Severity,
    after: float,
    *,
    above: float | None = None,
    below: float | None = None,
    clear: float | None = None,
) -> AlertRule:
    return AlertRule(
        measure=measure, severity=severity, after=after, above=above, below=below, clear=clear,
        enabled=True,
    )  # fmt: skip


BUILT_IN: dict[str, AlertRule] = {
    "health": _rule("score", "warning", 60, below=50, clear=70),
    "upstream_down": _rule("failing", "critical", 30, above=99, clear=50),
    "breaker_open": _rule("breaker_open", "warning", 0, above=1, clear=0),
    "disk": _rule("disk_days", "warning", 600, below=7, clear=10),
    "memory": _rule("memory_hours", "warning", 600, below=24, clear=48),
    "temperature": _rule("temperature", "warning", 60, above=82, clear=76),
    "budget_soft": _rule("budget_soft", "note", 0, above=100, clear=99),
    "budget_hard": _rule("budget_hard", "critical", 0, above=100, clear=99),
    "budget_ask": _rule("budget_ask", "critical", 0, above=100, clear=99),
    "dead_letters": _rule("dead_letters", "warning", 0, above=1, clear=0),
    "cache_writes": _rule("cache_writes", "note", 300, above=1, clear=0.8),
    "unknown_price": _rule("unknown_price", "note", 0, above=1, clear=0),
    "records_lost": _rule("records_lost", "critical", 0, above=1, clear=0),
    "offline": _rule("offline", "warning", 0, above=1, clear=0),
    "slow_model": _rule("pace", "note", 600, below=50, clear=75),
}
"""In force unless [alerts.rules.NAME] says otherwise; docs/alerts.md tells them one by one."""


def merged(settings: Alerts) -> dict[str, AlertRule]:
    """Built-in and own rules with every field that they need. Rules that are switched off,
    and those that the checks refused, are left out."""
    found: dict[str, AlertRule] = {}
    for name in sorted({*BUILT_IN, *settings.rules}):
        base, own = BUILT_IN.get(name, AlertRule()), settings.rules.get(name, AlertRule())
        bounds = base if own.above is None and own.below is None else own
        clear = own.clear
        if clear is None:
            # Another bound than the built-in one takes its own value as the end.
            clear = base.clear if bounds is base else None
        rule = AlertRule(
            measure=own.measure or base.measure,
            above=bounds.above,
            below=bounds.below,
            clear=clear,
            after=(base.after or 0.0) if own.after is None else own.after,
            severity=own.severity or base.severity or "warning",
            enabled=own.enabled if own.enabled is not None else True,
        )
        if rule.enabled and rule.measure and (rule.above is None) != (rule.below is None):
            found[name] = rule
    return found
