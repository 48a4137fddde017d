"""The admin API's resources: HTTP in, a service's call, JSON out."""

from __future__ import annotations

import json
import time
from typing import Any, cast

import falcon

from pihub.errors import BadRequest
from pihub.http.control import forms
from pihub.insight.live import NANO, Live, request
from pihub.security.keys import KeyService
from pihub.store.rows import (
    STEP_SECONDS,
    Dimension,
    EventStore,
    KeyRow,
    Step,
    UsageRow,
)

PAGE = 100
MOST_PAGE = 1000
MOST_SPANS = 1500
"""A usage answer's spans: a day of minutes, two months of hours."""
MAX_INT = (1 << 63) - 1
DIMENSIONS = ("none", "tenant", "key", "route", "model", "upstream", "status", "cache")


class Keys:
    """GET, POST /admin/api/v1/keys."""

    def __init__(self, keys: KeyService) -> None:
        self._keys = keys

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        forms.only(req)
        _json(resp, {"keys": [_key(one) for one in self._keys.list()]})

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        fields = forms.body(req, "tenant", "name", "expires_in")
        lifetime = fields.get("expires_in")
        if lifetime is not None and (isinstance(lifetime, bool) or not isinstance(lifetime, int)):
            raise BadRequest("expires_in must be whole seconds or null", param="expires_in")
        made = self._keys.create(
            forms.text(fields, "tenant", "default"), forms.text(fields, "name"), lifetime
        )
        resp.status = falcon.HTTP_201
        _json(resp, {**_key(made.key), "token": made.token})


class OneKey:
    """DELETE /admin/api/v1/keys/{number}."""

    def __init__(self, keys: KeyService) -> None:
        self._keys = keys

    def on_delete(self, req: falcon.Request, resp: falcon.Response, number: int) -> None:
        _json(resp, _key(self._keys.revoke(number)))


class Status:
    """GET /admin/api/v1/status: the live picture."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        forms.only(req)
        resp.content_type = falcon.MEDIA_JSON
        resp.data = self._live.snapshot()[1]


class Requests:
    """GET /admin/api/v1/requests?limit=&before=: newest first, `next` continues."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        forms.only(req, "limit", "before")
        limit = forms.integer(req, "limit", PAGE, 1, MOST_PAGE) or PAGE
        before = forms.integer(req, "before", None, 1, MAX_INT)
        rows = self._store.recent(limit, before)
        _json(
            resp,
            {
                "requests": [request(row) for row in rows],
                "next": rows[-1].id if len(rows) == limit else None,
            },
        )


class Usage:
    """GET /admin/api/v1/usage?from=&to=&step=&by=: sums by span and dimension."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        forms.only(req, "from", "to", "step", "by")
        step = cast(Step, forms.choice(req, "step", "minute", ("minute", "hour")))
        by = cast(Dimension, forms.choice(req, "by", "none", DIMENSIONS))
        now = int(time.time())
        end = forms.integer(req, "to", now + 1, 0, MAX_INT)
        assert end is not None
        start = forms.integer(req, "from", end - 60 * STEP_SECONDS[step], 0, MAX_INT)
        assert start is not None
        if not start < end:
            raise BadRequest("from must be before to", param="from")
        if (end - start) // STEP_SECONDS[step] > MOST_SPANS:
            raise BadRequest(
                f"from and to span more than {MOST_SPANS} steps: use step=hour or less time",
                param="from",
            )
        _json(
            resp,
            {
                "from": start,
                "to": end,
                "step": step,
                "by": by,
                "usage": [_usage(row) for row in self._store.usage(start, end, step, by)],
            },
        )


def _json(resp: falcon.Response, value: Any) -> None:
    resp.content_type = falcon.MEDIA_JSON
    resp.data = json.dumps(value, separators=(",", ":")).encode()


def _key(row: KeyRow) -> dict[str, Any]:
    now = time.time()
    return {
        "id": row.id,
        "tenant": row.tenant_name,
        "tenant_id": row.tenant,
        "name": row.name,
        "hint": row.hint,
        "created": row.created,
        "expires": row.expires or None,
        "revoked": row.revoked or None,
        "state": "revoked"
        if row.revoked
        else "expired"
        if row.expires and row.expires <= now
        else "live",
    }


def _usage(row: UsageRow) -> dict[str, Any]:
    return {
        "start": row.start,
        "group": row.group,
        "requests": row.requests,
        "tokens": {
            "input": row.in_tok,
            "output": row.out_tok,
            "cache_read": row.cache_read_tok,
            "cache_write": row.cache_write_tok,
        },
        "cost_usd": row.cost_nano / NANO,
        "saved_usd": row.saved_nano / NANO,
        "unpriced_requests": row.unpriced,
        "p50_ms": round(row.p50_us / 1000, 3),
        "p95_ms": round(row.p95_us / 1000, 3),
        "p99_ms": round(row.p99_us / 1000, 3),
    }
