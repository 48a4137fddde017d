"""Models & routing: which name leads where, at what price, and how it went."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Mapping
from urllib.parse import quote

from pihub.dashboard import words
from pihub.dashboard.parts import Cell, Line, Screen, Table
from pihub.dashboard.sources import Sources
from pihub.domain.pricing import PriceTable
from pihub.domain.target import parse_target
from pihub.store.rows import UsageRow

WEEK = 7 * 86400
POLICIES = {"chain": ""}
"""Of names; the usual one goes without saying."""


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    chains = []
    for name, model in sources.models().items():
        policy = getattr(model, "policy", "")
        steps = " → ".join(model.chain)
        prices = [_price(sources, one) for one in model.chain]
        chains.append(
            Line(
                (
                    Cell(name, POLICIES.get(policy, policy),
                         href=f"/dashboard/requests?model={quote(name)}"),
                    Cell(steps),
                    Cell(" → ".join(prices)),
                )
            )
        )
    now = int(time.time())
    sums: defaultdict[str, list[UsageRow]] = defaultdict(list)
    for row in sources.services.store.usage(now - WEEK, now + 1, "hour", "model"):
        sums[row.group].append(row)
    used = [
        Line(
            (
                Cell(name, href=f"/dashboard/requests?model={quote(name)}"),
                Cell(words.count(sum(r.requests for r in rows))),
                Cell(words.milliseconds(_weighted(rows, "p50_us"))),
                Cell(words.milliseconds(_weighted(rows, "p95_us"))),
                Cell(words.count(sum(r.out_tok for r in rows))),
                Cell(words.money(sum(r.cost_nano for r in rows) / 1e9)),
            )
        )
        for name, rows in sorted(sums.items(), key=lambda i: -sum(r.requests for r in i[1]))
        if name
    ]
    return Screen(
        "Models & routing",
        (
            Table(
                "Names that clients use",
                ("Name", "Tried in this order", "A million tokens, in / out"),
                tuple(chains),
                "No model is configured: add [models.NAME] with a chain to pihub.toml.",
                links=(
                    ("Why would it choose that? Try a prompt", "/dashboard/playground"),
                    ("Why did it choose that? Open a request", "/dashboard/requests"),
                ),
            ),
            Table(
                "Models that answered, 7 days",
                ("Model", "#Requests", "#Median", "#p95", "#Tokens out", "#Spent"),
                tuple(used),
                "No model has answered yet.",
            ),
        ),
        refresh=10,
        notes=(
            "Every answer says in x-pihub-route, -cost and -reason where it came from and why; "
            "the reasons stand in the list of requests, too.",
        ),
    )


def _price(sources: Sources, text: str) -> str:
    upstream, model = parse_target(text)
    section = sources.loaded.settings.upstreams.get(upstream)
    table: PriceTable = sources.prices
    price = table.find(section.kind, model) if section is not None else None
    if price is None:
        return "unknown"
    if price.free:
        return "local"
    return f"${price.rates.input / 1e6:g} / ${price.rates.output / 1e6:g}"


def _weighted(rows: list[UsageRow], field: str) -> float:
    """Milliseconds; quantiles of hours, weighed by their requests: near enough to compare."""
    total = sum(row.requests for row in rows)
    found = sum(getattr(row, field) * row.requests for row in rows)
    return found / total / 1000 if total and not math.isnan(found) else 0.0
