"""Keys, tenants and people: who may use the hub, and for what."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pihub.dashboard import words
from pihub.dashboard.parts import Action, Cell, Field, Line, Screen, Table, Tone
from pihub.dashboard.sources import Sources
from pihub.store.rows import KeyRow


def build(sources: Sources, asked: Mapping[str, str]) -> Screen:
    services = sources.services
    keys = sorted(sources.known_keys(), key=lambda key: (bool(key.revoked), key.id))
    parts = [
        Table(
            "API keys",
            ("Key", "Tenant", "State", "#Last used"),
            tuple(_key(one) for one in keys[:200]),
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
            ("Tenant", "#Number"),
            tuple(Line((Cell(t.name), Cell(str(t.id)))) for t in sources.tenants()),
            "Only the default one.",
            forms=(
                Action(
                    "Make a tenant", "POST", "/tenants",
                    (Field("name", "Name", required=True),), permission="tenants:write",
                ),
            ),
        ),
    ]  # fmt: skip
    if services.control is not None:
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
    return Screen("Keys & people", tuple(parts))


def _key(one: KeyRow) -> Line:
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
            Cell(one.name, f"{one.hint} · number {one.id}"),
            Cell(one.tenant_name),
            Cell(state[0], tone=state[1]),
            Cell(words.ago(one.used)),
        ),
        () if one.revoked else (rotate, revoke),
    )
