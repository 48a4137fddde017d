"""Numbers as people read them. A value that is not known is an en dash, never a zero."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from markupsafe import Markup, escape

NONE = "–"
_LONG = re.compile(r"\S{12,}")
_JOINTS = re.compile(r"(?<=[\w)])([._/:=-]+)(?=[a-zA-Z])|(?<=[a-z])(?=[A-Z])")


def count(value: float) -> str:
    """9,999 · 12.3k · 4.6M"""
    if value < 9_999.5:
        return f"{value:,.0f}"
    for unit, step in (("k", 1e3), ("M", 1e6), ("B", 1e9)):
        if value < 999.5 * step or unit == "B":
            break
    part = value / step
    return f"{part:,.0f}{unit}" if part >= 99.95 else f"{part:.1f}{unit}"


def rate(value: float) -> str:
    """0 · <0.1 · 0.4 · 8.2 · 143"""
    if value == 0:
        return "0"
    if value < 0.05:
        return "<0.1"
    return f"{value:.1f}" if value < 9.95 else count(value)


def milliseconds(value: float | None) -> str:
    """38 µs · 1.4 ms · 84 ms · 1.2 s · 3 min; None or nothing measured: –"""
    if not value:
        return NONE
    if value < 0.9995:
        return f"{max(1, value * 1000):.0f} µs"
    if value < 9.95:
        return f"{value:.1f} ms"
    if value < 999.5:
        return f"{value:.0f} ms"
    if value < 99_500:
        return f"{value / 1000:.1f} s" if value < 9_950 else f"{value / 1000:.0f} s"
    return f"{value / 60_000:.0f} min"


def money(usd: float | None) -> str:
    """$0 · $0.000042 · $0.0042 · $0.123 · $12.34 · $1,235; None (no price known): –"""
    if usd is None:
        return NONE
    if usd == 0:
        return "$0"
    if usd < 0.000001:
        return "<$0.000001"
    if usd < 0.01:
        # Two digits that count: one answer of a small model costs this little.
        digits = next(places for places in (4, 5, 6, 7) if usd >= 10.0 ** (1 - places))
        return f"${usd:.{digits}f}"
    for below, digits in ((1, 3), (100, 2)):
        if usd < below:
            return f"${usd:.{digits}f}"
    return f"${usd:,.0f}"


def percent(part: float | None) -> str:
    """0.9951 -> 99.5 %. 100 only when it is all, 0 only when it is none."""
    if part is None:
        return NONE
    if 0 < part < 0.001:
        return "<0.1 %"
    if 0.999 <= part < 1:
        return "99.9 %"
    return f"{part * 100:.1f} %".replace(".0 %", " %")


def size(number: float | None) -> str:
    """Bytes in steps of 1000: 41 kB · 37 MB"""
    if number is None:
        return NONE
    for unit, step in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= step:
            value = number / step
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
    return f"{number:.0f} B"


def age(seconds: float) -> str:
    """12 s · 5 min · 2 h 05 min · 3 d 4 h"""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def ago(at: float) -> str:
    """5 min ago · never; `at` in Unix seconds, 0: never"""
    return f"{age(max(0.0, time.time() - at))} ago" if at else "never"


def countdown(seconds: float) -> str:
    """0:42 · 9:05 · 1:02:03; the page's script counts on from there"""
    whole = max(0, int(seconds))
    minutes = f"{whole // 60 % 60:02}" if whole >= 3600 else f"{whole // 60}"
    return f"{f'{whole // 3600}:' if whole >= 3600 else ''}{minutes}:{whole % 60:02}"


def many(number: int, one: str, more: str = "") -> str:
    """1 request · 2 requests"""
    return f"{count(number)} {one if number == 1 else more or one + 's'}"


def soft(text: str) -> Markup:
    """Escaped; long names may go on in the next line behind a joint (`upstreams.|ollama.|timers`),
    not within a word. What is copied is the text alone."""
    return Markup(  # noqa: S704 - each piece is escaped
        _LONG.sub(lambda word: _JOINTS.sub(r"\g<0><wbr>", word[0]), str(escape(text)))
    )


BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"),
            ("Version/", "Safari"))  # fmt: skip
SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
           ("Macintosh", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"))  # fmt: skip
"""Marks in user-agent fields, the telling ones before those that others imitate."""


def browser(agent: str) -> str:
    """`Firefox 140 on Linux` out of a user-agent field; what is none of these as it is, cut."""
    name = next(((mark, name) for mark, name in BROWSERS if mark in agent), None)
    if name is None:
        return agent[:40] or NONE
    version = agent.split(name[0], 1)[1].split(".", 1)[0].split(" ", 1)[0][:6]
    system = next((f" on {told}" for mark, told in SYSTEMS if mark in agent), "")
    return f"{name[1]} {version}{system}"


def moment(at: float) -> str:
    """The hub's local day and time: 29 Nov 07:56:35"""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%d %b %H:%M:%S")


def clock(at: float) -> str:
    """The hub's local time of day; the page's script shows the reader's own."""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%H:%M:%S")
