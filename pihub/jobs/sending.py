"""Jobs on their way through a vendor's batch interface."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence

from pihub.errors import (
    PihubError,
    UpstreamError,
    UpstreamIncomplete,
    UpstreamProtocol,
    UpstreamRejected,
    UpstreamTimeout,
)
from pihub.jobs.batches import Batch, Batches, Line
from pihub.jobs.ends import Ends
from pihub.settings.jobs import Jobs as Settings
from pihub.store.jobs import Job, JobStore

log = logging.getLogger("pihub.jobs")

STALE = 60.0
"""Seconds after which a sending that nobody heard of is looked for."""
BACKOFF = 30.0
MOST_BYTES = 100 << 20
"""Of one batch's body, in memory while it is sent; the last request may go beyond. The vendor's
bound is 256 MB."""


class Sending:
    """Everything here is one thread's."""

    def __init__(self, store: JobStore, ends: Ends, settings: Settings) -> None:
        self._store = store
        self._ends = ends
        self._settings = settings
        self._polled: dict[str, float] = {}
        self._rest: dict[str, float] = {}

    def send(self, now: float) -> None:
        groups: defaultdict[str, list[Job]] = defaultdict(list)
        for job in self._store.waiting(now):
            if job.soon or not self._ends.known(job) or not self._ends.reached(job.upstream):
                continue
            if self._ends.kind(job) == "anthropic":
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
        held: dict[str, int] = {}
        size = 0
        for job in jobs:
            if size >= MOST_BYTES:
                break
            admitted = self._ends.admit(job, now)
            if admitted is None:
                continue
            try:
                body = self._ends.remotes[upstream].body(admitted[0], job.model)
            except PihubError as error:
                self._ends.fail(job, error.message)
                continue
            size += len(body)
            requests.append((job.id, body))
            held[job.id] = admitted[1]
        begun = self._ends.begin(held, "sending", now)
        requests = [one for one in requests if one[0] in begun]
        ids = [name for name, _ in requests]
        if not ids:
            return
        try:
            batch = self._batches(upstream).create(requests)
        except UpstreamError as error:
            self._rest[upstream] = now + max(BACKOFF, error.retry_after or 0.0)
            if isinstance(error, UpstreamTimeout | UpstreamIncomplete | UpstreamProtocol):
                raise  # it may have arrived: `find_lost` looks
            again = not isinstance(error, UpstreamRejected)
            for job in jobs:
                if job.id in ids:
                    self._ends.again(job, error.message, counts=not again)
            raise
        self._under_way(ids, batch.id)
        log.info("%d deferred requests were sent as one batch", len(ids))

    def _under_way(self, ids: Sequence[str], batch: str) -> None:
        self._store.change(ids, "sending", state="sent", batch=batch)
        # Cancelled while it was sent: the vendor works on it all the same.
        self._store.change(ids, "cancelled", batch=batch)

    def find_lost(self, now: float) -> None:
        """Jobs that were being sent when somebody died."""
        groups: defaultdict[tuple[str, float], list[Job]] = defaultdict(list)
        for job in self._store.in_state("sending"):
            if self._ends.known(job):
                groups[job.upstream, job.sending].append(job)
        for (upstream, sending), jobs in groups.items():
            if now - sending < STALE or not self._ends.reached(upstream):
                continue
            jobs += self._store.cancelled_since(upstream, sending)
            ids = [job.id for job in jobs]
            for batch in self._batches(upstream).newest():
                near = sending - STALE <= batch.created <= sending + 10 * STALE
                if near and batch.request_counts.total == len(ids) and not self._store.of_batch(
                    batch.id
                ):
                    self._under_way(ids, batch.id)
                    log.info("a batch of %d deferred requests was found again", len(ids))
                    break
            else:
                for job in jobs:
                    self._ends.again(job, "it was not sent", counts=False)

    def poll(self, now: float) -> None:
        for id_, upstream in self._store.batches():
            if self._polled.get(id_, 0.0) > now or not self._ends.reached(upstream):
                continue
            self._polled[id_] = now + self._settings.poll
            jobs = {job.id: job for job in self._store.of_batch(id_) if self._ends.known(job)}
            if not jobs:
                continue
            batches = self._batches(upstream)
            try:
                batch = batches.get(id_)
            except UpstreamRejected as error:
                if error.upstream_status != 404:
                    raise
                for job in jobs.values():
                    self._ends.again(job, "the batch is gone")
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
            self._ends.again(job, "the batch did not hold it")

    def _result(self, job: Job, line: Line) -> None:
        kind = line.result.type
        if kind == "succeeded":
            remote = self._ends.remotes[job.upstream]
            try:
                answer = remote.format.answer(200, [], bytes(line.result.message))
            except PihubError as error:
                self._ends.fail(job, error.message)
                return
            self._ends.done(job, answer, 0.0)
        elif kind == "errored":
            told = self._ends.remotes[job.upstream].format.error(
                _status(line), [], bytes(line.result.error)
            )
            if told.retryable:
                self._ends.again(job, told.message)
            else:
                self._ends.fail(job, told.message)
        else:
            self._ends.again(job, f"the batch left it {kind}", counts=False)

    def _batches(self, upstream: str) -> Batches:
        return Batches(self._ends.remotes[upstream].send)


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
