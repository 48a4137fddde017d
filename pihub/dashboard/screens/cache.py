"""Cache: how full, how often it answered, what that was worth."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from pihub.dashboard import words
from pihub.dashboard.parts import Bar, Bars, Card, Cards, Cell, Line, Screen, Table
from pihub.dashboard.sources import Sources
from pihub.shared.events import CacheState

HOUR = 3600
DAY = 24 * HOUR


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    seen: dict[str, Any] = json.loads(sources.services.live.snapshot()[1] or b"{}")
    cache = seen.get("cache", {})
    now = int(time.time())
    store = sources.services.store
    outcomes: dict[str, int] = {}
    saved = 0
    last = now // HOUR * HOUR
    hours = {last - n * HOUR: [0, 0] for n in reversed(range(24))}
    for row in store.usage(now - DAY, now + 1, "hour", "cache"):
        name = _word(row.group)
        outcomes[name] = outcomes.get(name, 0) + row.requests
        hour = hours.get(row.start, [0, 0])
        hour[1] += row.requests
        if name in ("hit", "shared", "stale"):
            saved += row.saved_nano
            hour[0] += row.requests
    asked_for = sum(outcomes.values())
    hits = sum(outcomes.get(name, 0) for name in ("hit", "shared", "stale"))
    return Screen(
        "Cache",
        (
            Cards(
                (
                    Card("Answered, 24 h", words.percent(hits / asked_for) if asked_for else "–",
                         f"{words.count(hits)} of {words.count(asked_for)} requests",
                         "/dashboard/requests?show=hits"),
                    Card("Saved, 24 h", words.money(saved / 1e9), "by kept answers"),
                    *_fill(cache),
                )
            ),
            Bars(
                "Requests by hour, 24 h",
                tuple(
                    Bar(
                        time.strftime("%H:00", time.localtime(start)),
                        total, words.count(total), kept, words.count(kept),
                    )
                    for start, (kept, total) in sorted(hours.items())
                ),
                ("All", "From the cache"),
            ),
            Table(
                "What became of requests, 24 h",
                ("Outcome", "#Requests", "#Part"),
                tuple(
                    Line((Cell(name), Cell(words.count(n)), Cell(words.percent(n / asked_for))))
                    for name, n in sorted(outcomes.items(), key=lambda i: -i[1])
                ),
                "Nothing was asked yet.",
                note="Why a request was not answered from the cache stands in its "
                     "x-pihub-cache header and in the list of requests.",
            ),
        ),
        refresh=5,
    )  # fmt: skip


def _fill(cache: Mapping[str, Any]) -> tuple[Card, ...]:
    """How full it is: all tenants share it, so one tenant's people are not told."""
    if not cache:
        return ()
    capacity = cache["capacity"] or 1
    return (
        Card("Full", words.percent(cache["bytes"] / capacity),
             f"{words.size(cache['bytes'])} of {words.size(capacity)}"),
        Card("Entries", words.count(cache["entries"]),
             f"{words.count(cache['evicted'])} made room for others"),
    )  # fmt: skip


def _word(group: str) -> str:
    try:
        return CacheState(int(group)).name.lower()
    except ValueError:
        return group or "none"
