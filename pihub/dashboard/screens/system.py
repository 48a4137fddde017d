"""System: processes, memory by section, the database, what is in force."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pihub.dashboard import words
from pihub.dashboard.parts import Card, Cards, Cell, Line, Screen, Table, Text, Tone
from pihub.dashboard.sources import Sources
from pihub.settings.show import as_toml


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    seen: dict[str, Any] = json.loads(sources.services.live.snapshot()[1] or b"{}")
    processes = seen.get("processes", [])
    memory = sum(one.get("rss_bytes") or 0 for one in processes)
    regions = sources.state.arena.regions()
    arena = sum(size for _, size in regions.values())
    store = seen.get("store", {})
    recorder = seen.get("recorder", {})
    lost = recorder.get("lost", 0)
    return Screen(
        "System",
        (
            Cards(
                (
                    Card("Processes", str(len(processes)), "workers and control"),
                    Card("Memory, resident", words.size(memory), "shared pages counted in each"),
                    Card("Shared arena", words.size(arena), "cache, limits, counters"),
                    Card("Database", words.size(store.get("bytes")), str(store.get("kind", ""))),
                    Card("Records behind", words.count(recorder.get("behind", 0)),
                         "not stored yet"),
                    Card("Records lost", words.count(lost), "overwritten before stored",
                         tone="look" if lost else ""),
                )
            ),
            Table(
                "Processes",
                ("Process", "#Memory", "#Requests", "#In flight", "#Streams", "#Last sign of life"),
                tuple(_process(one) for one in processes),
                "Nothing is known yet.",
            ),
            Table(
                "Memory of the arena",
                ("Section", "#Bytes"),
                tuple(
                    Line((Cell(name), Cell(words.size(size))))
                    for name, (_, size) in sorted(regions.items(), key=lambda i: -i[1][1])
                ),
                "No arena.",
            ),
            Text("Configuration in force", as_toml(sources.loaded), pre=True),
        ),
        refresh=5,
        notes=(
            "The configuration is a file: change it, run `pihub check`, then send the hub SIGHUP. "
            "A faulty one is refused and the old stays in force.",
        ),
    )  # fmt: skip


def _process(one: Mapping[str, Any]) -> Line:
    age = one.get("beat_age_ms") or 0
    tone: Tone = "well" if age < 5000 else "look"
    return Line(
        (
            Cell(f"{one.get('role')} {one.get('slot')}", f"pid {one.get('pid')}", tone=tone),
            Cell(words.size(one.get("rss_bytes"))),
            Cell(words.count(one.get("requests") or 0)),
            Cell(words.count(one.get("in_flight") or 0)),
            Cell(words.count(one.get("streams") or 0)),
            Cell(words.milliseconds(age)),
        )
    )
