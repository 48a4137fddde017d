"""Whether the world outside is reached, and taking the hub offline by hand."""

from __future__ import annotations

import time

from pihub.dashboard import words
from pihub.dashboard.parts import Action, Cell, Field, Line, Table
from pihub.ops.wan import WanWatch

WRITE = "upstreams:write"
BY = {
    "auto": "by what is reached",
    "on": "set offline by hand",
    "off": "set online by hand",
}


def outside(watch: WanWatch) -> Table:
    """One line: the state, since when, and who said so."""
    state = watch.state()
    names = ", ".join(place.upstream for place in watch.places)
    by = Cell(BY[state.mode])
    if state.until:
        by = Cell(f"{BY[state.mode]}, for", left=max(1.0, state.until - time.time()))
    line = Line(
        (
            Cell("offline", tone="look") if state.offline else Cell("online", tone="well"),
            Cell(words.ago(state.since) if state.since else "the start"),
            by,
            Cell(names or "none: all upstreams are local"),
        ),
        () if state.mode == "auto" else (
            Action("Back to automatic", "PUT", "/offline", fixed=(("mode", "auto"),),
                   permission=WRITE),
        ),
    )  # fmt: skip
    return Table(
        "The world outside",
        ("State", "Since", "How", "Upstreams outside"),
        (line,),
        "",
        note="Offline, upstreams outside are not asked: kept answers and local models answer, and "
        "what may wait is queued.",
        forms=(
            Action(
                "Set it by hand", "PUT", "/offline",
                (
                    Field("mode", "What holds", "select", "on",
                          (("on", "offline"), ("off", "online, whatever is reached"))),
                    Field("minutes", "Minutes (0: until changed)", "number", "60", required=True),
                ),
                permission=WRITE,
            ),
        ),
    )  # fmt: skip
