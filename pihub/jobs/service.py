"""Deferred requests from taken in to fetched: the one thread that works on them.

A job is committed before its client is told its id, and every step is committed before the
next begins, so whenever the process dies the next one goes on. What could be paid for twice
is the sending of a batch: jobs are marked `sending` first; one that is found so after a crash
looks for its batch in the vendor's list before it is sent again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from pihub.domain.chat import Ask
from pihub.errors import PihubError, UpstreamError, UpstreamUnreachable
from pihub.jobs.books import Books
from pihub.jobs.ends import Ends
from pihub.jobs.night import LAST_CALL, is_night, minutes
from pihub.jobs.remote import Remote
from pihub.jobs.sending import BACKOFF, Sending
from pihub.jobs.telling import Tell, Telling
from pihub.settings.jobs import Jobs as Settings
from pihub.store.jobs import Job, JobStore

log = logging.getLogger("pihub.jobs")

IDLE = 30.0
"""Seconds between two looks while nothing is open."""
BUSY = 1.0
SHORT = 3.0
"""Seconds until an upstream that was not reached is tried again."""


class JobService:
    """`run` is the thread, `telling.run` another; the rest may be called from any."""

    def __init__(
        self,
        store: JobStore,
        remotes: Mapping[str, Remote],
        settings: Settings,
        books: Books,
        tell: Tell,
        clock: Callable[[], float] = time.time,
        reached: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`reached`: as of Ends."""
        self.store = store
        self._ends = Ends(store, remotes, books, settings.attempts, clock, reached)
        self._sending = Sending(store, self._ends, settings)
        self._settings = settings
        self._books = books
        self.telling = Telling(store, tell, clock)
        self._clock = clock
        self._changed = threading.Event()
        self._written: set[int] = set()
        self._rest: dict[str, float] = {}
        self._night = minutes(settings.night_from), minutes(settings.night_to)

    # ---- asked from outside --------------------------------------------------------

    def add(self, job: Job, body: bytes) -> bool:
        """On disk when this returns; False: it was there already."""
        added = self.store.add(job, body)
        self._changed.set()
        return added

    def room(self, tenant: int) -> bool:
        return self.store.count_open(tenant) < self._settings.most

    def cancel(self, id_: str, tenant: int | None = None) -> Job | None:
        """None if there is no such job. One that is over stays as it is. What a batch has
        already made of it is paid for all the same."""
        job = self.store.one(id_, tenant)
        if job is None or job.over or job.state == "running":
            return job
        self.store.change(
            [id_], "queued", "sending", "sent", state="cancelled", ended=self._clock()
        )
        self.wake()
        return self.store.one(id_, tenant)

    # ---- the thread ----------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        for job in self.store.held():
            self._books.resume(job)
        while not stop.is_set():
            busy = True
            try:
                busy = self.step()
            except PihubError as error:
                log.warning("deferred requests: %s (%s)", error.message, error.code)
            except Exception:
                log.exception("deferred requests could not be worked on")
            self._changed.wait(BUSY if busy else IDLE)
            self._changed.clear()

    def wake(self) -> None:
        self._changed.set()
        self.telling.wake()

    def step(self) -> bool:
        """One look at everything; whether anything is open."""
        now = self._clock()
        for job in self.store.in_state("running"):  # nothing is, between two steps
            self._ends.interrupted(job)
        self._expire(now)
        self._sending.find_lost(now)
        self._sending.send(now)
        self._sending.poll(now)
        self._work(now)
        self._bill()
        self.telling.wake()
        self.store.prune(now - self._settings.keep_days * 86400)
        counts = self.store.counts()
        waits = any(counts.get(state) for state in ("queued", "sending", "sent", "running"))
        return waits or bool(self.store.unbilled())

    def _expire(self, now: float) -> None:
        late = [job.id for job in self.store.in_state("queued") if job.deadline <= now]
        self.store.change(
            late, "queued", state="expired", ended=now, error="the deadline has passed"
        )

    # ---- local models --------------------------------------------------------------

    def _work(self, now: float) -> None:
        """One request at a time, so that whoever asks at night waits for one at most."""
        at = datetime.fromtimestamp(now)  # noqa: DTZ006 - the owner's night
        night = is_night(at, *self._night)
        for job in self.store.waiting(now):
            if not self._ends.known(job) or self._rest.get(job.upstream, 0.0) > now:
                continue
            if not self._ends.reached(job.upstream):
                continue
            batched = self._ends.kind(job) == "anthropic"
            if not job.soon and (batched or (not night and job.deadline - now > LAST_CALL)):
                continue
            admitted = self._ends.admit(job, now)
            if admitted is None or not self._ends.begin({job.id: admitted[1]}, "running", now):
                continue
            self._ask_now(job, admitted[0], now)
            self._changed.set()
            return

    def _ask_now(self, job: Job, ask: Ask, now: float) -> None:
        begun = time.monotonic()
        try:
            answer = self._ends.remotes[job.upstream].ask(ask, job.model, job.id)
        except UpstreamError as error:
            # What was not reached has not failed, and costs nothing to try.
            unreached = isinstance(error, UpstreamUnreachable)
            self._rest[job.upstream] = now + (SHORT if unreached else BACKOFF)
            self._ends.again(job, error.message, counts=not unreached)
        except PihubError as error:
            self._ends.fail(job, error.message)
        except Exception:
            self._ends.fail(job, "the hub failed; its log knows why")
            raise  # not tried again: it may have been paid for
        else:
            self._ends.done(job, answer, time.monotonic() - begun)

    # ---- ends ----------------------------------------------------------------------

    def _bill(self) -> None:
        """Each finished job once: what was written before a crash is asked for first."""
        jobs = self.store.unbilled()
        if not jobs:
            return
        recorded = self._books.recorded([job.rid for job in jobs])
        known = [job for job in jobs if job.rid in recorded]
        self.store.change([job.id for job in known], billed=1)
        self._written -= {job.rid for job in known}
        for job in known:
            self._books.release(job.id)
        seen = self._written.union(job.rid for job in known)
        rest = [job for job in jobs if job.rid not in seen]
        if not rest or not self._books.stored():
            return
        for job in rest:
            self._written.add(job.rid)
            self._books.write(job)
