"""Cache: how often it answered and why not, what that was worth, what more RAM would buy."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pihub.dashboard import words
from pihub.dashboard.parts import Action, Bar, Bars, Card, Cards, Cell, Field, Line, Screen, Table
from pihub.dashboard.sources import Sources
from pihub.insight.cache_desk import CacheDesk
from pihub.insight.cache_study import OTHERS, Curve, HotKey, Tally
from pihub.shared.cachepages import Fill
from pihub.shared.events import CacheState
from pihub.shared.metrics import Route

HOUR = 3600
DAY = 24 * HOUR
SHOWN = 8
NAMED = {0.25: "A quarter", 0.5: "Half", 1.0: "As it is", 2.0: "Double", 4.0: "Four times"}
FEW = 200
"""Look-ups below which a prediction is not worth a sentence."""
WRITE = "cache:write"
OWN = "its own notes"
NOTES = (
    "The hub's own notes are no model's: answers under an Idempotency-Key or whose client left, "
    "streams that several read, marks of prompts, signed thinking and changed URLs. They end by "
    "themselves, and with their tenant's answers."
)


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    desk: CacheDesk = sources.services.cache
    tenants = {row.id: row.name for row in sources.tenants()}
    outcomes, saved, hours = _day(sources)
    asked_for = sum(outcomes.values())
    hits = sum(outcomes.get(name, 0) for name in ("hit", "shared", "stale"))
    cards = (
        Card("Answered, 24 h", words.percent(hits / asked_for) if asked_for else "–",
             f"{words.count(hits)} of {words.count(asked_for)} requests",
             "/dashboard/requests?show=hits"),
        Card("Saved, 24 h", words.money(saved / 1e9), "by kept answers",
             "/dashboard/requests?show=hits"),
    )  # fmt: skip
    bars = Bars(
        "Requests by hour, 24 h",
        tuple(
            Bar(
                time.strftime("%H:00", time.localtime(start)),
                total, words.count(total), kept, words.count(kept),
            )
            for start, (kept, total) in sorted(hours.items())
        ),
        ("All", "From the cache"),
    )  # fmt: skip
    hot, stale = _hot(desk, tenants, sources.tenant), _stale(desk, tenants, sources.tenant)
    if sources.tenant is not None:
        # All tenants share it: one tenant's people are not told how full it is, nor why.
        return Screen("Cache", (Cards(cards), bars, hot, stale), refresh=10)
    fill, curve = desk.fill(), desk.study.curve()
    took = sum(one.saved_us for one in desk.study.by_route().values())
    full = (
        Card("Waiting saved", words.age(took / 1e6), "since the control process began"),
        Card("Full", words.percent(fill["bytes"] / fill["capacity"]),
             f"{words.size(fill['bytes'])} of {words.size(fill['capacity'])}"),
        Card("Entries", words.count(fill["entries"]),
             f"{words.count(fill['evicted'])} made room for others"),
    )  # fmt: skip
    routes = {
        Route(number).name.lower().replace("_", " "): one
        for number, one in desk.study.by_route().items()
    }
    whose = {
        tenants.get(number, "the others" if number == OTHERS else str(number)): one
        for number, one in desk.study.by_tenant().items()
    }
    return Screen(
        "Cache",
        (
            Cards((*cards, *full)),
            _other_sizes(curve),
            bars,
            _why_not(desk),
            *_semantic(desk),
            hot,
            _uses("By route", "Route", routes),
            _uses("By tenant", "Tenant", whose),
            _fills(desk, tenants),
            stale,
        ),
        refresh=10,
        notes=_notes(fill, curve),
    )


def _day(sources: Sources) -> tuple[dict[str, int], int, dict[int, list[int]]]:
    """Outcomes, nano-USD saved, and (from the cache, all) by hour, of the last 24 hours."""
    now = int(time.time())
    outcomes: dict[str, int] = {}
    saved = 0
    last = now // HOUR * HOUR
    hours = {last - n * HOUR: [0, 0] for n in reversed(range(24))}
    for row in sources.services.store.usage(now - DAY, now + 1, "hour", "cache"):
        name = _word(row.group)
        outcomes[name] = outcomes.get(name, 0) + row.requests
        hour = hours.get(row.start, [0, 0])
        hour[1] += row.requests
        if name in ("hit", "shared", "stale"):
            saved += row.saved_nano
            hour[0] += row.requests
    return outcomes, saved, hours


def _notes(fill: Mapping[str, int], curve: Curve) -> tuple[str, ...]:
    notes = []
    if fill["room"] < 1000:
        notes.append(
            f"Memory is short: the cache uses {fill['room'] / 10:.0f} % of its size for now."
        )
    if curve.looks >= FEW:
        same, double = curve.points[2], curve.points[3]
        more = double.hit_ratio - same.hit_ratio
        gain = double.usd_a_day - same.usd_a_day
        if more >= 0.01 or gain >= 0.01:
            notes.append(
                f"With {words.size(double.bytes)} it would answer {words.percent(more)} more of "
                f"what it is asked, and save {words.money(gain)} more a day. "
                "The setting is cache.size."
            )
        else:
            notes.append("More memory would hardly buy anything: what is asked again, fits.")
    return tuple(notes)


def _other_sizes(curve: Curve) -> Table:
    measured = "nothing was looked up yet"
    if curve.measured is not None:
        measured = (
            f"measured: {words.percent(curve.measured)} of {words.count(curve.looks)} look-ups"
        )
    part = "" if curve.sample == 1 else f", from {words.percent(curve.sample)} of all keys"
    return Table(
        "What another size would do",
        ("Size", "#Answered", "#Saved a day", "#Waiting saved a day"),
        tuple(
            Line((
                Cell(NAMED[one.size], words.size(one.bytes)),
                Cell(words.percent(one.hit_ratio), measured if one.size == 1 else ""),
                Cell(words.money(one.usd_a_day)),
                Cell(words.age(one.seconds_a_day)),
            ))
            for one in curve.points
        ),
        "",
        note="Predicted from how soon the same is asked again, in the last days"
             f"{part}: what a cache that keeps the newest would answer.",
        # Five times the same says less than the sentence above it.
        folded=len({round(one.hit_ratio, 3) for one in curve.points}) == 1,
    )  # fmt: skip


def _why_not(desk: CacheDesk) -> Table:
    found = desk.unkept()
    total = sum(one.requests for one in found)
    return Table(
        "Why not from the cache",
        ("Reason", "Route", "#Requests", "#Part"),
        tuple(
            Line((
                Cell(one.why.word.replace("-", " "),
                     "asked, not kept" if one.why.asked else "not asked"),
                Cell(one.route.name.lower().replace("_", " ")),
                Cell(words.count(one.requests)),
                Cell(words.percent(one.requests / total)),
            ))
            for one in found[:SHOWN]
        ),
        "Every request could be answered or kept.",
        note="Since the hub began. A single request's reason stands in its x-pihub-cache header.",
    )  # fmt: skip


def _semantic(desk: CacheDesk) -> tuple[Table, ...]:
    found = desk.semantic()
    if not found:
        return ()
    return (
        Table(
            "The same question in other words",
            ("Model", "Mode", "#Questions", "#Found", "#Embedded too late", "#Compared", "#Wrong"),
            tuple(
                Line((
                    Cell(one.model, f"similarity from {one.threshold:g} on"),
                    Cell(one.mode, "serves" if one.mode == "on" else "measures, serves nothing"),
                    Cell(words.count(one.seen.looked)),
                    Cell(words.percent(one.seen.found)),
                    Cell(words.percent(one.seen.late)),
                    Cell(words.count(one.seen.compared)),
                    Cell("–" if one.seen.differed is None else words.percent(one.seen.differed)),
                ))
                for one in found
            ),
            "",
            note="Wrong: of the answers that would have been served in the shadow, those that said "
                 "something else than the model then did. Differing words count as wrong, too.",
        ),
    )  # fmt: skip


def _hot(desk: CacheDesk, tenants: Mapping[int, str], tenant: int | None) -> Table:
    return Table(
        "Asked for most",
        ("What", "Tenant", "#Requests", "#Answered", "#Saved", "#Size"),
        tuple(_hot_line(one, desk, tenants) for one in desk.study.hot(SHOWN, tenant)),
        "Nothing was asked yet.",
        note="By request, not by content: the hub keeps no question's text. Older requests "
             "count less.",
    )  # fmt: skip


def _hot_line(one: HotKey, desk: CacheDesk, tenants: Mapping[int, str]) -> Line:
    key = f"{one.look:016x}"
    purge = Action(
        "Purge", "POST", "/cache/purge",
        fixed=(("key", key), ("tenant", one.tenant)),
        sure="Forget this answer?", permission=WRITE,
    )  # fmt: skip
    return Line(
        (
            Cell(desk.name(one.alias) or desk.name(one.upstream) or "–", key),
            Cell(tenants.get(one.tenant, str(one.tenant))),
            Cell(words.count(one.count)),
            Cell(words.count(one.hits)),
            Cell(words.money(one.saved_nano / 1e9)),
            Cell(words.size(one.bytes) if one.bytes else "–"),
        ),
        (purge,),
    )


def _uses(title: str, first: str, rows: Mapping[str, Tally]) -> Table:
    return Table(
        title,
        (first, "#Answered", "#Missed", "#Not asked", "#Refusals", "#Kept", "#Saved"),
        tuple(
            Line((
                Cell(name),
                Cell(words.count(one.hits)),
                Cell(words.count(one.misses)),
                Cell(words.count(one.bypasses)),
                Cell(words.count(one.refusals), "told again" if one.refusals else ""),
                Cell(words.count(one.fills), words.size(one.filled_bytes)),
                Cell(words.money(one.saved_nano / 1e9), words.age(one.saved_us / 1e6)),
            ))
            for name, one in sorted(rows.items(), key=lambda row: -row[1].hits)[:SHOWN]
        ),
        "Nothing was asked yet.",
    )  # fmt: skip


def _fills(desk: CacheDesk, tenants: Mapping[int, str]) -> Table:
    rows: list[tuple[str, str, str, str | int, Fill]] = [
        *(("Model or API" if name else "The hub", name or OWN, "tag", name, one)
          for name, one in desk.by_tag().items()),
        # 0 owns the marks that unsafe requests leave: nobody's answers.
        *(("Tenant", tenants.get(number, str(number)), "tenant", number, one)
          for number, one in desk.by_tenant().items() if number),
    ]  # fmt: skip
    choices = tuple(name for name in desk.by_tag() if name)
    return Table(
        "Whose answers lie there",
        ("Of", "Name", "#Entries", "#Size", "#Stale"),
        tuple(_fill_line(*row) for row in rows[: 2 * SHOWN]),
        "The cache is empty.",
        note="" if "" not in desk.by_tag() else NOTES,
        forms=(
            Action("Purge a model or an API", "POST", "/cache/purge",
                   (Field("tag", "Model or API", "select" if choices else "text",
                          choices=choices, required=True),), permission=WRITE),
            Action("Purge everything", "POST", "/cache/purge", fixed=(("all", True),),
                   sure="Forget all kept answers?", permission=WRITE),
        ),
    )  # fmt: skip


def _fill_line(kind: str, name: str, field: str, value: str | int, one: Fill) -> Line:
    purge = Action(
        "Purge", "POST", "/cache/purge", fixed=((field, value),),
        sure=f"Forget what is kept of {name}?", permission=WRITE,
    )  # fmt: skip
    return Line(
        (
            Cell(kind),
            Cell(name),
            Cell(words.count(one.entries)),
            Cell(words.size(one.bytes)),
            Cell(words.count(one.stale)),
        ),
        (purge,) if value else (),
    )


def _stale(desk: CacheDesk, tenants: Mapping[int, str], tenant: int | None) -> Table:
    return Table(
        "Stale entries",
        ("Of", "Tenant", "#Past its time", "#Kept for", "#Size"),
        tuple(
            Line((
                Cell(one.tag or "–"),
                Cell(tenants.get(one.tenant, str(one.tenant))),
                Cell(words.age(one.past)),
                Cell(words.age(one.left)),
                Cell(words.size(one.bytes)),
            ))
            for one in desk.stale(SHOWN, tenant)
        ),
        "No entry is past its time.",
        note="They are asked about again before they are used, or stand in while an upstream "
             "fails.",
    )  # fmt: skip


def _word(group: str) -> str:
    try:
        return CacheState(int(group)).name.lower()
    except ValueError:
        return group or "none"
