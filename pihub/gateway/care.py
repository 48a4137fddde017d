"""What calls get beside the plain chain: turns, contexts, checked drafts, bounded retries.

`Call` asks at its seams; a request without a plan goes through each of them for one look.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from time import monotonic

import msgspec

from pihub.domain.chat import Answer, Ask
from pihub.domain.collect import Collector, replay
from pihub.domain.drafts import agree, first_failure, sure
from pihub.domain.target import Target
from pihub.errors import BreakerOpen, ChainDeadline, DraftRejected, PihubError, UpstreamError
from pihub.gateway.context import ContextGuard
from pihub.gateway.exchange import Exchange
from pihub.gateway.turns import Turn, Turns
from pihub.shared.routing import Event
from pihub.shared.state import SharedState

log = logging.getLogger("pihub.gateway")

BURST = 10.0
"""Retries that a worker may save up while nothing fails."""
REJECTED = {
    "schema": Event.DRAFT_SCHEMA,
    "tools": Event.DRAFT_TOOLS,
    "refusal": Event.DRAFT_REFUSAL,
    "empty": Event.DRAFT_EMPTY,
    "cut": Event.DRAFT_CUT,
    "agreement": Event.DRAFT_AGREEMENT,
    "logprob": Event.DRAFT_LOGPROB,
}


class RetryBudget:
    """Retries as a share of the calls, so that a failing upstream is not called twice as much;
    hedges are counted alike.

    Each call earns `share` of a retry, up to BURST; a worker starts with BURST.
    Source of the idea: Google SRE book, chapter 21 (Handling Overload), retry budgets.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._saved = BURST if share else 0.0

    def called(self) -> None:
        self._saved = min(BURST, self._saved + self._share)

    def take(self) -> bool:
        if self._saved < 1:
            return False
        self._saved -= 1
        return True

    def give_back(self) -> None:
        """What was taken was not used."""
        self._saved = min(BURST, self._saved + 1)


class Care:
    """One worker's; `local` names the upstreams whose answers are drafts."""

    def __init__(
        self,
        turns: Turns,
        guard: ContextGuard,
        retries: RetryBudget,
        local: frozenset[str],
        rows: Mapping[str, int],
        state: SharedState,
        slot: int,
    ) -> None:
        self._turns = turns
        self._guard = guard
        self._retries = retries
        self._local = local
        self._rows = rows
        self._state = state
        self._slot = slot

    def before(self, x: Exchange) -> None:
        """Raises ChainDeadline when the time for the whole chain is over."""
        if x.plan is not None and monotonic() > x.plan.until:
            raise ChainDeadline("the time for all targets of the chain is used up")

    def turn(self, x: Exchange, target: Target) -> Turn | None:
        """See Turns.take. Raises BreakerOpen while the upstream wants to be left alone."""
        self._retries.called()
        left = self._cooling(target.upstream)
        if left > 0:
            raise BreakerOpen(f"{target.upstream} asked for a pause", retry_after=left)
        return self._turns.take(x, target)

    def ready(self, x: Exchange, target: Target) -> None:
        """See Turns.ready."""
        self._turns.ready(x, target)

    def ask(self, x: Exchange, target: Target) -> Ask | None:
        """The request with what the target's context and a draft's checks need; None: as it
        is."""
        fitted = self._guard.fit(x, target)
        if x.drafts and x.plan is not None and "logprob" in x.plan.rules.verify:
            return msgspec.structs.replace(fitted or x.parsed(), logprobs=True)
        return fitted

    def may_retry(self) -> bool:
        if self._retries.take():
            self.count(Event.RETRIED)
            return True
        self.count(Event.RETRY_DENIED)
        return False

    def failed(self, target: Target, error: PihubError) -> None:
        """An upstream that names a time to come back is left alone until then, by all workers.

        Each worker writes its own cell and all look for the latest, so the time never
        becomes shorter.
        """
        if isinstance(error, UpstreamError) and error.upstream_status in (429, 503, 529):
            until = int((monotonic() + min(error.retry_after or 0.0, 3600.0)) * 1000)
            row = self._rows[target.upstream]
            if error.retry_after and until > self._state.cooldowns.get(self._slot, row):
                self._state.cooldowns.set(self._slot, row, until)

    def drafts(self, x: Exchange, target: Target, index: int) -> bool:
        """Whether this answer is to be checked before anyone sees it."""
        return (
            x.plan is not None
            and bool(x.plan.rules.verify)
            and target.upstream in self._local
            and index + 1 < len(x.targets)
        )

    def judge(self, x: Exchange, target: Target, again: Callable[[int], None]) -> None:
        """Raises DraftRejected. `again(seed)` fetches a second answer into `x.answer`."""
        assert x.plan is not None
        assert x.answer is not None
        answer, ask = x.answer, x.parsed()
        checks = x.plan.rules.verify
        failed = first_failure(checks, answer, ask)
        if not failed and "logprob" in checks and not sure(answer, x.plan.rules.floor):
            failed = "logprob"
        if not failed and "agreement" in checks:
            failed = self._disagrees(x, target, answer, again)
        if not failed:
            self.count(Event.DRAFT_KEPT)
            x.plan.note = "draft verified"
            if not ask.logprobs:  # they were asked for the check's sake
                x.answer = msgspec.structs.replace(answer, logprobs=())
            return
        self.count(REJECTED[failed])
        self._lose(x, target, answer)
        error = DraftRejected(f"the draft of {target.name} failed its check")
        error.check = failed
        raise error

    def count(self, event: Event) -> None:
        self._state.routing.add(self._slot, event, 1)

    def _disagrees(
        self, x: Exchange, target: Target, answer: Answer, again: Callable[[int], None]
    ) -> str:
        try:
            again(1 + (answer.created & 0xFFFF))
        except UpstreamError as error:
            log.info("request %s: no second sample: %s", x.request.rid_hex, error.code)
            x.answer = answer
            return ""
        second, x.answer = x.answer, answer
        assert second is not None
        self._lose(x, target, second)
        return "" if agree(answer, second) else "agreement"

    def _lose(self, x: Exchange, target: Target, answer: Answer) -> None:
        """It was made, and cost, though nobody gets to see it."""
        collector = Collector()
        for event in replay(answer):
            collector.feed(event)
        x.lost = (*x.lost, (target, collector))
        if x.answer is answer:
            x.answer = None

    def _cooling(self, upstream: str) -> float:
        """Seconds."""
        row, get = self._rows[upstream], self._state.cooldowns.get
        latest = max([get(slot, row) for slot in range(self._state.slots)])
        return max(0.0, latest / 1000 - monotonic())


def resampled(ask: Ask, seed: int) -> Ask:
    """The same request for another sample."""
    return msgspec.structs.replace(ask, seed=seed, temperature=max(ask.temperature or 0.0, 0.7))
