"""Webhooks: who sends, who is told, what waits, what is dead and can be sent again."""

from __future__ import annotations

from collections.abc import Mapping

from pihub.dashboard import words
from pihub.dashboard.parts import Action, Card, Cards, Cell, Line, Screen, Table, Tone
from pihub.dashboard.sources import Sources
from pihub.webhooks.courier import CourierState

DEAD = 2
LATEST = 25
STATES = {0: "waiting", 1: "delivered", 2: "dead"}


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    desk = sources.services.webhooks
    seen = desk.overview()
    events = desk.events(LATEST, before=None, after=None, source="", kind="", about="")
    dead = desk.deliveries(LATEST, before=None, after=None, target="", state=DEAD)
    return Screen(
        "Webhooks",
        (
            Cards(
                (
                    Card("Senders", words.count(len(seen.senders)), "configured"),
                    Card("Waiting", words.count(seen.pending), "deliveries"),
                    Card("Dead letters", words.count(seen.dead), "given up",
                         tone="look" if seen.dead else ""),
                    Card("Kept", words.size(seen.bytes), "on the disk"),
                )
            ),
            Table(
                "Senders",
                ("Name", "Kind", "Path"),
                tuple(
                    Line((Cell(s.name), Cell(s.kind), Cell(s.path))) for s in seen.senders
                ),
                "None is configured: [webhooks.NAME] in pihub.toml makes one.",
            ),
            Table(
                "Targets",
                ("Target", "Breaker", "#Delivered", "#Failed", "#Dead"),
                tuple(_target(one) for one in seen.targets),
                "Nobody is told of events yet.",
            ),
            Table(
                "Dead letters",
                ("Event", "Target", "Why", "#Attempts"),
                tuple(
                    Line(
                        (
                            Cell(one.kind, one.object),
                            Cell(one.target),
                            Cell(one.error or str(one.status), tone="down"),
                            Cell(str(one.attempts)),
                        )
                    )
                    for one in dead
                ),
                "None: everything was delivered, or is still being tried.",
            ),
            Table(
                "Latest events",
                ("Event", "Of", "#Deliveries", "#Waiting"),
                tuple(
                    Line(
                        (
                            Cell(one.kind, one.object),
                            Cell(one.source),
                            Cell(str(one.deliveries)),
                            Cell(str(one.pending)),
                        )
                    )
                    for one in events
                ),
                "No event has come yet.",
            ),
        ),
        refresh=5,
    )  # fmt: skip


def _target(one: CourierState) -> Line:
    state = one.breaker
    tone: Tone = "well" if state == "closed" else "look" if "half" in state else "down"
    again = Action(
        "Send dead ones again", "POST", "/webhooks/replay",
        fixed=(("target", one.target),), permission="webhooks:write",
    )  # fmt: skip
    return Line(
        (
            Cell(one.target, one.last_error),
            Cell(state, tone=tone),
            Cell(words.count(one.delivered)),
            Cell(words.count(one.failed)),
            Cell(words.count(one.dead)),
        ),
        (again,) if one.dead else (),
    )
