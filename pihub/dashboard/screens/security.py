"""Security events: what the input scanner found, whose it was, and what is let pass."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from urllib.parse import urlencode

from pihub.dashboard import words
from pihub.dashboard.parts import Action, Card, Cards, Cell, Line, Part, Screen, Table
from pihub.dashboard.sources import Sources
from pihub.domain.finding import Finding
from pihub.errors import NotFound
from pihub.shared.findings import Allowance

LATEST = 1000
"""Findings that are looked through."""
SHOWN = 200
REFUSED = "4"
"""Class of status."""


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    found = [
        one
        for one in sources.services.scanner.recent(LATEST)
        if sources.tenant in (None, one.tenant)
    ]
    only = asked.get("show", "all")
    kind = asked.get("kind", "")
    shown = [
        one
        for one in found
        if (only == "all" or one.blocked == (only == "refused")) and kind in ("", one.kind)
    ]
    wanted = asked.get("id", "").strip().lower()
    if wanted:
        shown = _one(sources, wanted)
    let_pass = _let_pass(sources)
    keys = {key.id: key.name for key in sources.known_keys()}
    tenants = {tenant.id: tenant.name for tenant in sources.tenants()}
    day = time.time_ns() - 86_400_000_000_000
    fresh = [one for one in found if one.ts_ns >= day]
    refused = sum(one.blocked for one in fresh)
    parts: list[Part] = [
        Cards(
            (
                Card("Refused, 24 hours", str(refused), "for what the scanner found",
                     "/dashboard/security?show=refused", "look" if refused else ""),
                Card("Noted, 24 hours", str(len(fresh) - refused), "let in all the same",
                     "/dashboard/security?show=noted"),
                Card("Rules", str(len({one.rule for one in fresh})), "that found something"),
                _turned_away(sources),
            )
        ),
        Table(
            "Findings",
            ("When", "What", "Where", "Whose", "#Points"),
            tuple(_line(one, keys, tenants, let_pass) for one in shown[:SHOWN]),
            f"There is no finding {wanted[:16]}." if wanted else "Nothing was found.",
            note="No part of a value is kept. Allow lets pass what comes to the same path, place"
            " and field and meets the same rule. The id of a refusal leads here:"
            " /dashboard/security?id=ID.",
            links=_links(found, only, kind),
        ),
    ]
    if sources.tenant is None:
        parts.append(_allowed(sources))
    return Screen("Security events", tuple(parts), refresh=10)


def _turned_away(sources: Sources) -> Card:
    """Requests that the hub did not grant: no good key, beyond a limit, malformed."""
    now = int(time.time())
    rows = sources.services.store.usage(now - 86_400, now + 1, "hour", "status")
    number = sum(row.requests for row in rows if row.group == REFUSED)
    return Card(
        "Turned away, 24 h", words.count(number), "no good key, a limit, a bad request",
        "/dashboard/requests?status=4",
    )  # fmt: skip


def _one(sources: Sources, name: str) -> list[Finding]:
    """The finding of an id, however old; none if it is another tenant's."""
    try:
        found = sources.services.scanner.one(name)
    except NotFound:
        return []
    return [found] if sources.tenant in (None, found.tenant) else []


def _let_pass(sources: Sources) -> frozenset[Allowance]:
    rows = sources.services.scanner.allowances()
    return frozenset((row.path, row.place, row.field, row.rule) for row in rows)


def _line(
    one: Finding,
    keys: Mapping[int, str],
    tenants: Mapping[int, str],
    let_pass: Collection[Allowance],
) -> Line:
    passes = (one.path, one.place, one.field, one.rule) in let_pass
    what = "refused" if one.blocked else "noted"
    in_prompt = one.place == "prompt"
    return Line(
        (
            Cell(
                words.moment(one.ts_ns / 1e9), one.name, f"/dashboard/security?id={one.name}"
            ),
            Cell(
                f"{one.kind}: {one.rule}",
                f"{what}; let pass since" if passes else what,
                tone="idle" if passes else "down" if one.blocked else "look",
            ),
            Cell(one.path or "/", f"{one.place} {one.field}".strip()),
            Cell(
                tenants.get(one.tenant, "nobody") if one.key else "nobody",
                keys.get(one.key, f"key {one.key}") if one.key else "no known key",
            ),
            Cell(str(one.points), num=True),
        ),
        (
            Action(
                "Allow", "POST", "/security/allowances", fixed=(("finding", one.name),),
                sure=f"Look for {one.rule} in this key's prompts no more?" if in_prompt
                else f"Let {one.rule} pass in {one.place} {one.field} of {one.path or '/'}?",
                permission="security:write",
            ),
        ) if one.rule != "not-judged" and not passes else (),
    )  # fmt: skip


def _links(found: list[Finding], only: str, kind: str) -> tuple[tuple[str, str], ...]:
    """Filters: each leads to this screen with one of them changed."""

    def link(label: str, **change: str) -> tuple[str, str]:
        asked = {"show": only, "kind": kind} | change
        text = urlencode({name: value for name, value in asked.items() if value})
        return label, f"/dashboard/security?{text}"

    kinds = sorted({one.kind for one in found})
    return (
        link("all", show="all"),
        link("refused only", show="refused"),
        link("noted only", show="noted"),
        *((link("every class", kind=""),) if kind else ()),
        *(link(name, kind=name) for name in kinds if name != kind),
    )


def _allowed(sources: Sources) -> Table:
    return Table(
        "Let pass",
        ("Path", "Where", "Rule", "By"),
        tuple(
            Line(
                (Cell(row.path), Cell(row.place, row.field), Cell(row.rule), Cell(row.by)),
                (
                    Action(
                        "Take back", "DELETE", f"/security/allowances/{row.id}",
                        permission="security:write",
                    ),
                ),
            )
            for row in sources.services.scanner.allowances()
        ),
        "Nothing is let pass.",
    )  # fmt: skip
