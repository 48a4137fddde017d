"""A key as the admin API and the command line show it: everything but the key."""

from __future__ import annotations

import time
from typing import Any, Literal

from pihub.security import scope as scopes
from pihub.store.rows import KeyRow

State = Literal["live", "expired", "revoked"]


def fields(row: KeyRow) -> dict[str, Any]:
    state: State = "live"
    if row.revoked:
        state = "revoked"
    elif row.expires and row.expires <= time.time():
        state = "expired"
    return {
        "id": row.id,
        "tenant": row.tenant_name,
        "tenant_id": row.tenant,
        "user": row.user or None,
        "name": row.name,
        "hint": row.hint,
        "scope": scopes.load(row.scope),
        "created": row.created,
        "expires": row.expires or None,
        "revoked": row.revoked or None,
        "used": row.used or None,
        "successor": row.successor or None,
        "state": state,
    }
