"""Upstreams & APIs: is each there, how fast, what failed last; taking one out for a while."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import quote

from pihub.dashboard import words
from pihub.dashboard.parts import Action, Card, Cards, Cell, Field, Line, Screen, Table, Tone
from pihub.dashboard.screens.outside import outside
from pihub.dashboard.sources import Sources
from pihub.ops.upstreams import Probe, TargetView
from pihub.ops.wan import WanWatch
from pihub.store.rows import UsageRow

HOUR = 3600
STATES: dict[str, tuple[str, Tone]] = {
    "closed": ("in use", "well"),
    "open": ("resting after failures", "down"),
    "half-open": ("being tried again", "look"),
}


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    found = sources.services.upstreams.views()
    watch: WanWatch | None = sources.services.wan
    now = int(time.time())
    speed: dict[str, UsageRow] = {
        row.group: row
        for row in sources.services.store.usage(now - HOUR, now + 1, "hour", "upstream")
    }
    held = [one for one in found if one.hold]
    resting = [one for one in found if one.state != "closed" and not one.hold]
    return Screen(
        "Upstreams & APIs",
        (
            Cards(
                (
                    Card("In use", f"{sum(o.state == 'closed' for o in found)} of {len(found)}",
                         "upstreams and APIs"),
                    Card("Resting", words.count(len(resting)), "their breaker opened",
                         tone="look" if resting else ""),
                    Card("Held by hand", words.count(len(held)), "ends by itself",
                         tone="look" if held else ""),
                    Card("Connections", words.count(sum(o.connections for o in found)),
                         f"{words.count(sum(o.waiting for o in found))} callers wait for one"),
                )
            ),
            Table(
                "Where answers come from",
                ("Name", "State", "#Calls", "#Failed", "#Median, 1 h", "#p95, 1 h",
                 "#Connections", "Last failure", "Last probe"),
                tuple(_line(one, speed.get(one.name)) for one in found),
                "Nothing is configured. Add [upstreams.NAME] or [apis.NAME] to pihub.toml, or on "
                "the page Settings.",
                note="Take one out before you restart or move it: requests go on with the next "
                "target of their chain. A hold ends by itself, and all workers keep it.",
                links=(("Failed requests", "/dashboard/requests?show=errors"),),
            ),
            *(() if watch is None else (outside(watch),)),
        ),
        refresh=3,
    )  # fmt: skip


def _line(one: TargetView, speed: UsageRow | None) -> Line:
    where = f"/upstreams/{quote(one.name, safe='')}"
    kind = "API" if one.kind == "api" else one.kind
    requests = f"/dashboard/requests?model={quote(one.name)}"
    return Line(
        (
            Cell(one.name, f"{kind}{', simulated' if one.simulated else ''} · {one.url}",
                 href=requests),
            _state(one),
            Cell(words.count(one.calls)),
            Cell(words.count(one.failures),
                 f"{words.many(one.timeouts, 'timeout')}" if one.timeouts else "",
                 href=f"{requests}&show=errors" if one.failures else ""),
            Cell(words.milliseconds(speed and speed.p50_us / 1000)),
            Cell(words.milliseconds(speed and speed.p95_us / 1000)),
            Cell(f"{one.connections}", f"{one.idle} idle"),
            _error(one),
            _probe(one.probe),
        ),
        _actions(one, where),
    )  # fmt: skip


def _state(one: TargetView) -> Cell:
    if one.hold is None:
        text, tone = STATES[one.state]
        return Cell(text, f"{one.ok} fine, {one.failed} failed lately", tone=tone)
    text = "taken out" if one.hold.state == "open" else "kept in use"
    return Cell(f"{text}, for", left=one.hold.seconds, tone="look")


def _error(one: TargetView) -> Cell:
    if one.error is None:
        return Cell("none", "since the start")
    status = f" ({one.error.status})" if one.error.status else ""
    return Cell(one.error.code.replace("_", " ") + status, words.ago(one.error.at))


def _probe(probe: Probe | None) -> Cell:
    if probe is None:
        return Cell("never")
    status = f" ({probe.status})" if probe.status and not probe.ok else ""
    sub = f"{words.milliseconds(probe.milliseconds)}, {words.ago(probe.at)}"
    return Cell(probe.text + status, sub, tone="well" if probe.ok else "down")


def _actions(one: TargetView, where: str) -> tuple[Action, ...]:
    ask = Action("Ask it now", "POST", f"{where}/probe", permission="upstreams:write")
    if one.hold is not None:
        end = Action("End the hold", "DELETE", f"{where}/hold", permission="upstreams:write")
        return ask, end
    hold = Action(
        "Hold", "POST", f"{where}/hold",
        (
            Field("state", "What to do", "select", "open",
                  (("open", "take it out"), ("closed", "keep it in use whatever fails"))),
            Field("minutes", "Minutes", "number", "10", required=True),
        ),
        permission="upstreams:write",
    )  # fmt: skip
    return ask, hold
