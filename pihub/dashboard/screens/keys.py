"""Keys and tenants: who may use the hub, and for what; a tenant's people see theirs, too."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pihub.dashboard import words
from pihub.dashboard.parts import Action, Cell, Field, Line, Screen, Table, Tone
from pihub.dashboard.sources import Sources
from pihub.store.rows import KeyRow, TenantRow

LATELY = 600
"""Seconds; the use of keys is written down every two minutes."""


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    services = sources.services
    keys = sorted(sources.known_keys(), key=lambda key: (bool(key.revoked), key.id))
    used = _used_lately(sources)
    parts = [
        Table(
            "API keys",
            ("Key", "Tenant", "State", "#Last used"),
            tuple(_key(one, used) for one in keys[:200]),
            "No key yet.",
            note="A key is shown once, when it is made; only its hash is kept.",
            forms=(
                Action(
                    "Make a key",
                    "POST",
                    "/keys",
                    (
                        Field("name", "Name", required=True),
                        Field("tenant", "Tenant", value="default", required=True),
                        Field("expires_in", "Seconds until it ends (empty: never)", "number"),
                    ),
                    permission="keys:write",
                    shows="token",
                ),
            ),
        ),
        Table(
            "Tenants",
            ("Tenant", "State", "#Keys", "#Requests a minute", "May use"),
            tuple(_tenant(one) for one in sources.tenants()),
            "Only the default one.",
            forms=(
                Action(
                    "Make a tenant", "POST", "/tenants",
                    (Field("name", "Name", required=True),), permission="tenants:write",
                ),
            ),
        ),
    ]  # fmt: skip
    if services.control is not None and sources.tenant is not None:
        # Who sees the whole hub has a screen for people.
        people = [
            one
            for one in services.control.accounts.people.users()
            if sources.tenant in (None, one.tenant)
        ]
        parts.append(
            Table(
                "People",
                ("Name", "Role", "Second factor", "#Last login"),
                tuple(
                    Line(
                        (
                            Cell(one.subject, one.tenant_name),
                            Cell(one.role),
                            Cell("on" if one.totp else "off", tone="well" if one.totp else "look"),
                            Cell(words.ago(one.last_login)),
                        )
                    )
                    for one in people
                ),
                "Nobody yet: the hub listens to this machine only. Make the first admin with "
                "`pihub admin create NAME`, or with the link that the hub printed at its start.",
            )
        )
    return Screen("Keys & tenants" if sources.tenant is None else "Keys & people", tuple(parts))


def _used_lately(sources: Sources) -> dict[str, int]:
    """Key to unix seconds, of the minutes whose use is not written beside the keys yet."""
    now = int(time.time())
    rows = sources.services.store.usage(now - LATELY, now + 1, "minute", "key")
    return {row.group: row.start for row in rows}


def _tenant(one: TenantRow) -> Line:
    named = [*(one.models or ()), *(one.apis or ())]
    whole = one.models is None and one.apis is None
    return Line(
        (
            Cell(one.name),
            Cell("switched off", tone="idle") if one.disabled else Cell("live", tone="well"),
            Cell(words.count(one.keys)),
            Cell(words.count(one.requests_per_minute) if one.requests_per_minute else "no limit"),
            Cell("all models and APIs" if whole else ", ".join(named) or "what its keys allow"),
        )
    )


def _key(one: KeyRow, used: Mapping[str, int]) -> Line:
    state: tuple[str, Tone] = ("live", "well")
    if one.revoked:
        state = ("revoked", "idle")
    elif one.expires and one.expires <= time.time():
        state = ("expired", "look")
    revoke = Action(
        "Revoke", "DELETE", f"/keys/{one.id}", permission="keys:write",
        sure=f"Revoke {one.name}? Whoever uses it is refused at once.",
    )  # fmt: skip
    rotate = Action(
        "Renew", "POST", f"/keys/{one.id}/rotate", permission="keys:write", shows="token",
        sure=f"Make a successor of {one.name}? The old key keeps working for a while.",
    )  # fmt: skip
    return Line(
        (
            Cell(one.name, one.hint, href=f"/dashboard/requests?key={one.id}"),
            Cell(one.tenant_name),
            Cell(state[0], tone=state[1]),
            Cell(words.ago(max(one.used, used.get(str(one.id), 0)))),
        ),
        () if one.revoked else (rotate, revoke),
    )
