"""The tables of alerts on the health screen: open ones, past ones, silences, rules."""

from __future__ import annotations

import time
from collections.abc import Callable

from pihub.dashboard import words
from pihub.dashboard.parts import Action, Cell, Field, Line, Table, Tone
from pihub.ops.alerts import AlertService, View
from pihub.settings.alerts import AlertRule
from pihub.store.alerts import SilenceRow

PAST = 20
NOBODY = (
    "They are told nowhere but here: a subscriber with sources = [\"pihub\"] would hear of each."
)
SILENCE = 4 * 3600
Named = Callable[[str], str]
TONES: dict[str, Tone] = {"critical": "down", "warning": "look", "note": "idle"}


def alert_tables(alerts: AlertService, told: bool) -> tuple[Table, ...]:
    """`told`: somebody subscribes to them."""
    now = time.time()
    views = alerts.page(100, open_only=True)
    past = [view for view in alerts.page(PAST * 2) if not view.row.open][:PAST]
    return (
        Table(
            "Open alerts",
            ("What", "How grave", "Since", "State"),
            tuple(_open(view, now, told, alerts.named) for view in views),
            "None: nothing asks for you.",
            note="" if told else NOBODY,
        ),
        Table(
            "Past alerts",
            ("What", "How grave", "Ended", "#Lasted", "#Times"),
            tuple(_past(view, alerts.named) for view in past),
            "There was none yet.",
        ),
        Table(
            "Silenced",
            ("Rule", "Of", "Ends", "By"),
            tuple(_silence(row, now, alerts.named) for row in alerts.silences()),
            "Nothing is silenced.",
            forms=(
                Action(
                    "Silence a rule",
                    "POST",
                    "/alert-silences",
                    (
                        Field("rule", "Rule", "select", choices=tuple(alerts.rules)),
                        Field("subject", "Only of (empty: all)"),
                        Field("seconds", "Seconds", "number", str(SILENCE), required=True),
                        Field("reason", "Why"),
                    ),
                    permission="health:write",
                ),
            ),
        ),
        Table(
            "Rules in force",
            ("Rule", "Measure", "Begins", "Ends", "#After", "How grave"),
            tuple(_rule(name, rule) for name, rule in alerts.rules.items()),
            "All are switched off.",
            note="Change one under [alerts.rules.NAME] in pihub.toml. A subscriber with "
            'sources = ["pihub"] is told of each.',
            folded=True,
        ),
    )


def _open(view: View, now: float, told: bool, named: Named) -> Line:
    row = view.row
    care = Action(
        "I care for it", "POST", f"/alerts/{row.id}/acknowledge", permission="health:write"
    )
    quiet = Action(
        "Silence for 4 hours", "POST", "/alert-silences",
        fixed=(("rule", row.rule), ("subject", row.subject), ("seconds", SILENCE)),
        permission="health:write",
    )  # fmt: skip
    said = "subscribers were told" if told and row.told else "open"
    state = "silenced" if view.silenced else said
    by = f"{row.acknowledged_by} cares for it" if row.acknowledged else ""
    changed = f"changed {words.ago(view.changed)}" if view.changed else ""
    often = f"{row.times} times" if row.times > 1 else ""
    actions = (*(() if row.acknowledged else (care,)), *(() if view.silenced else (quiet,)))
    return Line(
        (
            _what(view, named),
            Cell(row.severity, tone=TONES.get(row.severity, "look")),
            Cell(words.age(now - row.opened), ", ".join(filter(None, (changed, often)))),
            Cell(by or state),
        ),
        actions,
    )


def _what(view: View, named: Named) -> Cell:
    row = view.row
    return Cell(row.text, f"{row.rule}, {named(row.subject)}")


def _past(view: View, named: Named) -> Line:
    row = view.row
    return Line(
        (
            _what(view, named),
            Cell(row.severity),
            Cell(words.ago(row.closed)),
            Cell(words.age(row.closed - row.opened)),
            Cell(str(row.times)),
        )
    )


def _silence(row: SilenceRow, now: float, named: Named) -> Line:
    end = Action("End it", "DELETE", f"/alert-silences/{row.id}", permission="health:write")
    return Line(
        (
            Cell(row.rule, row.reason),
            Cell(named(row.subject) if row.subject else "all"),
            Cell("in", left=max(1.0, row.until - now)),
            Cell(row.by),
        ),
        (end,),
    )


def _rule(name: str, rule: AlertRule) -> Line:
    bound = rule.above if rule.above is not None else rule.below
    begins = f"{'≥' if rule.above is not None else '≤'} {bound:g}"
    ends = words.NONE
    if rule.clear is not None:
        ends = f"{'≤' if rule.above is not None else '≥'} {rule.clear:g}"
    return Line(
        (
            Cell(name),
            Cell((rule.measure or "").replace("_", " ")),
            Cell(begins),
            Cell(ends),
            Cell(words.age(rule.after or 0.0)),
            Cell(rule.severity or "warning"),
        )
    )
