"""Delivers one target's events: lane by lane, each lane in order, many lanes at once.

A lane is busy from the moment its head is read until what became of it is committed, so
no event overtakes another of its object. What was sent and could not be written down
(full disk) is kept here and not sent again; only the death of the process repeats it,
under the same key.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pihub.settings.webhooks import Delivery
from pihub.store.group import Closed, Full, GroupCommit
from pihub.store.hooks import Due, HookDatabase, Outcome, State, postpone, settle
from pihub.store.sqlite import Connection, StoreFault
from pihub.webhooks.again import again
from pihub.webhooks.attempt import Target, Verdict
from pihub.webhooks.pause import Pause

log = logging.getLogger("pihub.webhooks")

CHUNK = 16
"""Deliveries of a lane that are read at once. RAM: their bodies."""
AHEAD = 64
"""Lanes that are looked up at once."""
UNSETTLED = 256
"""Lanes whose outcome waits for the disk; no more is sent beyond that."""
LOOK = 30.0
"""Seconds between looks without a reason (a clock that was set back)."""
RETRY = 1.0
"""Seconds until outcomes that the disk did not take are handed in again."""

Count = Callable[[str, int], None]
"""(what, how many): `delivered`, `failed`, `dead`."""


class CourierState(NamedTuple):
    """For the page and the API."""

    target: str
    breaker: str
    busy: int
    delivered: int
    failed: int
    dead: int
    last_error: str


class Courier:
    """`threads()` are its bodies; `wake` and `stop` from anywhere."""

    def __init__(
        self,
        name: str,
        target: Target,
        concurrency: int,
        settings: Delivery,
        store: HookDatabase,
        group: GroupCommit,
        count: Count,
        waits: Mapping[str, int],
    ) -> None:
        """`waits`: ms for which an event of a source waits for older ones."""
        self._waits = waits
        self.name = name
        self._target = target
        self._concurrency = concurrency
        self._settings = settings
        self._store = store
        self._group = group
        self._count = count
        self._pause = Pause(settings.failures, settings.pause)
        self._changed = threading.Condition()
        self._ready: deque[str] = deque()
        self._busy: set[str] = set()
        self._late: list[tuple[str, list[Outcome]]] = []
        self._late_at = 0.0
        self._look_at = 0.0
        self._stopped = False
        self._sums = {"delivered": 0, "failed": 0, "dead": 0}
        self._last_error = ""

    def threads(self) -> list[threading.Thread]:
        """Not yet started."""
        return [
            threading.Thread(target=self._run, name=f"to-{self.name}-{i}", daemon=True)
            for i in range(self._concurrency)
        ]

    def wake(self) -> None:
        """Something new is committed for this target."""
        with self._changed:
            self._look_at = 0.0
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def state(self) -> CourierState:
        with self._changed:
            return CourierState(
                self.name, self._pause.state(time.monotonic()), len(self._busy),
                **self._sums, last_error=self._last_error,
            )  # fmt: skip

    # ---- which lane -----------------------------------------------------------------------

    def _run(self) -> None:
        while (lane := self._next()) is not None:
            try:
                self._serve(lane)
            except StoreFault as error:
                self._trouble(lane, f"the store: {error}")
            except Exception:
                log.exception("delivery to %s failed", self.name)
                self._trouble(lane, "a defect; the log has it")

    def _next(self) -> str | None:
        """The next lane, marked busy; None at the end."""
        with self._changed:
            while not self._stopped:
                now = time.monotonic()
                if self._late and now >= self._late_at:
                    self._hand_in()
                wait = self._pause.wait(now)
                if wait <= 0 and len(self._busy) < UNSETTLED:
                    if not self._ready and now >= self._look_at:
                        self._look(now)
                    while self._ready:
                        lane = self._ready.popleft()
                        if lane not in self._busy:
                            self._busy.add(lane)
                            self._pause.began()
                            return lane
                    wait = self._look_at - now
                if self._late:
                    wait = min(wait if wait > 0 else RETRY, self._late_at - now)
                self._changed.wait(min(max(wait, 0.005), LOOK))
            return None

    def _look(self, now: float) -> None:
        """Fill `_ready`; when to look again if nothing wakes us before."""
        wall = int(time.time() * 1000)
        try:
            found = self._store.due(self.name, wall, AHEAD + len(self._busy))
            self._ready.extend(lane for lane in found if lane not in self._busy)
            if self._ready:
                return
            later = self._store.next_due(self.name, wall)
        except StoreFault as error:
            self._last_error = f"the store: {error}"
            self._look_at = now + RETRY
            return
        self._look_at = now + min(LOOK, LOOK if later is None else (later - wall) / 1000 + 0.001)

    # ---- what becomes of it ---------------------------------------------------------------

    def _serve(self, lane: str) -> None:
        outcomes: list[Outcome] = []
        later = 0
        for due in self._store.head(self.name, lane, CHUNK):
            later = due.received + self._waits.get(due.source, 0)
            if later > time.time() * 1000:
                break
            verdict = self._target.attempt(due) if due.body else Verdict(True)
            outcomes.append(self._judge(lane, due, verdict))
            if outcomes[-1].state is State.PENDING or self._stopped:
                break
        if not outcomes:
            with self._changed:
                self._pause.withdrawn()
        self._settle(lane, outcomes, later)

    def _judge(self, lane: str, due: Due, verdict: Verdict) -> Outcome:
        now = int(time.time() * 1000)
        tries = due.attempts + 1
        state, wait = State.DELIVERED, None
        if not verdict.ok:
            wait = again(self._settings, tries, verdict, random.random())
            state = State.DEAD if wait is None else State.PENDING
        with self._changed:
            self._pause.ended(verdict.ok or not verdict.down, time.monotonic())
            what = "delivered" if verdict.ok else "failed"
            self._sums[what] += 1
            if state is State.DEAD:
                self._sums["dead"] += 1
            self._last_error = "" if verdict.ok else verdict.error
            self._changed.notify_all()
        self._count(what, 1)
        if state is State.DEAD:
            self._count("dead", 1)
            log.warning(
                "%s: event %s is a dead letter after %d attempts (%s)",
                self.name, due.key.hex(), tries, verdict.error,
            )  # fmt: skip
        return Outcome(
            due.id, self.name, lane, state, now, verdict.status, verdict.error,
            now + int((wait or 0.0) * 1000),
        )  # fmt: skip

    def _settle(self, lane: str, outcomes: Sequence[Outcome], later: int = 0) -> None:
        """Write down and then free the lane; the thread does not wait for the disk.

        Without an outcome the lane is looked at again at `later`, or is empty.
        """

        def work(connection: Connection) -> None:
            for outcome in outcomes:
                settle(connection, outcome)
            if not outcomes:
                postpone(connection, self.name, lane, later)

        def done(_: Any, error: Exception | None) -> None:
            with self._changed:
                if error is None:
                    self._busy.discard(lane)
                    self._look_at = 0.0
                else:
                    self._keep(lane, list(outcomes), error)
                self._changed.notify_all()

        try:
            self._group.submit(work, done)
        except (Closed, Full) as error:
            with self._changed:
                self._keep(lane, list(outcomes), error)

    def _keep(self, lane: str, outcomes: list[Outcome], error: Exception) -> None:
        if not self._late:
            log.error("%s: outcomes cannot be stored, they are kept: %s", self.name, error)
        self._late.append((lane, outcomes))
        self._late_at = time.monotonic() + RETRY

    def _hand_in(self) -> None:
        late, self._late = self._late, []
        for lane, outcomes in late:
            self._settle(lane, outcomes)

    def _trouble(self, lane: str, what: str) -> None:
        with self._changed:
            self._last_error = what
            self._pause.withdrawn()
            self._busy.discard(lane)
            self._look_at = time.monotonic() + RETRY
