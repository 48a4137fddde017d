"""System: the machine, its workers and why, processes, memory by component, the database."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pihub import __version__
from pihub.dashboard import words
from pihub.dashboard.parts import Cards, Cell, Line, Screen, Table, Tone
from pihub.dashboard.screens.machine import cards, tables
from pihub.dashboard.sources import Sources
from pihub.ops.machine import device_kind, machine
from pihub.settings.paths import database

SMALL = 200_000
"""Bytes of a section below which it is not listed by itself."""


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    seen: dict[str, Any] = json.loads(sources.services.live.snapshot()[1] or b"{}")
    processes = seen.get("processes", [])
    own = {one["pid"]: own_bytes(one["pid"]) for one in processes}
    settings = sources.loaded.settings
    folder = database(settings).parent
    board, here = sources.state.machine, machine()
    return Screen(
        "System",
        (
            Cards(cards(board, here, settings.machine.hot)),
            Table(
                "Processes",
                ("Process", "#Memory, own", "#With shared", "#Requests", "#In flight", "#Streams",
                 "#Last sign of life"),
                tuple(_process(one, own[one["pid"]]) for one in processes),
                "Nothing is known yet.",
            ),
            *tables(board, here, device_kind(folder)),
            _memory(sources, processes, own),
            _database(seen),
        ),
        refresh=5,
        notes=(f"pihub {__version__}, Python {platform.python_version()}, "
               f"engine {settings.server.engine}.",),
    )  # fmt: skip


def _memory(
    sources: Sources, processes: list[dict[str, Any]], own: Mapping[int, int | None]
) -> Table:
    """What takes how much: of processes what they alone hold, of the arena what is touched."""
    regions = sources.state.arena.regions()
    named = [("arbiter", own_bytes(os.getppid()))]
    named += [(f"{one['role']} {one['slot']}", own[one["pid"]]) for one in processes]
    shared = sum(size for _, size in regions.values())
    lines = [Line((Cell(name.capitalize(), "its own pages"), Cell(words.size(size))))
             for name, size in named]
    stats = sources.state.cache.stats()
    lines.append(Line((Cell("Shared arena", "all sections; the cache is taken as it fills"),
                       Cell(words.size(shared)))))
    small = 0
    for name, (_, size) in sorted(regions.items(), key=lambda item: -item[1][1]):
        if size < SMALL:
            small += size
            continue
        note = f"{words.size(stats['bytes'])} filled" if name == "cache" else ""
        lines.append(Line((Cell(f"Section {name}", note), Cell(words.size(size)))))
    lines.append(Line((Cell("All other sections", "budgets, breakers, counters and the like"),
                       Cell(words.size(small)))))
    return Table("Memory by component", ("Component", "#Bytes"), tuple(lines), "No arena.")


def _database(seen: Mapping[str, Any]) -> Table:
    store, recorder = seen.get("store", {}), seen.get("recorder", {})
    lost = recorder.get("lost", 0)
    lines: tuple[tuple[str, str, str, Tone], ...] = (
        ("Database", words.size(store.get("bytes")), str(store.get("kind", "")), ""),
        ("Records behind", words.count(recorder.get("behind", 0)), "in the rings, not stored yet",
         ""),
        ("Records lost", words.count(lost), "overwritten before they were stored",
         "look" if lost else ""),
        ("Last fault", str(recorder.get("last_error") or "none"), "", ""),
    )
    return Table(
        "Database and recorder",
        ("What", "Value", "Note"),
        tuple(Line((Cell(a), Cell(b, tone=tone), Cell(c))) for a, b, c, tone in lines),
        "The recorder has not told yet.",
    )


def _process(one: Mapping[str, Any], own: int | None) -> Line:
    age = one.get("beat_age_ms") or 0
    tone: Tone = "well" if age < 5000 else "look"
    return Line(
        (
            Cell(f"{one.get('role')} {one.get('slot')}", f"pid {one.get('pid')}", tone=tone),
            Cell(words.size(own)),
            Cell(words.size(one.get("rss_bytes"))),
            Cell(words.count(one.get("requests") or 0)),
            Cell(words.count(one.get("in_flight") or 0)),
            Cell(words.count(one.get("streams") or 0)),
            Cell(words.milliseconds(age)),
        )
    )


def own_bytes(pid: int) -> int | None:
    """A process's memory that it shares with nobody (proc(5), smaps_rollup); about 1 ms."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    parts = (line.split() for line in text.splitlines() if line.startswith("Private_"))
    return sum(int(part[1]) for part in parts) * 1024
