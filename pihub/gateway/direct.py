"""One whole call a target, along the chain: for requests that are no chats.

Chats have their own way (call.py), with streams, passing and retries; what is here is
asked and answered in one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic_ns

from pihub.domain.collect import Collector
from pihub.domain.target import Target
from pihub.errors import (
    BudgetExceeded,
    ClientGone,
    PihubError,
    Unsupported,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from pihub.gateway.exchange import Exchange, Stage
from pihub.gateway.link import Link
from pihub.gateway.outcome import Outcome
from pihub.gateway.pieces import error_text
from pihub.gateway.pipeline import Stages
from pihub.gateway.purse import Purse
from pihub.gateway.verdict import at_work, verdict
from pihub.settings.schema import Timers
from pihub.shared.metrics import Column, Series
from pihub.shared.state import SharedState
from pihub.upstream.connector.connector import Connector


class Direct:
    """One worker's whole calls. RAM: one answer, at most `limit` bytes."""

    def __init__(
        self,
        links: Mapping[str, Link],
        connector: Connector,
        state: SharedState,
        slot: int,
        *,
        limit: int,
        purse: Purse | None = None,
        reached: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`reached`: whether an upstream may be called, or is outside while the hub is offline."""
        self._reached = reached
        self.links = links
        self._connector = connector
        self._state = state
        self._slot = slot
        self._limit = limit
        self._purse = purse

    def along(self, x: Exchange, attempt: Callable[[Target, Link], bool]) -> None:
        """`attempt` the targets in turn and set `target` to the one that answered.

        `attempt` returns whether the upstream speaks the client's own protocol. Raises
        what call.py raises.
        """
        errors: list[PihubError] = []
        own = False
        for index, target in enumerate(x.targets):
            try:
                if self._purse is not None:
                    self._purse.take(x, target)
                own = attempt(target, self.links[target.upstream])
            except ClientGone:
                x.lost = (*x.lost, (target, Collector()))
                raise
            except (UpstreamError, Unsupported, BudgetExceeded) as error:
                if at_work(error):
                    x.lost = (*x.lost, (target, Collector()))
                if isinstance(error, BudgetExceeded) and not error.goes_on:
                    raise
                errors.append(error)
                x.moved_on = error
                x.failures = (*x.failures, f"{target.name}: {error.code}")
                continue
            x.target = target
            if index:
                self._state.counters.add(self._slot, Column.FALLBACKS, 1)
            return
        raise verdict(errors, x.failures, own=own)

    def send(
        self,
        x: Exchange,
        link: Link,
        method: str,
        path: str,
        headers: list[tuple[str, str]],
        body: bytes | None,
        timers: Timers | None = None,
    ) -> bytes:
        """The body of a 200. With `timers` of the caller's own that it is late says nothing
        against the upstream. Raises UpstreamError and ClientGone."""
        if not self._reached(link.name):
            raise UpstreamUnreachable(f"the hub is offline and does not reach {link.name}")
        if not link.health.allow():
            raise link.resting()
        outcome = Outcome(link.health)
        x.attempts += 1
        link.health.called()
        try:
            start = monotonic_ns()
            response = self._connector.request(
                link.origin,
                method,
                link.path(path),
                headers,
                body,
                timers or link.timers,
                client_fd=x.request.client_fd,
                pool=link.pool,
                replay=True,
            )
            self._state.latency.record(
                self._slot, Series.UPSTREAM, (monotonic_ns() - start) // 1000
            )
            try:
                if response.status != 200:
                    text = error_text(response)
                    raise link.format.error(response.status, response.headers, text)
                data = response.read_all(self._limit)
            finally:
                response.close()
        except UpstreamError as error:
            hurried = timers is not None and isinstance(error, UpstreamTimeout)
            outcome.failed(ClientGone("nobody waits any longer") if hurried else error)
            raise
        except ClientGone as error:
            outcome.failed(error)
            raise
        outcome.ok()
        return data


def nothing(x: Exchange) -> None:
    """A stage that such a request does not have; its place in the durations stays."""


@dataclass(frozen=True)
class DirectStages(Stages):
    """The chats' stages, but for the work itself."""

    inspects: Stage = nothing
    works: Stage = nothing

    def in_order(self) -> tuple[Stage, ...]:
        return (self.admit, self.inspects, nothing, self._find, self.works)

    def _find(self, x: Exchange) -> None:
        self.inspect.permit(x)
        x.targets = self.route.allowed(x)
