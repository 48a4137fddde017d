"""Idempotency-Key: a POST that is sent again gets the answer of the first time.

Source: IETF draft-ietf-httpapi-idempotency-key-header. Answers are kept in memory, for
they may hold a new key's token, which must not lie on the disk: a restart of the control
process forgets them. RAM: at most 1000 answers of at most 16 KiB, usually 0.5 KiB.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from pihub.errors import BadRequest, Conflict

MOST = 1000
LARGEST = 16 * 1024
KEPT_SECONDS = 86400.0


class Kept(NamedTuple):
    """An answer, or the mark that one is being made (`body` None)."""

    fingerprint: bytes
    at: float
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


class Replays:
    """Kept answers by (kind and number of the actor, path, key)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[tuple[str, ...], Kept] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, scope: tuple[str, ...], body: bytes) -> Kept | None:
        """The kept answer; None if the caller must do the work and then `finish` or
        `forget`. Raises BadRequest, Conflict."""
        key = scope[-1]
        if not 0 < len(key) <= 128 or not key.isprintable():
            raise BadRequest("Idempotency-Key is 1 to 128 printable characters")
        fingerprint = hashlib.sha256(body).digest()
        now = self._clock()
        with self._lock:
            while self._kept:
                oldest = next(iter(self._kept))
                if len(self._kept) < MOST and now - self._kept[oldest].at < KEPT_SECONDS:
                    break
                del self._kept[oldest]
            found = self._kept.get(scope)
            if found is None:
                self._kept[scope] = Kept(fingerprint, now)
                return None
        if found.fingerprint != fingerprint:
            raise Conflict("this Idempotency-Key was used with another body")
        if found.body is None:
            raise Conflict("the first request with this Idempotency-Key is still at work")
        return found

    def finish(
        self,
        scope: tuple[str, ...],
        status: int,
        headers: tuple[tuple[str, str], ...],
        body: bytes,
    ) -> None:
        with self._lock:
            begun = self._kept.get(scope)
            if begun is None or len(body) > LARGEST:
                self._kept.pop(scope, None)
                return
            self._kept[scope] = begun._replace(status=status, headers=headers, body=body)

    def forget(self, scope: tuple[str, ...]) -> None:
        """The work failed: the next try is a first one."""
        with self._lock:
            self._kept.pop(scope, None)
