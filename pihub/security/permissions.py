"""What may be done in the control plane, by name, and the roles that come with the hub.

A permission is `noun:read` or `noun:write`. Every operation of the admin API names one
(http/control/table.py); a role is a set of them; an admin key carries a set as well.
"""

from __future__ import annotations

from collections.abc import Iterable

NOUNS: dict[str, str] = {
    "apis": "generic APIs",
    "audit": "the audit log",
    "budgets": "budgets and spending caps",
    "cache": "the answer cache",
    "config": "the configuration",
    "health": "health, alerts and forecasts",
    "keys": "API keys (never a key itself)",
    "models": "models and routing",
    "owners": "users with the role owner",
    "prices": "the price table",
    "requests": "recorded requests",
    "roles": "custom roles",
    "security": "security events and the input scanner",
    "sessions": "other users' sessions",
    "status": "the live picture and the dashboard",
    "streams": "open and past streams",
    "tenants": "tenants and their quotas",
    "upstreams": "upstreams and their breakers",
    "usage": "usage, cost and reports",
    "users": "users and how they log in",
    "webhooks": "webhooks, deliveries and dead letters",
    "workers": "the hub's processes",
}

READS = frozenset(f"{noun}:read" for noun in NOUNS)
WRITES = frozenset(f"{noun}:write" for noun in NOUNS)
PERMISSIONS = READS | WRITES


def _read(*nouns: str) -> frozenset[str]:
    return frozenset(f"{noun}:read" for noun in nouns)


def _write(*nouns: str) -> frozenset[str]:
    return frozenset(f"{noun}:write" for noun in nouns)


_VIEWER = _read("apis", "health", "models", "status", "upstreams", "usage")
_ANALYST = _VIEWER | _read("budgets", "cache", "prices", "requests", "streams", "webhooks")
_OPERATOR = (
    _ANALYST
    | _read("config", "keys", "security", "tenants", "workers")
    | _write("cache", "health", "security", "streams", "upstreams", "webhooks", "workers")
)

ROLES: dict[str, frozenset[str]] = {
    "owner": PERMISSIONS,
    "admin": PERMISSIONS - _write("owners"),
    "operator": _OPERATOR,
    "analyst": _ANALYST,
    "viewer": _VIEWER,
}
"""The built-in roles; custom ones are rows of the database."""

LOCAL_READS = READS
"""What this machine may do over TCP before the first admin exists."""


def unknown(names: Iterable[str]) -> list[str]:
    """Those that are no permissions, sorted."""
    return sorted(set(names) - PERMISSIONS)
