"""Streams: what is being said right now, the end of it by hand, and how past ones went."""

from __future__ import annotations

from collections.abc import Mapping

from pihub.dashboard import words
from pihub.dashboard.onerequest import pace
from pihub.dashboard.parts import Action, Card, Cards, Cell, Line, Screen, Table, Tone
from pihub.dashboard.search import KEPT
from pihub.dashboard.sources import Sources
from pihub.shared.events import Flag
from pihub.shared.streams import LiveStream
from pihub.store.rows import Reports, RequestRow, Wanted

LATEST = 12
ENDS = {"stream_cancelled": "ended by hand", "client_gone": "the client left"}


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    rows = sources.services.streams.rows()
    names = {key.id: key.name for key in sources.known_keys()}
    stalled = [one for one in rows if one.idle > 5]
    speed = sum(one.tokens_per_second for one in rows)
    return Screen(
        "Streams",
        (
            Cards(
                (
                    Card("Open", words.count(len(rows)), "of all workers"),
                    Card("Tokens a second", words.rate(speed), "together"),
                    Card("Silent for 5 s", words.count(len(stalled)), "of those that are open",
                         tone="look" if stalled else ""),
                    Card("Open longest",
                         words.age(max(o.age for o in rows)) if rows else words.NONE,
                         "since its request came" if rows else "none is open"),
                )
            ),
            Table(
                "Now",
                ("Model", "Asked by", "#First token", "#Tokens", "#Speed", "#Stalls", "#Open for"),
                tuple(_line(one, names) for one in rows),
                "No stream is open. One that is shows up here within two seconds.",
            ),
            Table(
                "Past streams",
                ("When", "Model", "Asked by", "How it ended", "#First token", "#Tokens", "#Speed",
                 "#Stalls"),
                tuple(_past(one, names) for one in past(sources.services.store)),
                "No stream yet, or none among the latest 20,000 requests.",
                links=(("All past streams", "/dashboard/requests?show=streams"),),
            ),
        ),
        refresh=2,
    )  # fmt: skip


def past(store: Reports) -> list[RequestRow]:
    """The newest LATEST; a millisecond or two."""
    return store.search(Wanted(flags=int(Flag.STREAM)), LATEST).rows


def _past(one: RequestRow, names: Mapping[int, str]) -> Line:
    text, tone = ending(one)
    return Line(
        (
            Cell(words.moment(one.ts_ns / 1e9), href=f"/dashboard/requests/{one.id}"),
            Cell(one.model or words.NONE, f"{one.upstream}, asked for as {one.alias}"
                 if one.alias else one.upstream),
            Cell(names.get(one.key, "nobody")),
            Cell(text, tone=tone),
            Cell(words.milliseconds(one.ttft_us / 1000)),
            Cell(words.count(one.out_tok)),
            Cell(f"{words.rate(pace(one))}/s" if pace(one) else words.NONE),
            Cell(words.count(one.stalls), tone="look" if one.stalls else ""),
        )
    )  # fmt: skip


def ending(one: RequestRow) -> tuple[str, Tone]:
    """How a stream ended, in words, and whether that is as it should be."""
    if one.error in ENDS:
        return ENDS[one.error], "look"
    if one.flags & Flag.CLIENT_GONE:
        return "the client left", "look"
    if one.error:
        return one.error.replace("_", " "), "down" if one.status >= 500 else "look"
    return ("from the cache" if one.cache in KEPT else "complete"), "well"


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
