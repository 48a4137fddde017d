"""What a tenant's people see first: their own requests, money and streams."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pihub.dashboard import words
from pihub.dashboard.parts import Card, Cards, Cell, Line, Screen, Table, Tone
from pihub.dashboard.sources import Sources
from pihub.dashboard.view import row

ROWS = 20


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    seen: dict[str, Any] = json.loads(sources.services.live.snapshot()[1])
    now, totals = seen["now"], seen["totals"]
    real, made_up = seen["money"]["today"], seen["money"]["simulated_today"]
    failed = round(now["errors_per_min"])
    simulated = made_up["cost_usd"]
    name = next((one.name for one in sources.tenants()), "")
    return Screen(
        f"Tenant {name}",
        (
            Cards(
                (
                    Card("Requests a second", words.rate(now["requests_per_s"]),
                         f"{words.many(totals['requests'], 'request')} in 24 hours",
                         "/dashboard/requests"),
                    Card("Spent today", words.money(real["cost_usd"]),
                         f"and {words.money(simulated)} simulated" if simulated else "",
                         "/dashboard/requests?show=paid"),
                    Card("Saved today", words.money(real["saved_usd"]), "",
                         "/dashboard/requests?show=saved"),
                    Card("Streams open", words.count(totals["streams_open"]), "",
                         "/dashboard/streams"),
                    Card("Errors a minute", words.count(failed), "mean of five minutes",
                         "/dashboard/requests?show=errors", "look" if failed else ""),
                    Card("Median", words.milliseconds(now["p50_ms"]),
                         f"95 % {words.milliseconds(now['p95_ms'])}"),
                )
            ),
            Table(
                "Latest requests",
                ("When", "Model", "Answered by", "Why", "#Took", "#Cost"),
                tuple(_line(row(one)) for one in seen["requests"][:ROWS]),
                "Nothing was asked yet.",
                links=(("All requests", "/dashboard/requests"),),
            ),
        ),
        refresh=5,
    )  # fmt: skip


def _line(one: Mapping[str, Any]) -> Line:
    tone: Tone = one["tone"]
    return Line(
        (
            Cell(one["time"], one["status"], tone=tone),
            Cell(one["model"], one["stream"]),
            Cell(one["served"], one["sim"]),
            Cell(one["reason"]),
            Cell(one["latency"]),
            Cell(one["cost"]),
        )
    )
