"""The menu: every screen of the dashboard beside overview, requests and account."""

from __future__ import annotations

from pihub.dashboard.menu import Entry
from pihub.dashboard.screens import (
    audit,
    cache,
    costs,
    health,
    hooks,
    keys,
    models,
    playground,
    streams,
    system,
    upstreams,
)

ENTRIES: tuple[Entry, ...] = (
    # name, title, permission, what builds it
    Entry("costs", "Costs", "usage:read", costs.build, tenanted=True),
    Entry("health", "Health", "health:read", health.build),
    Entry("streams", "Streams", "streams:read", streams.build, tenanted=True),
    Entry("models", "Models", "models:read", models.build, tenanted=True),
    Entry("upstreams", "Upstreams", "upstreams:read", upstreams.build),
    Entry("cache", "Cache", "cache:read", cache.build, tenanted=True),
    Entry("webhooks", "Webhooks", "webhooks:read", hooks.build, tenanted=True),
    Entry("keys", "Keys", "keys:read", keys.build, tenanted=True),
    Entry(
        "playground", "Playground", "models:read", playground.build, "playground.html",
        tenanted=True,
    ),
    Entry("system", "System", "config:read", system.build),
    Entry("audit", "Audit", "audit:read", audit.build, tenanted=True),
    Entry(
        "reference", "API", "status:read", playground.reference, "reference.html", tenanted=True
    ),
)  # fmt: skip
