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
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from pihub.domain.chat import Answer, Ask, Usage
from pihub.errors import (
    PihubError,
    Unsupported,
    UpstreamError,
    UpstreamIncomplete,
    UpstreamProtocol,
    UpstreamRejected,
    UpstreamTimeout,
)
from pihub.jobs.batches import Batch, Batches, Line
from pihub.jobs.night import LAST_CALL, is_night, minutes
from pihub.jobs.remote import Remote
from pihub.protocols.registry import CLIENTS
from pihub.settings.jobs import Jobs as Settings
from pihub.store.jobs import Job, JobStore

log = logging.getLogger("pihub.jobs")

IDLE = 30.0
"""Seconds between two looks while nothing is open."""
BUSY = 1.0
STALE = 60.0
"""Seconds after which a sending that nobody heard of is looked for."""
BACKOFF = 30.0
MOST_TRIES = 20
"""Deliveries of one webhook: over about 12 hours."""
LONGEST_PAUSE = 3600.0
MOST_BYTES = 100 << 20
"""Of one batch's body, in memory while it is sent."""


class Books(Protocol):
    """Money, as the composition root knows it."""

    def cost(self, job: Job, kind: str, usage: Usage, seconds: float) -> int:
        """nano-USD; -1: unknown. Of an Anthropic job: at the batch price."""

    def write(self, job: Job) -> None:
        """Into the ledger and the budgets."""

    def recorded(self, rid: int) -> bool: ...

    def behind(self) -> int:
        """Records that are not stored yet."""


Tell = Callable[[Job], float | None]
"""Deliver a job's webhook: None if it was taken, else seconds to wait at least."""


