"""What one call says about its upstream's health, said once."""

from __future__ import annotations

from pihub.errors import ClientGone, UpstreamRejected, UpstreamTimeout
from pihub.shared.health import UpstreamHealth


class Outcome:
    """Of a call that the breaker let pass. Whoever knows first tells; the rest is ignored.

    A stream's end is known to its pieces, everything before to the call: both report
    here, and one failure must not count as two.
    """

    __slots__ = ("_health", "_probe", "_told")

    def __init__(self, health: UpstreamHealth, *, closed: bool = False) -> None:
        """Made right after the breaker allowed the call; `closed`: it was closed then, so
        this call is no probe, whatever the breaker has become since."""
        self._health = health
        self._probe = 0 if closed else health.probe()
        self._told = False

    def ok(self) -> None:
        self._tell(True)

    def failed(self, error: Exception) -> None:
        """A client that left says nothing; if this was the half-open probe, its lease is
        given back, so that the next caller probes."""
        if not isinstance(error, ClientGone):
            self._tell(_healthy(error), error)
        elif not self._told:
            self._told = True
            self._health.release(self._probe)

    def _tell(self, ok: bool, error: Exception | None = None) -> None:
        if not self._told:
            self._told = True
            self._health.record(
                ok,
                timeout=isinstance(error, UpstreamTimeout),
                error=getattr(error, "code", ""),
                status=getattr(error, "upstream_status", 0) or 0,
            )


def _healthy(error: Exception) -> bool:
    """A refusal of this very request says nothing against the upstream."""
    return isinstance(error, UpstreamRejected) and error.upstream_status not in (401, 403)
