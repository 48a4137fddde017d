"""Stage 5: the targets of the chain in turn, until one gives its first content byte.

Before that byte any failure moves on along the chain; after it the client is told by
an error in its own protocol (see render.py). A target gets the same request again only
if its upstream's `retries` say so, and only before it has answered anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic_ns

from pihub.domain.collect import Collector
from pihub.domain.ports import Waiter
from pihub.domain.target import Target
from pihub.errors import (
    BreakerOpen,
    BudgetExceeded,
    ChainDeadline,
    ClientGone,
    ContextExceeded,
    DraftRejected,
    PihubError,
    Unsupported,
    UpstreamError,
)
from pihub.gateway.care import Care, resampled
from pihub.gateway.exchange import Exchange
from pihub.gateway.hedge import Hedge
from pihub.gateway.linger import Linger
from pihub.gateway.link import Link
from pihub.gateway.negatives import final
from pihub.gateway.outcome import Outcome
from pihub.gateway.outgoing import Outgoing
from pihub.gateway.pace import Pace
from pihub.gateway.promptcache import PromptCache
from pihub.gateway.purse import Purse
from pihub.gateway.receive import Receive
from pihub.gateway.thoughts import Thoughts
from pihub.gateway.track import Tracking
from pihub.gateway.verdict import at_work, pause_before_retry, verdict
from pihub.shared.metrics import Column, Series
from pihub.shared.state import SharedState
from pihub.upstream.connector.connector import Connector


class Call:
    """Sets `target`, `attempts`, `lost` and either `answer` (with `raw`) or `pieces`.

    Raises the last target's error, or ChainExhausted if several failed; BadRequest and
    Unsupported before any call.
    """

    def __init__(
        self,
        links: Mapping[str, Link],
        connector: Connector,
        waiter: Waiter,
        state: SharedState,
        slot: int,
        *,
        answer_limit: int,
        purse: Purse | None = None,
        pace: Pace | None = None,
        care: Care | None = None,
        hedge: Hedge | None = None,
        linger: Linger | None = None,
        stale: Callable[[Exchange], bool] | None = None,
        thoughts: Thoughts | None = None,
        tracking: Tracking | None = None,
        prompt_cache: PromptCache | None = None,
    ) -> None:
        self._request = Outgoing(care, prompt_cache, thoughts).__call__
        self._tracking = tracking
        self._linger = linger
        self._stale = stale
        self._purse = purse
        self._care = care
        self._hedge = hedge
        self._links = links
        self._connector = connector
        self._waiter = waiter
        self._state = state
        self._slot = slot
        self._time = state.latency.record
        self._receive = Receive(
            state, slot, answer_limit, pace, None if tracking is None else tracking.paid
        )

    def __call__(self, x: Exchange) -> None:
        if x.stored is not None or x.follows is not None:
            return
        if x.streams:
            # The renderer needs it: what cannot be read must not have been paid for.
            x.parsed()
        try:
            self.chain(x)
        except UpstreamError:  # an old answer is better than none, but never hides a cost
            if x.lost or self._stale is None or not self._stale(x):
                raise

    def chain(self, x: Exchange) -> None:
        """The targets in turn; see the class."""
        errors: list[PihubError] = []
        rest = list(x.targets)
        while rest:
            target = rest.pop(0)
            link = self._links[target.upstream].facing(x.request.client.name)
            try:
                if x.plan is not None and self._care is not None:
                    self._care.before(x)
                    x.drafts = self._care.drafts(x, target, len(x.targets) - len(rest) - 1)
                if self._purse is not None:
                    self._purse.take(x, target)
                if self._hedge is not None and self._hedge.wanted(x, target, rest):
                    found = self._race(x, self._hedge, target, rest, errors)
                    if found is None:
                        continue
                    target = found
                else:
                    self._try(x, target, link)
                if x.drafts and self._care is not None:
                    self._care.judge(x, target, lambda seed: self._again(x, target, link, seed))  # noqa: B023
            except (UpstreamError, Unsupported, ContextExceeded, BudgetExceeded) as error:
                self._failed(x, target, error, errors)
                if isinstance(error, ChainDeadline):
                    break
                continue
            x.target = target
            if errors:
                self._state.counters.add(self._slot, Column.FALLBACKS, 1)
            return
        x.refused = final(errors)
        own = bool(x.targets) and self._is_own(
            x, self._links[x.targets[-1].upstream].facing(x.request.client.name)
        )
        raise verdict(errors, x.failures, own=own)

    def _failed(
        self, x: Exchange, target: Target, error: PihubError, errors: list[PihubError]
    ) -> None:
        if isinstance(error, BudgetExceeded) and not error.goes_on:
            raise error
        x.drop_begun()
        errors.append(error)
        x.moved_on = error
        check = f" ({error.check})" if isinstance(error, DraftRejected) else ""
        x.failures = (*x.failures, f"{target.name}: {error.code}{check}")

    def _race(
        self,
        x: Exchange,
        hedge: Hedge,
        target: Target,
        rest: list[Target],
        errors: list[PihubError],
    ) -> Target | None:
        """Which of two answered; None: neither. `rest` are those to try then."""

        def call(own: Exchange, one: Target) -> None:
            self._try(own, one, self._links[one.upstream].facing(x.request.client.name))

        def take(own: Exchange, one: Target) -> None:
            if self._purse is not None:
                self._purse.take(own, one)

        raced = hedge(x, target, rest, call, take)
        for one, error in raced.failed:
            self._failed(x, one, error, errors)
        if raced.target is not None:
            return raced.target
        if self._purse is not None:
            self._purse.leave(x)
        out = [one for one, _ in raced.failed]
        rest[:] = [one for one in (target, *rest) if one not in out]
        if any(isinstance(error, ChainDeadline) for _, error in raced.failed):
            rest.clear()
        return None

    def _try(self, x: Exchange, target: Target, link: Link) -> None:
        """One target, as often as its upstream's `retries` allow."""
        if not link.retries:
            self._attempt(x, target, link)
            return
        failed: UpstreamError | None = None
        for number in range(link.retries + 1):
            lost = len(x.lost)
            try:
                self._attempt(x, target, link)
                return
            except UpstreamError as error:
                if failed is not None and isinstance(error, BreakerOpen):
                    raise failed from None
                failed = error
                pause = pause_before_retry(error, number)
                if number == link.retries or pause is None or len(x.lost) > lost:
                    raise
                if self._care is not None and not self._care.may_retry():
                    raise
            self._waiter.sleep(pause, client_fd=x.request.client_fd)

    def _again(self, x: Exchange, target: Target, link: Link, seed: int) -> None:
        """A second sample of the same answer."""
        first = x.parsed()
        x.ask = resampled(first, seed)
        try:
            self._attempt(x, target, link)
        finally:
            x.ask = first

    def _attempt(self, x: Exchange, target: Target, link: Link) -> None:
        if self._care is None:
            self._once(x, target, link, None)
            return
        turn = None
        if x.plan is not None or target.kind == "ollama":
            start = monotonic_ns()
            try:
                if x.plan is not None:
                    turn = self._care.turn(x, target)
                else:
                    self._care.ready(x, target)
            finally:
                x.queued_ns += monotonic_ns() - start
        try:
            self._once(x, target, link, None if turn is None else turn.end)
        except PihubError as error:
            self._care.failed(target, error)
            raise
        finally:
            if turn is not None and x.pieces is None:
                turn.end()

    def _once(
        self, x: Exchange, target: Target, link: Link, ended: Callable[[], None] | None
    ) -> None:
        x.notes, x.raw, x.ttft_us, x.stops = (), b"", 0, ()
        # Ollama sends no header before a non-streamed answer is whole; streamed, the
        # timers see it live or dead.
        streams = x.streams or link.kind == "ollama"
        x.passes = streams == x.streams and self._is_own(x, link) and not x.drafts
        x.goes_on = (
            self._linger is not None and not x.refreshes and self._linger.may(x, target)
        )
        fd = x.request.client_fd
        if x.goes_on and (x.once is not None or (x.leads and not streams)):
            if x.race is None:
                fd = -1
            else:
                x.race.stays = True
        # Before the breaker: what cannot be sent must not use up a half-open probe.
        path, headers, body = self._request(x, target, link, streams)
        begun, x.request.begun = x.request.begun, None
        if begun is None:
            self._allow(link)
        outcome = Outcome(link.health, closed=begun is not None)
        x.attempts += 1
        if self._tracking is not None:
            self._tracking.call(x, target)
        if x.race is not None:
            x.race.calling = True
        try:
            start = monotonic_ns() if begun is None else begun.start_ns
            if begun is None:
                response = self._connector.request(
                    link.origin,
                    "POST",
                    path,
                    headers,
                    body,
                    link.timers,
                    client_fd=fd,
                    pool=link.pool,
                    replay=True,
                    spent=x,
                )
            else:
                # The lane's: its time until now belongs to this stage.
                x.marks[:] = [begun.start_ns] * len(x.marks)
                response = self._connector.resume(
                    link.origin, begun, link.timers, client_fd=fd, spent=x
                )
            self._time(self._slot, Series.UPSTREAM, (monotonic_ns() - start) // 1000)
            self._receive(x, target, link, response, outcome, streams, ended)
        except UpstreamError as error:
            outcome.failed(error)
            self._lose(x, target, error)
            raise
        except ClientGone as error:
            outcome.failed(error)
            self._lose(x, target, error)
            raise
        finally:
            if x.race is not None:
                x.race.calling = False

    def _lose(self, x: Exchange, target: Target, error: PihubError) -> None:
        """A paid call that was given up while the upstream was at work: its prompt costs."""
        if self._tracking is None or not self._tracking.paid(target):
            return
        if at_work(error) and not any(one is target for one, _ in x.lost):
            x.lost = (*x.lost, (target, Collector()))

    def _allow(self, link: Link) -> None:
        """Ask the breaker; count the call."""
        if not link.health.allow():
            raise link.resting()
        link.health.called()

    def _is_own(self, x: Exchange, link: Link) -> bool:
        """Client and upstream speak one protocol."""
        return x.request.client.name == link.format.name
