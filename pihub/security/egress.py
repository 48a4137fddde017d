"""The signed report of what left the hub in one day (UTC): hosts, requests, bytes.

Made from the recorded requests of upstreams and APIs; where else the hub may send something
(events, telemetry) is named, without numbers. The report of each day that is over goes into the
audit log, whose rows are chained and never changed. The signature is an HMAC-SHA-256 of the
canonical JSON under a secret of the installation, so `pihub egress verify` tells a changed copy.
"""

from __future__ import annotations

import hmac
import json
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pihub.errors import BadRequest
from pihub.security.actor import LOCAL
from pihub.security.audit import AuditLog
from pihub.settings.addresses import is_loopback, is_private
from pihub.settings.schema import Settings
from pihub.store.egress import sent
from pihub.store.sqlite import Database, StoreFault

log = logging.getLogger("pihub.egress")

ACTION = "egress_report"
DAY_NS = 86_400 * 10**9


class Egress:
    """Reports of a running hub. Any thread may ask."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        audit: AuditLog,
        secret: bytes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`database`: of metrics."""
        urls = {name: one.url for name, one in settings.upstreams.items()}
        urls |= {name: one.url for name, one in settings.apis.items()}
        self._hosts = {name: urlsplit(url).hostname or "unix socket" for name, url in urls.items()}
        self._uncounted = uncounted(settings)
        self._local_only = {
            int(number)
            for number, _, policy in (text.partition("=") for text in settings.routing.key_policies)
            if policy.strip() == "local-only" and number.strip().isdigit()
        }
        self._database = database
        self._audit = audit
        self._secret = secret
        self._clock = clock
        self._told = ""
        """The last day whose report is in the audit log."""

    def report(self, day: str = "") -> dict[str, Any]:
        """{"report", "signature"} of a day, such as "2026-01-31"; of today without one.

        Raises BadRequest, StoreFault.
        """
        today = datetime.fromtimestamp(self._clock(), UTC).date()
        try:
            wanted = date.fromisoformat(day) if day else today
        except ValueError:
            raise BadRequest('day is a date such as "2026-01-31"', param="day") from None
        if wanted > today:
            raise BadRequest("day lies in the future", param="day")
        start = int(datetime(wanted.year, wanted.month, wanted.day, tzinfo=UTC).timestamp())
        hosts: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        for row in sent(self._database, start * 10**9, start * 10**9 + DAY_NS):
            host = self._hosts.get(row.upstream, f"{row.upstream} (no longer configured)")
            into = hosts[host]
            if not into:
                into |= {
                    "host": host, "outside": not (is_loopback(host) or is_private(host)),
                    "upstreams": [], "requests": 0, "bytes_sent": 0, "bytes_received": 0,
                    "local_only_requests": 0,
                }  # fmt: skip
            if row.upstream not in into["upstreams"]:
                into["upstreams"].append(row.upstream)
            into["requests"] += row.requests
            into["bytes_sent"] += row.bytes_in
            into["bytes_received"] += row.bytes_out
            if row.key in self._local_only:
                into["local_only_requests"] += row.requests
        rows = [hosts[name] for name in sorted(hosts)]
        found = {
            "day": wanted.isoformat(),
            "complete": wanted < today,
            "hosts": rows,
            "uncounted": self._uncounted,
            "local_only_keys": sorted(self._local_only),
            "local_only_requests_outside": sum(
                one["local_only_requests"] for one in rows if one["outside"]
            ),
        }
        return {"report": found, "signature": sign(self._secret, found)}

    def daily(self) -> None:
        """Yesterday's report into the audit log, once. Call now and then. Never raises."""
        yesterday = datetime.fromtimestamp(self._clock(), UTC).date() - timedelta(days=1)
        day = yesterday.isoformat()
        if day == self._told:
            return
        try:
            if self._audit.last_object(ACTION) != day:
                self._audit.write(LOCAL, ACTION, day, "ok", None, self.report(day))
            self._told = day
        except StoreFault as error:
            log.warning("the egress report of %s could not be kept: %s", day, error)


def uncounted(settings: Settings) -> list[dict[str, Any]]:
    """Configured hosts whose traffic is no recorded request: {"host", "outside", "what"}."""
    urls = [(one.url, f"events to {name}") for name, one in sorted(settings.subscribers.items())]
    if settings.otel.endpoint:
        urls.append((settings.otel.endpoint, "telemetry"))
    found = []
    for url, what in urls:
        host = urlsplit(url).hostname or "unix socket"
        outside = not (is_loopback(host) or is_private(host))
        found.append({"host": host, "outside": outside, "what": what})
    return found


def sign(secret: bytes, report: Mapping[str, Any]) -> str:
    """Hex. Canonical: sorted names, no spaces, ASCII."""
    text = json.dumps(report, sort_keys=True, separators=(",", ":"))
    return hmac.digest(secret, text.encode("ascii"), "sha256").hex()


def genuine(secret: bytes, signed: Any) -> bool:
    """Whether {"report", "signature"} is as this installation made it."""
    if not isinstance(signed, dict) or not isinstance(signed.get("report"), dict):
        return False
    given = signed.get("signature")
    return isinstance(given, str) and hmac.compare_digest(
        given.encode("utf-8", "replace"), sign(secret, signed["report"]).encode()
    )
