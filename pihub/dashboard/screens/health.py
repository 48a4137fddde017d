"""Health & forecast: how well the box and each upstream are, why, and what runs out when."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pihub.dashboard import words
from pihub.dashboard.parts import Card, Cards, Cell, Line, Part, Plot, Screen, Table, Text, Tone
from pihub.dashboard.screens.alerts import alert_tables
from pihub.dashboard.sources import Sources
from pihub.domain.score import Score
from pihub.domain.trend import Baseline
from pihub.ops.forecasts import Forecast
from pihub.ops.health import Report
from pihub.ops.pace import Key
from pihub.ops.vitals import Vitals

HOURS = 24
MOST = HOURS * 12
HERE, SYSTEM = "/dashboard/health", "/dashboard/system"
TELLING = 1000
"""Requests from which on bytes by request mean something: before, empty tables are most."""
SOON = 7 * 86400.0
NAMES = {"disk": "Free disk", "memory": "Free memory", "temperature": "Temperature"}


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    vitals: Vitals = sources.services.health
    report = vitals.watch.report
    told = any("pihub" in one.sources for one in sources.loaded.settings.subscribers.values())
    named = vitals.alerts.named
    alerts = alert_tables(vitals.alerts, told)
    if report is None:
        wait = "Health is judged for the first time within a few seconds."
        return Screen("Health & forecast", alerts, refresh=5, notes=(wait,))
    scores = (report.box, *report.upstreams)
    return Screen(
        "Health & forecast",
        (
            Cards(tuple(_card(one) for one in scores)),
            alerts[0],
            _reasons(scores, "all" in asked),
            Table(
                "Forecasts",
                ("What", "#Now", "#Limit", "#Trend a day", "Limit reached"),
                tuple(_forecast(one, named) for one in report.forecasts),
                "This machine gives no readings.",
                note="By robust trends over the time in the last column; none is carried on for "
                "more than 30 times as long as it was seen.",
            ),
            *_drawn(tuple(_plots(vitals, report))),
            _paces(report),
            _storage(sources),
            *alerts[1:],
        ),
        refresh=10,
    )


def tone(value: float | None, good: float = 80, fair: float = 50) -> Tone:
    if value is None:
        return "idle"
    return "well" if value >= good else "look" if value >= fair else "down"


def _card(one: Score) -> Card:
    advice = one.advice[0] if one.advice else "nothing to do"
    label = "This box" if one.name == "box" else one.name
    return Card(
        label, words.NONE if one.value is None else f"{one.value} of 100", advice,
        SYSTEM if one.name == "box" else f"/dashboard/requests?show=errors&model={quote(one.name)}",
        tone=tone(one.value) if tone(one.value) in ("look", "down") else "",
    )  # fmt: skip


def _reasons(scores: Sequence[Score], everything: bool) -> Table:
    """What costs points; the parts that are full only if they are asked for."""
    link = ("Only what costs points", HERE) if everything else ("All parts", f"{HERE}?all=1")
    return Table(
        "What makes the scores",
        ("Of", "Part", "Seen", "#Points", "What would raise it"),
        tuple(line for one in scores for line in _parts(one, everything)),
        "Every part that is known has all its points.",
        note="A part of which nothing is known does not count, neither way.",
        links=(link,),
    )


def _parts(one: Score, everything: bool) -> Iterator[Line]:
    for part in one.parts:
        share = part.share
        if not everything and (share is None or share == 1):
            continue
        points = words.NONE if share is None else f"{part.points:.0f} of {part.weight}"
        yield Line(
            (
                Cell("this box" if one.name == "box" else one.name),
                Cell(part.name, tone=tone(None if share is None else share * 100)),
                Cell(part.seen),
                Cell(points),
                Cell(part.raise_by or words.NONE),
            )
        )


def _name(name: str, named: Callable[[str], str]) -> str:
    """`budget key:1 day` is of a key with a name."""
    if not name.startswith("budget "):
        return NAMES.get(name, name.capitalize())
    whose, _, period = name.removeprefix("budget ").rpartition(" ")
    called = named(whose)
    if called == whose:
        called = whose.replace(":", " ", 1)
    return f"Budget of {called}, a {period}"


def _forecast(one: Forecast, named: Callable[[str], str]) -> Line:
    when, mood = _when(one)
    seen = f"watched for {words.age(one.seen_s)}" if one.seen_s else "watched too short a time"
    if one.per_day is None:
        trend = words.NONE
    else:
        trend = "steady" if one.steady else f"{'+' if one.per_day > 0 else '−'}" + amount(
            abs(one.per_day), one.unit
        )
    return Line(
        (
            Cell(_name(one.name, named)),
            Cell(amount(one.value, one.unit)),
            Cell(amount(one.limit, one.unit)),
            Cell(trend),
            Cell(when, seen, tone=mood),
        )
    )


def _when(one: Forecast) -> tuple[str, Tone]:
    if one.seconds is None:
        return ("not in sight", "well") if one.per_day is not None else ("not known yet", "idle")
    if not one.seconds:
        return "reached", "down"
    return f"in {words.age(one.seconds)}", "down" if one.seconds < SOON / 7 else (
        "look" if one.seconds < SOON else "well"
    )


def amount(value: float, unit: str) -> str:
    """In the words of its unit."""
    if unit == "bytes":
        return words.size(value)
    return f"{value:.1f} °C" if unit == "celsius" else words.money(value)


def _drawn(plots: Sequence[Plot]) -> Iterator[Part]:
    """Those with a line; of all others one sentence."""
    yield from (one for one in plots if len(one.times) > 1)
    waiting = [one.title.removesuffix(", 24 hours") for one in plots if len(one.times) < 2]
    if waiting:
        text = "A sample is kept each five minutes; a line begins with the second one."
        yield Text("Charts to come", f"{text} So far there is none of: {', '.join(waiting)}.")


def _plots(vitals: Vitals, report: Report) -> Iterator[Plot]:
    since = int(time.time()) - HOURS * 3600

    def samples(name: str) -> Sequence[tuple[int, float]]:
        found: Sequence[tuple[int, float]] = vitals.history.samples(name, since, MOST)
        return found

    yield _plot("Health of this box, 24 hours", samples("score box"), "score", (0.0, 100.0))
    for one in report.forecasts:
        if one.name in NAMES:
            yield _plot(
                f"{NAMES[one.name]}, 24 hours", samples(one.name), one.unit, None, one.limit
            )
    streamed = [key for key in report.paces if key.model]
    for key in sorted(streamed, key=lambda k: -report.paces[k].count)[:2]:
        title = f"Tokens a second of {key.model}{f' on {key.version}' if key.version else ''}"
        yield _plot(f"{title}, 24 hours", samples(key.label), "rate", None)


def _plot(
    title: str,
    samples: Sequence[tuple[int, float]],
    unit: str,
    scale: tuple[float, float] | None,
    limit: float | None = None,
) -> Plot:
    values = [value for _, value in samples]
    if scale is None:
        low, high = min(values, default=0.0), max(values, default=1.0)
        margin = (high - low) * 0.1 or abs(high) * 0.05 or 1.0
        scale = (max(0.0, low - margin), high + margin)

    def said(value: float) -> str:
        if unit in ("score", "rate"):
            return words.rate(value)
        return amount(value, unit)

    return Plot(
        title,
        tuple(float(at) for at, _ in samples),
        tuple(values),
        tuple(said(value) for value in values),
        scale[0],
        scale[1],
        said(scale[0]),
        said(scale[1]),
        limit=limit,
        limit_text="" if limit is None else f"Limit: {said(limit)}",
    )


def _paces(report: Report) -> Table:
    lines = [
        Line(
            (
                Cell(key.model or key.upstream, _of(key)),
                Cell(_speed(key, one.now)),
                Cell(words.NONE if one.ratio is None else _speed(key, one.usual)),
                Cell(*_ratio(key, one)),
                Cell(words.count(one.count)),
            )
        )
        for key, one in sorted(report.paces.items())
    ]
    return Table(
        "Speed, now and usually",
        ("Of", "#Now", "#Usually", "#Now, of the usual", "#Answers"),
        tuple(lines),
        "No upstream has answered yet.",
        note="Tokens a second of each model, for each version of Ollama apart; of an upstream "
        "the time to its first content.",
    )


def _storage(sources: Sources) -> Cards:
    """What is kept, what it costs the disk, what compression saved."""
    seen: dict[str, Any] = json.loads(sources.services.live.snapshot()[1] or b"{}")
    store, recorder = seen.get("store", {}), seen.get("recorder", {})
    totals = seen.get("totals", {})
    few = store.get("requests", 0) < TELLING
    sized = None if few else store.get("bytes_per_1000")
    written = None if few else recorder.get("bytes_per_1000")
    wal = f"{words.size(store.get('wal_bytes', 0))} of it in the WAL"
    return Cards(
        (
            Card("Database", words.size(store.get("bytes")), wal),
            Card("Requests kept", words.count(store.get("requests", 0)), "one by one"),
            Card("Disk for 1,000 requests", words.size(sized),
                 f"known from {TELLING:,} on" if few else "with all sums"),
            Card("Written for 1,000 requests", words.size(written),
                 f"known from {TELLING:,} on" if few else "the WAL and checkpoints too"),
            Card("Saved by compression", words.size(totals.get("compression_saved", 0)),
                 words.many(totals.get("compressed", 0), "answer")),
        )
    )  # fmt: skip


def _of(key: Key) -> str:
    if not key.model:
        return "time to first content"
    version = f", version {key.version}" if key.version else ""
    return f"{key.upstream}{version}, {'whole answers' if key.whole else 'streams'}"


def _speed(key: Key, value: float) -> str:
    return f"{value:.1f}/s" if key.model else words.milliseconds(value)


def _ratio(key: Key, one: Baseline) -> tuple[str, str, str, Tone]:
    """A cell's text, and its tone: a latency is better the lower it is."""
    ratio = one.ratio
    if ratio is None:
        return ("learning", "", "", "idle")
    good = ratio if key.model else 1 / max(ratio, 1e-9)
    return (words.percent(ratio), "", "", tone(good * 100, 75, 50))
