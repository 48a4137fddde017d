"""Verified requests of senders to committed events: the sender is answered afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping

from pihub.errors import BadRequest, ControlUnavailable, NotFound
from pihub.settings.webhooks import Webhook
from pihub.store.group import Closed, Full, GroupCommit
from pihub.store.hooks import DAY_MS, HookDatabase, NewEvent, Taken
from pihub.store.sqlite import Connection, StoreFault
from pihub.webhooks.parse import PARSERS, PRIVACY, HookEvent
from pihub.webhooks.routing import Routes

PATIENCE = 0.7
"""Seconds until the commit; a sender has its answer within one, also on a busy machine."""

Count = Callable[[str, int], None]
"""(what, how many): `events`, `duplicates`, `ignored`."""


class Inbox:
    """Takes in what workers have verified; thread-safe."""

    def __init__(
        self,
        webhooks: Mapping[str, Webhook],
        store: HookDatabase,
        group: GroupCommit,
        routes: Routes,
        wake: Callable[[Iterable[str]], None],
        count: Count,
        forget: Callable[[], None],
        clock: Callable[[], float] = time.time,
        patience: float = PATIENCE,
    ) -> None:
        """`wake` gets the targets for whom something new is committed. `forget`: some object
        is to be forgotten, so what is kept of APIs must not be answered with any more."""
        self._webhooks = webhooks
        self._store = store
        self._group = group
        self._routes = routes
        self._wake = wake
        self._count = count
        self._forget = forget
        self._patience = patience
        self._clock = clock

    def take(self, name: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """The answer's body, once everything in `body` is on the disk.

        Raises NotFound, BadRequest, TooLarge, and ControlUnavailable when nothing may be
        promised: the sender must try again.
        """
        webhook = self._webhooks.get(name)
        if webhook is None:
            raise NotFound("no such webhook")
        now = int(self._clock() * 1000)
        batch = PARSERS[webhook.kind](name, headers, body, now)
        if batch.answer:
            return batch.answer
        # What is older than the memory for duplicates cannot be told from a replay.
        oldest = now - webhook.keep_days * DAY_MS
        fresh = [event for event in batch.events if event.at_ms >= oldest]
        ignored = len(batch.events) - len(fresh)
        taken = self._commit(name, webhook, fresh, now) if fresh else None
        if any(_forgets(webhook, event) for event in fresh):
            # Before the answer: a sender that gets none sends it again, and it is done then.
            self._forget()
        answer = {"accepted": 0, "duplicates": 0, "ignored": ignored}
        if taken is not None:
            answer["accepted"] = taken.accepted
            answer["duplicates"] = taken.duplicates
            answer["ignored"] += taken.erased
            self._wake(taken.targets)
        for what, number in answer.items():
            if number:
                self._count(what, number)
        return json.dumps(answer, separators=(",", ":")).encode()

    def _commit(self, name: str, webhook: Webhook, events: list[HookEvent], now: int) -> Taken:
        rows = [
            NewEvent(
                event.key, event.object, event.kind, event.at_ms, event.body,
                self._routes.of(name, event.kind),
                _forgets(webhook, event),
            )
            for event in events
        ]  # fmt: skip
        due = now + int(webhook.settle * 1000)

        def work(connection: Connection) -> Taken:
            return self._store.add(connection, name, rows, now, due)

        try:
            return self._group.call(work, self._patience)
        except (StoreFault, TimeoutError, Closed, Full) as error:
            raise ControlUnavailable(
                "the events could not be stored; send them again", detail=str(error), retry_after=2
            ) from error
        except UnicodeError:
            raise BadRequest("the events hold text that is not Unicode") from None


def _forgets(webhook: Webhook, event: HookEvent) -> bool:
    return webhook.kind == "hubspot" and event.kind == PRIVACY
