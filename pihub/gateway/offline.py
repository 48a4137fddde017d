"""While nothing outside is reached: a kept answer, a local model, later, or an error at once.

Nobody waits for a connection that cannot be made. What a local model answers in place of
another is not kept under the name that was asked for: it would be served after the line is
back.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

from pihub.domain.routing import ONLY, permitted
from pihub.domain.target import Target
from pihub.errors import (
    BadRequest,
    BreakerOpen,
    HubOffline,
    OfflineQueued,
    PihubError,
    UpstreamUnreachable,
)
from pihub.gateway.exchange import Exchange, Incoming, Reply
from pihub.shared.routing import Event
from pihub.shared.state import SharedState
from pihub.shared.wan import Wan

log = logging.getLogger("pihub.gateway")

UNREACHED = (UpstreamUnreachable.code, BreakerOpen.code, HubOffline.code)
WORDS = ("queue", "refuse")


@dataclass(frozen=True, slots=True)
class OfflineRules:
    """What a model's section says. `instead`: targets of another model, if no own is local."""

    queue: bool = False
    instead: tuple[Target, ...] = ()


PLAIN = OfflineRules()


class Offline:
    """Sets `stored` or `targets`. Raises HubOffline."""

    def __init__(
        self,
        wan: Wan,
        local: frozenset[str],
        rules: Mapping[str, OfflineRules],
        restriction: Callable[[Exchange], str],
        stale: Callable[[Exchange], bool],
        state: SharedState,
        slot: int,
        *,
        retry_after: int,
    ) -> None:
        """`local`: upstreams that need no line. `restriction`: what the request's key, model
        and header leave out, one of ONLY or ""."""
        self.wan = wan
        self._local = local
        self._rules = rules
        self._restriction = restriction
        self._stale = stale
        self._count = state.routing.add
        self._slot = slot
        self._retry_after = retry_after

    def __call__(self, x: Exchange) -> None:
        """After the plan."""
        if not self.wan.offline() or not x.targets:
            return
        if x.targets[0].upstream in self._local:
            x.targets = permitted("local-only", x.targets, self._local)
            return
        if x.refreshes:
            # What a local model says instead would not be kept: nobody would get it.
            raise self._refused(x)
        if self._stale(x):
            self._count(self._slot, Event.OFFLINE_STALE, 1)
            return
        here = permitted("local-only", x.targets, self._local)
        event = Event.OFFLINE_LOCAL
        if not here and self._restriction(x) not in ONLY:
            here = self._rules.get(x.alias, PLAIN).instead
            event = Event.OFFLINE_INSTEAD
        if not here:
            raise self._refused(x)
        self._count(self._slot, event, 1)
        x.failures = (*x.failures, f"{x.targets[0].name}: {HubOffline.code}")
        x.moved_on = UpstreamUnreachable("the hub is offline")
        x.targets, x.key = here, None
        x.cache_reason = HubOffline.code

    def _refused(self, x: Exchange) -> HubOffline:
        return HubOffline(
            f"the hub is offline, and no local model may answer for {x.alias[:100]!r}: "
            "send x-pihub-offline: queue to have it answered later",
            retry_after=self._retry_after,
        )

    def wants_queue(self, x: Exchange) -> bool:
        """By the request, else by its model. Raises BadRequest for another word."""
        said = x.request.offline
        if said is None:
            return self._rules.get(x.alias, PLAIN).queue
        word = said.strip().lower()
        if word not in WORDS:
            raise BadRequest("x-pihub-offline is queue or refuse", param="x-pihub-offline")
        return word == "queue"

    def counted(self, event: Event) -> None:
        self._count(self._slot, event, 1)


Take = Callable[[Incoming], tuple[int, bytes]]
"""Commit a request as a job: (202, the job as JSON). Raises PihubError."""


class Later:
    """Makes a job of what could not be sent, where that is wished for."""

    def __init__(self, offline: Offline, take: Take | None) -> None:
        """`take`: None where requests are not deferred ([jobs])."""
        self._offline = offline
        self._take = take

    def __call__(self, x: Exchange, error: PihubError) -> Reply | None:
        """202 with the job's address if the request has asked for that; None if the error stands.

        Raises PihubError: OfflineQueued where only the model's section wishes it. The vendors'
        clients know errors, and would take 202 for an answer that says nothing.
        """
        if x.refreshes or not unreached(x, error):
            return None
        queues = x.request.client.name != "responses" and self._offline.wants_queue(x)
        if self._take is None or not queues:
            if isinstance(error, HubOffline):
                self._offline.counted(Event.OFFLINE_REFUSED)
            return None
        request, asked = x.request, x.request.offline is not None or bool(x.request.webhook)
        once = request.once
        if once is None and not asked:
            once = self._same(request)
        # A request's own record is written, too, so the job's is another's.
        status, body = self._take(replace(request, begun=None, once=once))
        self._offline.counted(Event.OFFLINE_QUEUED)
        job = json.loads(body)["id"]
        if not asked:
            queued = OfflineQueued(
                f"the hub is offline: the request is queued as {job}, and answered when the line "
                f"is back; GET /v1/jobs/{job} has the answer then"
            )
            queued.job = job
            raise queued
        x.reply = Reply(
            status,
            [
                ("content-type", "application/json"),
                ("location", f"/v1/jobs/{job}"),
                ("x-pihub-request-id", x.request.rid_hex),
                ("x-pihub-reason", "offline: queued"),
            ],
            body,
        )
        return x.reply

    def _same(self, request: Incoming) -> str:
        """The same for the same bytes within one outage: whoever asks again, as many clients do
        after a 503, has the job that there is. It is not paid for twice."""
        since = self._offline.wan.state().since
        named = blake2b(f"{since}\0{request.route}\0".encode() + request.body, digest_size=16)
        return "offline-" + named.hexdigest()


def unreached(x: Exchange, error: PihubError) -> bool:
    """Nothing was reached and nothing has begun, so that a later answer is the only one."""
    if isinstance(error, HubOffline):
        return True
    if x.lost or x.pieces is not None or x.answer is not None or not x.failures:
        return False
    return all(one.endswith(UNREACHED) for one in x.failures)