class JobService:
    """`run` is the thread; the rest may be called from any."""

    def __init__(
        self,
        store: JobStore,
        remotes: Mapping[str, Remote],
        settings: Settings,
        books: Books,
        tell: Tell,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self._remotes = remotes
        self._settings = settings
        self._books = books
        self._tell = tell
        self._clock = clock
        self._clients = {name: make() for name, make in CLIENTS.items()}
        self._changed = threading.Event()
        self._written: set[int] = set()
        self._polled: dict[str, float] = {}
        self._rest: dict[str, float] = {}
        self._night = minutes(settings.night_from), minutes(settings.night_to)

    # ---- asked from outside --------------------------------------------------------

    def add(self, job: Job, body: bytes) -> None:
        """On disk when this returns."""
        self.store.add(job, body)
        self._changed.set()

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
        self._changed.set()
        return self.store.one(id_, tenant)

    # ---- the thread ----------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        self.store.change(
            [job.id for job in self.store.in_state("running")], "running", state="queued"
        )
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
        self.store.close()

    def wake(self) -> None:
        self._changed.set()

    def step(self) -> bool:
        """One look at everything; whether anything is open."""
        now = self._clock()
        self._expire(now)
        self._find_lost(now)
        self._send(now)
        self._poll(now)
        self._work(now)
        self._bill()
        self._tell_all(now)
        self.store.prune(now - self._settings.keep_days * 86400)
        counts = self.store.counts()
        waits = any(counts.get(state) for state in ("queued", "sending", "sent", "running"))
        return waits or bool(self.store.unbilled()) or bool(self.store.untold(now + IDLE, 1))

    def _expire(self, now: float) -> None:
        late = [job.id for job in self.store.in_state("queued") if job.deadline <= now]
        self.store.change(
            late, "queued", state="expired", ended=now, error="the deadline has passed"
        )

    # ---- batches -------------------------------------------------------------------

    def _send(self, now: float) -> None:
        groups: defaultdict[str, list[Job]] = defaultdict(list)
        for job in self.store.in_state("queued"):
            if self._kind(job) == "anthropic":
                groups[job.upstream].append(job)
        for upstream, jobs in groups.items():
            if self._rest.get(upstream, 0.0) > now:
                continue
            oldest = min(job.created for job in jobs)
            full = len(jobs) >= self._settings.batch_size
            if full or now - oldest >= self._settings.gather:
                self._send_batch(upstream, jobs[: self._settings.batch_size], now)

    def _send_batch(self, upstream: str, jobs: Sequence[Job], now: float) -> None:
        requests: list[tuple[str, bytes]] = []
        size = 0
        for job in jobs:
            try:
                body = self._remotes[upstream].body(self._ask(job), job.model)
            except PihubError as error:
                self._fail(job, error.message)
                continue
            size += len(body)
            if requests and size > MOST_BYTES:
                break
            requests.append((job.id, body))
        ids = [name for name, _ in requests]
        if not ids or not self.store.change(ids, "queued", state="sending", sending=now):
            return
        try:
            batch = self._batches(upstream).create(requests)
        except UpstreamError as error:
            self._rest[upstream] = now + max(BACKOFF, error.retry_after or 0.0)
            if isinstance(error, UpstreamTimeout | UpstreamIncomplete | UpstreamProtocol):
                raise  # it may have arrived: `_find_lost` looks
            again = not isinstance(error, UpstreamRejected)
            for job in jobs:
                if job.id in ids:
                    self._again(job, error.message, counts=not again)
            raise
        self.store.change(ids, "sending", state="sent", batch=batch.id)
        # Cancelled while it was sent: the vendor works on it all the same.
        self.store.change(ids, "cancelled", batch=batch.id)
        log.info("%d deferred requests were sent as one batch", len(ids))

    def _find_lost(self, now: float) -> None:
        """Jobs that were being sent when somebody died."""
        groups: defaultdict[tuple[str, float], list[Job]] = defaultdict(list)
        for job in self.store.in_state("sending"):
            groups[job.upstream, job.sending].append(job)
        for (upstream, sending), jobs in groups.items():
            if now - sending < STALE:
                continue
            ids = [job.id for job in jobs]
            for batch in self._batches(upstream).newest():
                near = sending - STALE <= batch.created <= sending + 10 * STALE
                if near and batch.request_counts.total == len(ids) and not self.store.of_batch(
                    batch.id
                ):
                    self.store.change(ids, "sending", state="sent", batch=batch.id)
                    log.info("a batch of %d deferred requests was found again", len(ids))
                    break
            else:
                self.store.change(ids, "sending", state="queued")

    def _poll(self, now: float) -> None:
        for id_, upstream in self.store.batches():
            if self._polled.get(id_, 0.0) > now:
                continue
            self._polled[id_] = now + self._settings.poll
            batches = self._batches(upstream)
            jobs = {job.id: job for job in self.store.of_batch(id_)}
            try:
                batch = batches.get(id_)
            except UpstreamRejected as error:
                if error.upstream_status != 404:
                    raise
                for job in jobs.values():
                    self._again(job, "the batch is gone")
                continue
            if batch.ended:
                self._collect(batch, batches, jobs)
                self._polled.pop(id_, None)
            elif all(job.state == "cancelled" for job in jobs.values()):
                batches.cancel(id_)

    def _collect(self, batch: Batch, batches: Batches, jobs: dict[str, Job]) -> None:
        for line in batches.results(batch.id):
            job = jobs.pop(line.custom_id, None)
            if job is not None:
                self._result(job, line)
        for job in jobs.values():
            self._again(job, "the batch did not hold it")

    def _result(self, job: Job, line: Line) -> None:
        kind = line.result.type
        if kind == "succeeded":
            remote = self._remotes[job.upstream]
            try:
                answer = remote.format.answer(200, [], bytes(line.result.message))
            except PihubError as error:
                self._fail(job, error.message)
                return
            self._done(job, answer, 0.0)
        elif kind == "errored":
            told = self._remotes[job.upstream].format.error(
                _status(line), [], bytes(line.result.error)
            )
            if told.retryable:
                self._again(job, told.message)
            else:
                self._fail(job, told.message)
        else:
            self._again(job, f"the batch left it {kind}", counts=False)

    # ---- local models --------------------------------------------------------------

    def _work(self, now: float) -> None:
        """One request at a time, so that whoever asks at night waits for one at most."""
        at = datetime.fromtimestamp(now)  # noqa: DTZ006 - the owner's night
        night = is_night(at, *self._night)
        for job in self.store.in_state("queued"):
            if self._kind(job) == "anthropic" or self._rest.get(job.upstream, 0.0) > now:
                continue
            if not night and job.deadline - now > LAST_CALL:
                continue
            if not self.store.change([job.id], "queued", state="running"):
                continue
            self._ask_now(job, now)
            self._changed.set()
            return

    def _ask_now(self, job: Job, now: float) -> None:
        begun = time.monotonic()
        try:
            answer = self._remotes[job.upstream].ask(self._ask(job), job.model)
        except UpstreamError as error:
            self._rest[job.upstream] = now + BACKOFF
            self._again(job, error.message)
        except PihubError as error:
            self._fail(job, error.message)
        else:
            self._done(job, answer, time.monotonic() - begun)

    # ---- ends ----------------------------------------------------------------------

    def _done(self, job: Job, answer: Answer, seconds: float) -> None:
        usage = answer.usage or Usage()
        prompt = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h
        cost = self._books.cost(job, self._kind(job), usage, seconds)
        try:
            result: bytes | None = self._clients[job.protocol].render(answer, self._ask(job))
        except PihubError as error:
            self._fail(job, error.message)
            return
        state = "cancelled" if job.state == "cancelled" else "done"
        self.store.change(
            [job.id], "sent", "running", "cancelled", state=state, ended=self._clock(),
            result=None if state == "cancelled" else result, input_tokens=max(1, prompt),
            output_tokens=usage.output, cost=cost, error="",
            batch="" if state == "cancelled" else job.batch,
        )  # fmt: skip

    def _again(self, job: Job, why: str, *, counts: bool = True) -> None:
        """Try once more, unless it was tried often enough or was cancelled."""
        if job.state == "cancelled":
            self.store.change([job.id], batch="")
            return
        attempts = job.attempts + counts
        if attempts >= self._settings.attempts:
            self._fail(job, why)
            return
        self.store.change(
            [job.id], "sending", "sent", "running", state="queued", batch="", attempts=attempts,
            error=why,
        )  # fmt: skip

    def _fail(self, job: Job, why: str) -> None:
        self.store.change(
            [job.id], "queued", "sending", "sent", "running", state="failed",
            ended=self._clock(), error=why[:500],
        )  # fmt: skip

    def _bill(self) -> None:
        """Each finished job once: what was written before a crash is asked for first."""
        jobs = self.store.unbilled()
        known = [job for job in jobs if self._books.recorded(job.rid)]
        self.store.change([job.id for job in known], billed=1)
        self._written -= {job.rid for job in known}
        rest = [job for job in jobs if job not in known and job.rid not in self._written]
        if not rest or self._books.behind():
            return
        for job in rest:
            self._written.add(job.rid)
            self._books.write(job)

    def _tell_all(self, now: float) -> None:
        for job in self.store.untold(now):
            pause = self._tell(job)
            tries = job.tell_tries + 1
            if pause is None:
                self.store.change([job.id], told=1, tell_tries=tries)
            elif tries >= MOST_TRIES:
                self.store.change([job.id], told=2, tell_tries=tries)
            else:
                wait = max(pause, min(LONGEST_PAUSE, 2.0**tries))
                self.store.change([job.id], tell_at=now + wait, tell_tries=tries)

    # ---- parts ---------------------------------------------------------------------

    def _ask(self, job: Job) -> Ask:
        ask = self._clients[job.protocol].parse(self.store.body(job.id))
        return msgspec.structs.replace(ask, stream=False)

    def _kind(self, job: Job) -> str:
        remote = self._remotes.get(job.upstream)
        if remote is None:
            self._fail(job, "its upstream is no longer configured")
            raise Unsupported("the upstream of a deferred request is no longer configured")
        return remote.kind

    def _batches(self, upstream: str) -> Batches:
        return Batches(self._remotes[upstream].send)


def _status(line: Line) -> int:
    """The HTTP status that an error object stands for, by its type."""
    text = bytes(line.result.error)
    for word, status in (
        (b"overloaded_error", 529), (b"rate_limit_error", 429), (b"api_error", 500),
        (b"timeout_error", 504),
    ):  # fmt: skip
        if word in text:
            return status
    return 400
