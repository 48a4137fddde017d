"""What the middleware hands to the HTTP layer, and the body that streams through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from pihub.errors import ClientGone, PihubError
from pihub.gateway.api.call import Call
from pihub.upstream.connector import Response

CacheState = Literal["HIT", "MISS", "BYPASS", "REVALIDATED", "STALE", "NEGATIVE"]


class ApiAnswer:
    """One answer. `body` is bytes, or a BodyStream to be iterated and closed.

    `headers` are complete but for content-length, which a `length` >= 0 gives; they
    hold `x-pihub-cache` already. `reason` says in a few words why `cache_state` is so.
    """

    __slots__ = (
        "attempts",
        "body",
        "cache_state",
        "call",
        "headers",
        "length",
        "reason",
        "status",
        "upstream_ns",
        "upstream_status",
    )

    def __init__(
        self,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes | BodyStream,
        cache_state: CacheState,
        reason: str,
        *,
        length: int = -1,
        attempts: int = 0,
        upstream_status: int = 0,
        upstream_ns: int = 0,
        call: Call | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.cache_state: CacheState = cache_state
        self.reason = reason
        self.length = length
        """Bytes of the body if known, else -1; for HEAD and 304, of the body not sent."""
        self.attempts = attempts
        """Calls made to the upstream for this answer."""
        self.upstream_status = upstream_status
        self.upstream_ns = upstream_ns
        self.call = call
        """The request; it learns what was kept when the body has passed."""
        """From the first call to the head of the answer, ns; 0 without a call."""
        headers.append(("x-pihub-cache", f"{cache_state}; {reason}" if reason else cache_state))

    @property
    def bytes_sent(self) -> int:
        """Bytes of the body so far (all of them once it was read)."""
        return len(self.body) if isinstance(self.body, bytes) else self.body.passed

    def close(self) -> None:
        """Let the upstream's connection go. Idempotent."""
        if not isinstance(self.body, bytes):
            self.body.close()


class BodyStream:
    """An upstream's body on its way through. Iterate, then (or instead) `close`.

    Ends only after the upstream's clean end; else raises the upstream's error, and
    the client's connection must then be cut, not ended. RAM: one piece, and up to
    `keep` bytes while the body may still be stored.
    """

    __slots__ = ("_done", "_keep", "_kept", "_outcome", "_response", "passed")

    def __init__(
        self,
        response: Response,
        *,
        keep: int,
        done: Callable[[bytes], None],
        outcome: Callable[[PihubError], None],
    ) -> None:
        """`done` gets the whole body if it ended cleanly and has at most `keep` bytes.

        `outcome` gets the error if it does not end cleanly (but not ClientGone).
        """
        self._response = response
        self._keep = keep
        self._kept: list[bytes] = []
        self._done: Callable[[bytes], None] | None = done if keep else None
        self._outcome = outcome
        self.passed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            data = self._response.read_some()
        except ClientGone:
            self._kept.clear()
            raise
        except PihubError as error:
            self._kept.clear()
            self._done = None
            self._outcome(error)
            raise
        if not data:
            self._end()
            raise StopIteration
        self.passed += len(data)
        if self._done is not None:
            if self.passed <= self._keep:
                self._kept.append(data)
            else:
                self._done = None
                self._kept.clear()
        if self._response.complete:
            # The last piece: a server that knows the length may not ask again.
            self._end()
        return data

    def _end(self) -> None:
        if self._done is not None:
            done, self._done = self._done, None
            done(b"".join(self._kept))
        self._kept.clear()

    def close(self) -> None:
        """Discard the rest: the upstream's connection is closed unless it was read."""
        self._kept.clear()
        self._done = None
        self._response.close()
