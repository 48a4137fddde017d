"""Costs & savings: what was paid, what was not paid, by whom, and the limits."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import quote

from pihub.dashboard import words
from pihub.dashboard.parts import (
    Action,
    Bar,
    Bars,
    Card,
    Cards,
    Cell,
    Field,
    Line,
    Screen,
    Table,
    Tone,
)
from pihub.dashboard.sources import Sources
from pihub.domain.promptcache import outweighs
from pihub.ops.budgets import HUB, BudgetState
from pihub.store.rows import Dimension, Reports, UsageRow

NANO = 10**9
DAYS = 30
STATES: dict[str, tuple[str, Tone]] = {
    "spent": ("spent", "down"),
    "near": ("nearly spent", "look"),
    "free": ("room left", "well"),
}
NO_MODEL = "no model: APIs, webhooks, refused"
PAID, SAVED = "/dashboard/requests?show=paid", "/dashboard/requests?show=saved"


AT_LIMIT = {
    "refuse": "requests are refused at the limit",
    "downgrade": "cheaper models answer near the limit",
    "ask": "asks for more at the limit",
}


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    now = datetime.now()  # noqa: DTZ005 - the owner's days
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight - timedelta(days=DAYS - 1)
    store = sources.services.store
    start, end = int(first.timestamp()), int(time.time()) + 1
    rows = store.usage(start, end, "hour", "none", paces=False)
    by_day: defaultdict[str, list[UsageRow]] = defaultdict(list)
    for row in rows:
        by_day[datetime.fromtimestamp(row.start).strftime("%d %b")].append(row)  # noqa: DTZ006
    days = [(first + timedelta(days=n)).strftime("%d %b") for n in range(DAYS)]
    today, month = by_day[days[-1]], [r for r in rows if r.start >= _month(midnight)]
    unpriced = sum(row.unpriced for row in month)
    return Screen(
        "Costs & savings",
        (
            Cards(
                (
                    Card("Spent today", _usd(_cost(today)),
                         words.many(_requests(today), "request"), PAID),
                    Card("Saved today", _usd(_saved(today)), "against the chains' paid models",
                         SAVED),
                    Card("Spent this month", _usd(_cost(month)),
                         words.many(_requests(month), "request"), PAID),
                    Card("Saved this month", _usd(_saved(month)), _part(month), SAVED),
                )
            ),
            Bars(
                "Last 30 days",
                tuple(
                    Bar(
                        day,
                        _cost(by_day[day]) / NANO,
                        _usd(_cost(by_day[day])),
                        _saved(by_day[day]) / NANO,
                        _usd(_saved(by_day[day])),
                    )
                    for day in days
                ),
                ("Spent", "Saved"),
            ),
            _budgets(sources.services.budgets.states(), sources),
            _who("By model, 30 days", store, start, end, "model"),
            _prompts(store, start, end),
            _who("By key, 30 days", store, start, end, "key", _names(sources)),
        ),
        refresh=10,
        notes=(
            *filter(None, (_made_up(sources),)),
            "Saved: what the same tokens would have cost at the first paid model of the chain, "
            "minus what they did cost here (electricity included, where [energy] says its price).",
            *(
                [f"{words.many(unpriced, 'request')} this month had no known price: "
                 "see pihub prices check."] if unpriced else []
            ),
        ),
    )  # fmt: skip


def _budgets(states: list[BudgetState], sources: Sources) -> Table:
    names = _names(sources)
    lines = []
    for state in states:
        budget = state.budget
        word, tone = STATES[state.state]
        remove = Action(
            "Remove", "DELETE", f"/budgets/{state.id}", sure="Remove this budget?",
            permission="budgets:write",
        )  # fmt: skip
        approve = Action(
            "Allow more today",
            "POST",
            f"/budgets/{state.id}/approvals",
            (Field("usd", "USD", "number", "1", required=True),),
            permission="budgets:write",
        )
        label = names.get(budget.name, budget.name) if budget.scope == "key" else budget.name
        lines.append(
            Line(
                (
                    Cell(f"{budget.scope} {label}".strip(), AT_LIMIT[budget.at_limit]),
                    Cell(word, tone=tone),
                    Cell(_of(state.spent_day, budget.day_nano, state.extra_day)),
                    Cell(_of(state.spent_month, budget.month_nano, state.extra_month)),
                ),
                () if state.id == HUB else (approve, remove),
            )
        )
    return Table(
        "Budgets",
        ("Of", "State", "#Today", "#This month"),
        tuple(lines),
        "No budget is set: a key can spend whatever its upstreams allow.",
        forms=(
            Action(
                "Set a budget",
                "POST",
                "/budgets",
                (
                    Field("scope", "Of a", "select", "key", ("key", "tenant", "user", "model")),
                    Field("name", "Its name", required=True),
                    Field("per_day_usd", "USD a day", "number"),
                    Field("per_month_usd", "USD a month", "number"),
                    Field("at_limit", "At the limit", "select", "refuse",
                          tuple((name, name if name == text else f"{name}: {text}")
                                for name, text in AT_LIMIT.items())),
                ),
                permission="budgets:write",
            ),
        ),
    )  # fmt: skip


def _prompts(store: Reports, start: int, end: int) -> Table:
    """What Anthropic's prompt cache was read and written, by model."""
    sums: defaultdict[str, list[UsageRow]] = defaultdict(list)
    for row in store.usage(start, end, "day", "model", paces=False):
        if row.cache_read_tok or row.cache_write_tok:
            sums[row.group].append(row)
    lines = []
    for name, rows in sorted(sums.items()):
        read = sum(row.cache_read_tok for row in rows)
        written = sum(row.cache_write_tok for row in rows)
        prompt = read + written + sum(row.in_tok for row in rows)
        state, tone = _pays(written, read)
        lines.append(
            Line(
                (
                    Cell(name),
                    Cell(state, tone=tone),
                    Cell(f"{100 * read / prompt:.0f} %", words.many(read, "token")),
                    Cell(f"{100 * written / prompt:.0f} %", words.many(written, "token")),
                )
            )
        )
    return Table(
        "Anthropic's prompt cache, 30 days",
        ("Model", "State", "#Read", "#Written"),
        tuple(lines),
        "No prompt was long enough and came again, so nothing was read or written.",
    )


