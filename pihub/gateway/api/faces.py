"""What the middleware asks of the shared state, as protocols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class CacheFace(Protocol):
    """Opaque values by key and owner, shared by all workers."""

    def get(self, key: bytes, tenant: int) -> tuple[bytes, float] | None:
        """(value, seconds past its time to live; <= 0 before that)."""

    def put(
        self,
        key: bytes,
        tenant: int,
        value: bytes,
        ttl: float,
        stale: float,
        saves: float = 1.0,
        look: int = 0,
    ) -> int:
        """Keep for `ttl` then `stale` seconds: the bytes that it takes, 0 if it was refused.
        `saves`: nano-USD that a hit is worth (shared.answers.worth); the least worth goes
        first. `look`: names the URI; all entries of one can be purged together."""

    def delete(self, key: bytes, tenant: int) -> bool: ...


class BreakerFace(Protocol):
    """One upstream's circuit breaker."""

    def allow(self) -> bool:
        """Whether the upstream may be called now."""

    def called(self) -> None:
        """An attempt begins."""

    def record(self, ok: bool, *, error: str = "", status: int = 0) -> None:
        """The outcome of a call that `allow` let pass; of a failure what it was."""

    def held(self) -> bool:
        """Whether an admin has taken it out for a while."""

    def retry_in(self) -> float:
        """Seconds until a probe may pass; 0 if it is not open."""


class LimiterFace(Protocol):
    """One API's rate."""

    def hit(self) -> float:
        """0 if admitted, else seconds until it would be."""


class BackgroundFace(Protocol):
    """What goes on beside the requests (gateway.background)."""

    def begin(self, flight: int, work: Callable[[int], bool]) -> bool:
        """Run `work`, which gets a client's descriptor and says whether it succeeded, unless
        one of the same `flight` runs in any worker."""
