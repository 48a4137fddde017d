"""What becomes of a job: each end is one commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from pihub.domain.chat import Answer, Ask, Usage
from pihub.errors import PihubError, Unsupported
from pihub.jobs.remote import Remote
from pihub.protocols.registry import CLIENTS
from pihub.store.jobs import Job, JobStore


class Books(Protocol):
    """Money, as the composition root knows it."""

    def cost(self, job: Job, kind: str, usage: Usage, seconds: float) -> int:
        """nano-USD; -1: unknown. Of an Anthropic job: at the batch price."""

    def write(self, job: Job) -> None:
        """Into the ledger and the budgets."""

    def recorded(self, rid: int) -> bool: ...

    def stored(self) -> bool:
        """Whether all records from before this process's start are in the ledger."""


class Ends:
    """`attempts`: how often a job is tried."""

    def __init__(
        self,
        store: JobStore,
        remotes: Mapping[str, Remote],
        books: Books,
        attempts: int,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self.remotes = remotes
        self._books = books
        self._attempts = attempts
        self._clock = clock
        self._clients = {name: make() for name, make in CLIENTS.items()}

    def done(self, job: Job, answer: Answer, seconds: float) -> None:
        usage = answer.usage or Usage()
        prompt = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h
        cost = self._books.cost(job, self.kind(job), usage, seconds)
        try:
            result: bytes | None = self._clients[job.protocol].render(answer, self.asked(job))
        except PihubError as error:
            self.fail(job, error.message)
            return
        state = "cancelled" if job.state == "cancelled" else "done"
        self._store.change(
            [job.id], "sent", "running", "cancelled", state=state, ended=self._clock(),
            result=None if state == "cancelled" else result, input_tokens=max(1, prompt),
            output_tokens=usage.output, cost=cost, error="",
            batch="" if state == "cancelled" else job.batch,
        )  # fmt: skip

    def again(self, job: Job, why: str, *, counts: bool = True) -> None:
        """Try once more, unless it was tried often enough or was cancelled."""
        if job.state == "cancelled":
            self._store.change([job.id], batch="")
            return
        attempts = job.attempts + counts
        if attempts >= self._attempts:
            self.fail(job, why)
            return
        self._store.change(
            [job.id], "sending", "sent", "running", state="queued", batch="", attempts=attempts,
            error=why,
        )  # fmt: skip

    def fail(self, job: Job, why: str) -> None:
        self._store.change(
            [job.id], "queued", "sending", "sent", "running", state="failed",
            ended=self._clock(), error=why[:500],
        )  # fmt: skip

    def asked(self, job: Job) -> Ask:
        ask = self._clients[job.protocol].parse(self._store.body(job.id))
        return msgspec.structs.replace(ask, stream=False)

    def kind(self, job: Job) -> str:
        remote = self.remotes.get(job.upstream)
        if remote is None:
            self.fail(job, "its upstream is no longer configured")
            raise Unsupported("the upstream of a deferred request is no longer configured")
        return remote.kind