def _pays(written: int, read: int) -> tuple[str, Tone]:
    return ("writes outweigh reads", "look") if outweighs(written, read) else ("pays", "well")


def _who(
    title: str,
    store: Reports,
    start: int,
    end: int,
    by: Dimension,
    names: Mapping[str, str] | None = None,
) -> Table:
    sums: defaultdict[str, list[UsageRow]] = defaultdict(list)
    # By the days of UTC, which are a thirtieth of the hours' rows.
    for row in store.usage(start, end, "day", by, paces=False):
        sums[row.group].append(row)
    ranked = sorted(sums.items(), key=lambda item: (-_cost(item[1]), -_requests(item[1])))
    lines = tuple(
        Line(
            (
                Cell((names or {}).get(group, group) or NO_MODEL, href=_list(by, group)),
                Cell(_usd(_cost(rows))),
                Cell(_usd(_saved(rows))),
                Cell(words.count(_requests(rows))),
                Cell(words.count(sum(r.in_tok + r.out_tok for r in rows))),
            )
        )
        for group, rows in ranked[:20]
    )
    head = (by.capitalize(), "#Spent", "#Saved", "#Requests", "#Tokens")
    return Table(title, head, lines, "Nothing was asked yet.")


def _list(by: Dimension, group: str) -> str:
    """Its requests."""
    if not group or (by == "key" and group == "0"):
        return ""
    return f"/dashboard/requests?{by}={quote(group)}"


def _made_up(sources: Sources) -> str:
    """Whether some of this money is no money."""
    found = sources.loaded.settings.upstreams
    names = [name for name, one in found.items() if one.simulated]
    if not names:
        return ""
    whole = "all of" if len(names) == len(found) else "a part of"
    return f"Simulated: {', '.join(names)}. So {whole} the money on this page is made up."


def _names(sources: Sources) -> dict[str, str]:
    return {str(key.id): key.name for key in sources.known_keys()} | {"0": "nobody"}


def _of(spent: int, limit: int, extra: int) -> str:
    return f"{_usd(spent)} of {_usd(limit + extra)}" if limit else _usd(spent)


def _month(midnight: datetime) -> int:
    return int(midnight.replace(day=1).timestamp())


def _usd(nano: int) -> str:
    return words.money(nano / NANO)


def _cost(rows: list[UsageRow]) -> int:
    return sum(row.cost_nano for row in rows)


def _saved(rows: list[UsageRow]) -> int:
    return sum(row.saved_nano for row in rows)


def _requests(rows: list[UsageRow]) -> int:
    return sum(row.requests for row in rows)


def _part(rows: list[UsageRow]) -> str:
    whole = _cost(rows) + _saved(rows)
    return f"{words.percent(_saved(rows) / whole)} of what it could have cost" if whole else ""
