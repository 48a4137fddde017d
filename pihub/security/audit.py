"""The audit log: who did what to which object, from where, and what changed.

Each row holds an HMAC-SHA-256 over itself and the row before it, under a secret of the
installation: a row that was changed, left out or put in between breaks the chain. The end
can be cut off without a trace in the file, so `verify` tells the last number and hash, to
be kept elsewhere and given back to it the next time.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from pihub.security.actor import Actor
from pihub.store.audit import AuditRow, AuditStore

SECRET_WORDS = ("token", "password", "secret", "code", "cookie", "authorization", "totp")
HIDDEN = "…"
LARGEST = 16 * 1024
"""Bytes kept of each side of a change."""


class Verdict(NamedTuple):
    """Of the whole log. `broken` is the first row that does not fit, 0: none."""

    rows: int
    broken: int
    head: str


class AuditLog:
    def __init__(
        self, store: AuditStore, secret: bytes, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._store = store
        self._secret = secret
        self._clock = clock
        self.last_object = store.last_object

    def write(
        self,
        actor: Actor,
        action: str,
        object_: str,
        result: str,
        before: Any = None,
        after: Any = None,
    ) -> AuditRow:
        """On the disk when this returns."""
        earlier, later = _text(before), _text(after)

        def make(seq: int, last: bytes) -> AuditRow:
            row = AuditRow(
                seq,
                self._clock(),
                f"{actor.kind}:{actor.name}",
                actor.source,
                actor.tenant,
                action,
                object_[:500],
                result,
                earlier,
                later,
                b"",
            )
            return row._replace(hash=self._digest(row, last))

        return self._store.append(make)

    def page(
        self, tenant: int | None, edge: int | None, backward: bool, count: int
    ) -> list[AuditRow]:
        """Newest first; see AuditStore.page."""
        return self._store.page(tenant, edge, backward, count)

    def verify(self) -> Verdict:
        """Walks the whole log."""
        last, count = b"", 0
        for row in self._store.all():
            count += 1
            if row.seq != count or not hmac.compare_digest(row.hash, self._digest(row, last)):
                return Verdict(count, row.seq, f"{count}:{last.hex()}")
            last = row.hash
        return Verdict(count, 0, f"{count}:{last.hex()}")

    def holds(self, head: str) -> bool:
        """Whether an earlier `head` is still in the log."""
        number, _, digest = head.partition(":")
        if not number.isdigit():
            return False
        if int(number) == 0:
            return digest == ""
        rows = self._store.page(None, int(number) - 1, True, 1)
        return bool(rows) and rows[0].seq == int(number) and rows[0].hash.hex() == digest

    def _digest(self, row: AuditRow, last: bytes) -> bytes:
        data = json.dumps(row[:-1], separators=(",", ":"), ensure_ascii=True).encode()
        return hmac.digest(self._secret, last + data, "sha256")


def hidden(value: Any) -> Any:
    """A copy without secrets, by the names of their fields."""
    if isinstance(value, dict):
        return {
            name: HIDDEN
            if any(word in str(name).lower() for word in SECRET_WORDS) and one not in (None, "")
            else hidden(one)
            for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [hidden(one) for one in value]
    return value


def _text(value: Any) -> str:
    text = "" if value is None else json.dumps(hidden(value), separators=(",", ":"), default=str)
    return text if len(text) <= LARGEST else text[:LARGEST] + HIDDEN
