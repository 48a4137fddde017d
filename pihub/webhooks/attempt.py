"""One attempt to deliver one event: what a target is, and what came of it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from pihub.errors import PihubError, UpstreamTimeout
from pihub.settings.schema import Pool, Timers
from pihub.settings.webhooks import Subscriber
from pihub.store.hooks import Due
from pihub.upstream.connector.connector import Connector
from pihub.upstream.connector.origin import Origin
from pihub.webhooks.signatures import standard_signature

MOST_ANSWER = 64 * 1024
GONE = 410


class Verdict(NamedTuple):
    """How an attempt ended."""

    ok: bool
    status: int = 0
    """HTTP; 0: no answer."""
    error: str = ""
    retry_after: float = 0.0
    final: bool = False
    """Trying again is of no use."""
    down: bool = False
    """The target as a whole seems to be in trouble."""


class Target(Protocol):
    """Where events go; thread-safe."""

    def attempt(self, due: Due) -> Verdict:
        """Never raises for what the target does."""


def event_id(due: Due) -> str:
    """The same for every attempt and every target: what makes a repetition known."""
    return "evt_" + due.key.hex()


def message(due: Due) -> bytes:
    """The body that subscribers get."""
    at = datetime.fromtimestamp(due.at / 1000, UTC).isoformat(timespec="milliseconds")
    head = json.dumps(
        {"type": due.kind, "timestamp": at.replace("+00:00", "Z"), "source": due.source,
         "object": due.object}, separators=(",", ":"),
    )  # fmt: skip
    return f'{head[:-1]},"data":{due.body}}}'.encode()


class HttpTarget:
    """One [subscribers.NAME]."""

    def __init__(self, settings: Subscriber, secret: bytes | None, connector: Connector) -> None:
        """Raises ConfigError for a URL that cannot be called."""
        self._origin, _ = Origin.parse(settings.url, ca_file=settings.ca_file)
        self._path = urlsplit(settings.url).path or "/"
        self._secret = secret
        self._connector = connector
        self._timers = timers(settings.timeout)
        self._pool = Pool(size=settings.concurrency, idle=30.0)

    def attempt(self, due: Due) -> Verdict:
        body, name, stamp = message(due), event_id(due), str(int(time.time()))
        headers = [
            ("content-type", "application/json"),
            ("user-agent", "pihub"),
            ("webhook-id", name),
            ("webhook-timestamp", stamp),
            ("idempotency-key", name),
        ]
        if self._secret is not None:
            headers.append(
                ("webhook-signature", standard_signature(self._secret, name, stamp, body))
            )
        return call(
            self._connector, self._origin, "POST", self._path, headers, body,
            self._timers, self._pool,
        )[0]  # fmt: skip


def timers(timeout: float) -> Timers:
    return Timers(
        connect=min(5.0, timeout), headers=timeout, first_byte=timeout, idle=timeout, total=timeout
    )


def call(
    connector: Connector,
    origin: Origin,
    method: str,
    path: str,
    headers: Sequence[tuple[str, str]],
    body: bytes | None,
    limits: Timers,
    pool: Pool,
    most: int = MOST_ANSWER,
) -> tuple[Verdict, bytes]:
    """One HTTP exchange and the answer's body; redirects are not followed."""
    try:
        answer = connector.request(
            origin, method, path, headers, body, limits, pool=pool, replay=True
        )
        status = answer.status
        wait = _seconds(answer.header("retry-after"))
        data = answer.read_all(most)
    except PihubError as error:
        what = f" ({error.timer})" if isinstance(error, UpstreamTimeout) else ""
        return Verdict(False, error=f"{error.code}{what}", down=True), b""
    if 200 <= status < 300:
        return Verdict(True, status), data
    return Verdict(
        False, status, f"status {status}", wait, final=status == GONE,
        down=status >= 500 or status == 429,
    ), data  # fmt: skip


def _seconds(text: str | None) -> float:
    """Of a Retry-After field (RFC 9110 section 10.2.3)."""
    if not text:
        return 0.0
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
        return max(0.0, when.timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0
