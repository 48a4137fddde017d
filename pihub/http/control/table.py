"""The table of the admin API: every operation there is.

Routes, the OpenAPI document, docs/admin-api.md's test and the parametrised tests are made
from it; docs/design/admin-api.md tells how to add one.
"""

from __future__ import annotations

from pihub.http.control.operation import Operation
from pihub.http.control.operations import (
    alerts,
    budgets,
    cache,
    catalog,
    config,
    egress,
    health,
    jobs,
    keys,
    me,
    offline,
    preview,
    requests,
    security,
    status,
    streams,
    tenants,
    upstreams,
    usage,
    users,
    webhooks,
)

OPERATIONS: tuple[Operation, ...] = (
    *alerts.OPERATIONS,
    *budgets.OPERATIONS,
    *cache.OPERATIONS,
    *catalog.OPERATIONS,
    *health.OPERATIONS,
    *config.OPERATIONS,
    *egress.OPERATIONS,
    *jobs.OPERATIONS,
    *keys.OPERATIONS,
    *me.OPERATIONS,
    *offline.OPERATIONS,
    *preview.OPERATIONS,
    *requests.OPERATIONS,
    *security.OPERATIONS,
    *status.OPERATIONS,
    *streams.OPERATIONS,
    *tenants.OPERATIONS,
    *upstreams.OPERATIONS,
    *usage.OPERATIONS,
    *users.OPERATIONS,
    *webhooks.OPERATIONS,
)
