"""Webhooks: who sends, who is told, what waits, what is dead and can be sent again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlsplit

from pihub.dashboard import words
from pihub.dashboard.parts import Action, Card, Cards, Cell, Line, Screen, Table, Text, Tone
from pihub.dashboard.screens.refused import Refused
from pihub.dashboard.sources import Sources
from pihub.errors import BadRequest
from pihub.settings.webhooks import Action as HookAction
from pihub.settings.webhooks import Subscriber
from pihub.store.hookviews import DeliveryRow, EventRow
from pihub.webhooks.courier import CourierState
from pihub.webhooks.desk import SenderState

PENDING, DEAD = 0, 2
LATEST = 10
STATES = {0: "waiting", 1: "delivered", 2: "dead", 3: "erased"}
TONES: dict[int, Tone] = {0: "look", 1: "well", 2: "down", 3: "idle"}
HERE = "/dashboard/webhooks"
WHAT = (
    "The hub takes webhooks in for you: it checks their signatures, keeps each event on its disk "
    "before it answers the sender, and delivers it in order to whoever shall know."
)
TEXT = ("Write it into the configuration", "/dashboard/settings?part=text")


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    """`event=N`: one event. `events_before=N`, `before=N`: older ones; `state=`: of
    deliveries."""
    if asked.get("event"):
        return _event(sources, _number(asked, "event") or 0)
    desk = sources.services.webhooks
    seen = desk.overview()
    # Whose they would be is not known, so they are nobody's but the hub's own people's.
    refused = Refused.of_day(sources.services.store) if sources.tenant is None else None
    state = {name: number for number, name in STATES.items()}.get(asked.get("state", ""))
    events = desk.events(
        LATEST, before=_number(asked, "events_before"), after=None, source="", kind="", about=""
    )
    dead = desk.deliveries(LATEST, before=None, after=None, target="", state=DEAD)
    sent = desk.deliveries(
        LATEST, before=_number(asked, "before"), after=None, target="", state=state
    )
    if not (seen.senders or seen.targets or events or sent):
        return Screen("Webhooks", (_senders((), refused),), refresh=5, notes=(WHAT,))
    return Screen(
        "Webhooks",
        (
            Cards(
                (
                    Card("Senders", words.count(len(seen.senders)), "configured"),
                    Card("Waiting", words.count(seen.pending), "deliveries",
                         href=f"{HERE}?state=waiting"),
                    Card("Dead letters", words.count(seen.dead), "given up",
                         href=f"{HERE}?state=dead", tone="look" if seen.dead else ""),
                    *(() if refused is None else (refused.card(),)),
                    Card("Kept", words.size(seen.bytes), "on the disk"),
                )
            ),
            _senders(seen.senders, refused),
            Table(
                "Subscribers and actions",
                ("Target", "What it does", "Gets", "Breaker", "#Delivered", "#Failed", "#Dead"),
                tuple(_target(sources, one) for one in seen.targets),
                "Nobody is told of events yet: [subscribers.NAME] or [actions.NAME] in pihub.toml.",
                note="Counts are since the start of the control process.",
            ),
            Table(
                "Dead letters",
                ("Event", "Target", "Why", "#Attempts", "Given up"),
                tuple(_dead(one) for one in dead),
                "None: everything was delivered, or is still being tried.",
            ),
            Table(
                "Latest events",
                ("Event", "Of", "Came", "#Deliveries", "#Waiting"),
                tuple(_latest(one) for one in events),
                "No event has come yet.",
                links=_older("events_before", events),
            ),
            Table(
                f"Deliveries, {asked['state']}" if state is not None else "Deliveries",
                ("Event", "Target", "State", "Last answer", "#Attempts", "Ended"),
                tuple(_delivery(one) for one in sent),
                "None.",
                links=(
                    *((word.capitalize(), f"{HERE}?state={word}") for word in STATES.values()),
                    ("All", HERE),
                    *_older("before", sent, asked.get("state", "") if state is not None else ""),
                ),
            ),
        ),
        refresh=5,
    )  # fmt: skip


def _senders(senders: Sequence[SenderState], refused: Refused | None) -> Table:
    head: tuple[str, ...] = ("Name", "Kind", "Path")
    lines = []
    for one in senders:
        cells = (Cell(one.name), Cell(one.kind), Cell(one.path))
        lines.append(Line(cells if refused is None else (*cells, *refused.cells(one.name))))
    if refused is not None:
        head = (*head, "#Refused, 24 h", "Last refused, and why")
        if refused.by("").rows:
            lost = (Cell("nobody"), Cell(""), Cell("any other"), *refused.cells(""))
            lines.append(Line(lost))
    return Table(
        "Senders",
        head,
        tuple(lines),
        "None is configured: [webhooks.NAME] in pihub.toml makes one, and [subscribers.NAME] or "
        "[actions.NAME] says who is told.",
        links=() if lines or refused is None else (TEXT,),
    )


def _event(sources: Sources, number: int) -> Screen:
    """One event with its body and what became of it. Raises NotFound."""
    row, body, sent = sources.services.webhooks.event(number)
    text = "It was erased: its person asked to be forgotten."
    if body is not None:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    return Screen(
        f"Event {number}",
        (
            Cards(
                (
                    Card("What", row.kind, row.object or "about nothing in particular"),
                    Card("From", row.source, words.ago(row.received / 1000)),
                    Card("Deliveries", words.count(row.deliveries),
                         f"{words.count(row.pending)} waiting"),
                )
            ),
            Table(
                "What became of it",
                ("Event", "Target", "State", "Last answer", "#Attempts", "Ended"),
                tuple(_delivery(one) for one in sent),
                "Nobody wanted to be told of it.",
                links=(("All webhooks", HERE),),
            ),
            Text("Body", text, pre=True),
        ),
        refresh=5,
    )  # fmt: skip


def _number(asked: Mapping[str, str], name: str) -> int | None:
    text = asked.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadRequest(f"{name} must be a number", param=name)
    return int(text)


def _older(
    name: str, rows: list[EventRow] | list[DeliveryRow], state: str = ""
) -> tuple[tuple[str, str], ...]:
    if len(rows) < LATEST:
        return ()
    kept = f"state={quote(state)}&" if state else ""
    return (("Older", f"{HERE}?{kept}{name}={rows[-1].id}"),)


def _latest(one: EventRow) -> Line:
    return Line(
        (
            Cell(one.kind, one.object, href=f"{HERE}?event={one.id}"),
            Cell(one.source),
            Cell(words.ago(one.received / 1000), "erased" if one.erased else ""),
            Cell(str(one.deliveries)),
            Cell(str(one.pending)),
        )
    )


def _delivery(one: DeliveryRow) -> Line:
    said = one.error or (f"status {one.status}" if one.status else words.NONE)
    return Line(
        (
            Cell(one.kind, one.object, href=f"{HERE}?event={one.event}"),
            Cell(one.target),
            Cell(STATES[one.state], tone=TONES[one.state]),
            Cell(said),
            Cell(str(one.attempts)),
            Cell(words.ago(one.ended / 1000) if one.ended else words.NONE),
        ),
        (_again(one),) if one.state == DEAD else (),
    )


def _dead(one: DeliveryRow) -> Line:
    return Line(
        (
            Cell(one.kind, one.object, href=f"{HERE}?event={one.event}"),
            Cell(one.target),
            Cell(one.error or str(one.status), tone="down"),
            Cell(str(one.attempts)),
            Cell(words.ago(one.ended / 1000) if one.ended else words.NONE),
        ),
        (_again(one),),
    )


def _again(one: DeliveryRow) -> Action:
    return Action(
        "Send it again", "POST", "/webhooks/replay",
        fixed=(("target", one.target), ("deliveries", (one.id,))), permission="webhooks:write",
    )  # fmt: skip


def _target(sources: Sources, state: CourierState) -> Line:
    breaker = state.breaker
    tone: Tone = "well" if breaker == "closed" else "look" if "half" in breaker else "down"
    settings = sources.loaded.settings
    one = settings.subscribers.get(state.target) or settings.actions.get(state.target)
    again = Action(
        "Send all dead ones again", "POST", "/webhooks/replay",
        fixed=(("target", state.target),), permission="webhooks:write",
        sure=f"Send every dead letter of {state.target} again?",
    )  # fmt: skip
    return Line(
        (
            Cell(state.target, state.last_error),
            Cell(*_does(one)),
            Cell(*_gets(one)),
            Cell(breaker, f"{state.busy} under way" if state.busy else "", tone=tone),
            Cell(words.count(state.delivered)),
            Cell(words.count(state.failed)),
            Cell(words.count(state.dead)),
        ),
        (again,) if state.dead else (),
    )


def _does(one: Subscriber | HookAction | None) -> tuple[str, str]:
    if isinstance(one, Subscriber):
        # Without its query and path, which may hold a receiver's secret.
        url = urlsplit(one.url)
        signed = one.secret_env or one.secret_file
        return f"posts to {url.scheme}://{url.netloc}", "signed" if signed else "not signed"
    if one is None:
        return "is not configured any more", ""
    asks = f"asks {one.model}, " if one.model else ""
    return f"{asks}{one.method} to {one.api}", "an action of the hub"


def _gets(one: Subscriber | HookAction | None) -> tuple[str, str]:
    if one is None:
        return words.NONE, ""
    return ", ".join(one.sources) or "all senders", ", ".join(one.types) or "all types"
