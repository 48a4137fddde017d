"""Streams: what is being said right now, and the end of it by hand."""

from __future__ import annotations

from collections.abc import Mapping

from pihub.dashboard import words
from pihub.dashboard.parts import Action, Card, Cards, Cell, Line, Screen, Table
from pihub.dashboard.sources import Sources
from pihub.shared.streams import LiveStream


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    rows = sources.services.streams.rows()
    names = {key.id: key.name for key in sources.known_keys()}
    stalled = [one for one in rows if one.idle > 5]
    speed = sum(one.tokens_per_second for one in rows)
    return Screen(
        "Live streams",
        (
            Cards(
                (
                    Card("Open", words.count(len(rows)), "of all workers"),
                    Card("Tokens a second", words.rate(speed), "together"),
                    Card("Silent for 5 s", words.count(len(stalled)), "",
                         tone="look" if stalled else ""),
                    Card("Longest", words.age(max((o.age for o in rows), default=0)), "open since"),
                )
            ),
            Table(
                "Now",
                ("Model", "Asked by", "#First token", "#Tokens", "#Speed", "#Stalls", "#Open for"),
                tuple(_line(one, names) for one in rows),
                "No stream is open. One that is shows up here within two seconds.",
                links=(("Past streams", "/dashboard/requests?show=streams"),),
            ),
        ),
        refresh=2,
    )  # fmt: skip


def _line(one: LiveStream, names: Mapping[int, str]) -> Line:
    first = None if one.first_token is None else one.first_token * 1000
    end = Action(
        "End it", "DELETE", f"/streams/{one.rid:016x}", permission="streams:write",
        sure="End this stream? Its client gets an error.",
    )  # fmt: skip
    return Line(
        (
            Cell(one.model, f"{one.upstream}, asked for as {one.alias}"),
            Cell(names.get(one.key, "nobody")),
            Cell(words.milliseconds(first)),
            Cell(words.count(one.tokens)),
            Cell(f"{words.rate(one.tokens_per_second)}/s"),
            Cell(words.count(one.stalls), f"longest {one.longest_gap:.1f} s" if one.stalls else "",
                 tone="look" if one.stalls else ""),
            Cell(words.age(one.age)),
        ),
        () if one.cancelled else (end,),
    )  # fmt: skip
