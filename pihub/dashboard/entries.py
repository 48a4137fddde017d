"""The menu: every screen of the dashboard, and the groups in which the menu shows them."""

from __future__ import annotations

from collections.abc import Iterable

from pihub.dashboard.menu import Entry
from pihub.dashboard.screens import (
    audit,
    cache,
    costs,
    health,
    hooks,
    jobs,
    keys,
    models,
    playground,
    security,
    settings,
    streams,
    system,
    upstreams,
    users,
)

ENTRIES: tuple[Entry, ...] = (
    # name, title, permission, what builds it
    Entry("costs", "Costs", "usage:read", costs.build, tenanted=True),
    Entry("health", "Health", "health:read", health.build),
    Entry("streams", "Streams", "streams:read", streams.build, tenanted=True),
    Entry("jobs", "Deferred", "requests:read", jobs.build, tenanted=True),
    Entry("models", "Models", "models:read", models.build, tenanted=True),
    Entry("upstreams", "Upstreams", "upstreams:read", upstreams.build),
    Entry("cache", "Cache", "cache:read", cache.build, tenanted=True),
    Entry("webhooks", "Webhooks", "webhooks:read", hooks.build, tenanted=True),
    Entry("keys", "Keys", "keys:read", keys.build, tenanted=True),
    Entry(
        "playground", "Playground", "models:read", playground.build, "playground.html",
        tenanted=True,
    ),
    Entry("users", "Users", "users:read", users.build),
    Entry("system", "System", "config:read", system.build),
    Entry("settings", "Settings", "config:read", settings.build, "settings.html"),
    Entry("security", "Security", "security:read", security.build, tenanted=True),
    Entry("audit", "Audit", "audit:read", audit.build, tenanted=True),
    Entry(
        "reference", "API", "status:read", playground.reference, "reference.html", tenanted=True
    ),
)  # fmt: skip

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Traffic", ("requests", "streams", "jobs", "upstreams", "webhooks")),
    ("Answers", ("models", "cache", "costs", "playground")),
    ("People", ("keys", "users", "security", "audit")),
    ("Hub", ("health", "system", "settings", "reference", "account")),
)
"""Titles and the screens below them, each in one group."""
OWN = (("requests", "Requests"), ("account", "Account"))
"""Pages that are no Entry."""

Links = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
"""((group, ((name, title), ...)), ...)"""


def menu(entries: Iterable[Entry]) -> Links:
    """What the menu shows, group by group."""
    titles = dict(OWN) | {one.name: one.title for one in entries}
    found = (
        (title, tuple((name, titles[name]) for name in names if name in titles))
        for title, names in GROUPS
    )
    return tuple(one for one in found if one[1])
