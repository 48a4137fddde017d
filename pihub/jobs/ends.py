"""What becomes of a job: whether it is sent at all, and each end, is one commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from pihub.domain.chat import Answer, Ask, Usage
from pihub.domain.predict import CHARS_PER_TOKEN
from pihub.errors import BudgetExceeded, PihubError
from pihub.jobs.books import Books
from pihub.jobs.remote import Remote
from pihub.protocols.registry import CLIENTS
from pihub.store.jobs import Job, JobStore

POOR = 30.0
"""Seconds until a job that no budget has room for is judged again."""


class Ends:
    """`attempts`: how often a job is tried."""

    def __init__(
        self,
        store: JobStore,
        remotes: Mapping[str, Remote],
        books: Books,
        attempts: int,
        clock: Callable[[], float],
        reached: Callable[[str], bool],
    ) -> None:
        """`reached`: whether an upstream may be called, or is outside while nothing there is
        reached."""
        self.reached = reached
        self._store = store
        self.remotes = remotes
        self._books = books
        self._attempts = attempts
        self._clock = clock
        self._clients = {name: make() for name, make in CLIENTS.items()}

    def admit(self, job: Job, now: float) -> tuple[Ask, int] | None:
        """What is asked, and the nano-USD that are held for it, if its key may still do that
        and there is money for it. None: it failed, or waits for room in the budget.
        """
        body = self._store.body(job.id)
        try:
            ask = self._parse(job, body)
            return ask, self._books.admit(job, ask, body)
        except BudgetExceeded as error:
            self._store.change([job.id], "queued", after=now + POOR, error=error.message)
        except PihubError as error:
            self.fail(job, error.message)
        return None

    def begin(self, held: Mapping[str, int], state: str, now: float) -> set[str]:
        """Of the admitted jobs, by id, those that were still queued: they are in `state` now,
        all in one commit."""
        begun = self._store.begin(held, state, now)
        for id_ in held.keys() - begun:
            self._books.release(id_)
        return begun

    def done(self, job: Job, answer: Answer, seconds: float) -> None:
        usage = answer.usage or Usage()
        prompt = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h
        cost = self._books.cost(job, self.kind(job), usage, seconds)
        state, result, why = "done", b"", ""
        try:
            result = self._clients[job.protocol].render(answer, self.asked(job))
        except PihubError as error:  # it is paid for all the same
            state, why = "failed", error.message[:500]
        if job.state == "cancelled":
            state, why = "cancelled", ""
        self._store.change(
            [job.id], "sent", "running", "cancelled", state=state, ended=self._clock(),
            result=result if state == "done" else None,
            input_tokens=job.input_tokens + max(1, prompt), output_tokens=usage.output,
            cost=cost if cost < 0 else job.cost + cost, error=why,
            batch="" if state == "cancelled" else job.batch,
        )  # fmt: skip

    def interrupted(self, job: Job) -> None:
        """The hub ended while the upstream was asked. Its client was promised an answer, so it
        is asked for again; what may have been made and is lost is on the job's bill with its
        prompt, as a killed worker's calls are. Such a try counts if it was paid for: a hub
        that ends again and again must not pay again and again.
        """
        if not self.known(job):
            return
        prompt = max(1, int(len(self._store.body(job.id)) / CHARS_PER_TOKEN))
        cost = self._books.cost(job, self.kind(job), Usage(input=prompt), 0.0)
        if cost > 0:
            job = msgspec.structs.replace(
                job, cost=job.cost + cost, input_tokens=job.input_tokens + prompt
            )
        why = "the hub ended while it was asked"
        self.again(job, why + "; an answer that was paid for may be lost" * (cost != 0),
                   counts=cost != 0)  # fmt: skip

    def again(self, job: Job, why: str, *, counts: bool = True) -> None:
        """Try once more, unless it was tried often enough or was cancelled."""
        attempts = job.attempts + counts
        if attempts >= self._attempts or job.state == "cancelled":
            self.fail(job, why)
            return
        self._books.release(job.id)
        self._store.change(
            [job.id], "sending", "sent", "running", state="queued", batch="", attempts=attempts,
            error=why, held=0, cost=job.cost, input_tokens=job.input_tokens,
        )  # fmt: skip

    def fail(self, job: Job, why: str) -> None:
        """One that was cancelled stays so; its batch is not asked for it again."""
        self._books.release(job.id)
        self._store.change([job.id], "cancelled", batch="")
        self._store.change(
            [job.id], "queued", "sending", "sent", "running", state="failed",
            ended=self._clock(), error=why[:500], cost=job.cost, input_tokens=job.input_tokens,
        )  # fmt: skip

    def asked(self, job: Job) -> Ask:
        return self._parse(job, self._store.body(job.id))

    def _parse(self, job: Job, body: bytes) -> Ask:
        return msgspec.structs.replace(self._clients[job.protocol].parse(body), stream=False)

    def known(self, job: Job) -> bool:
        """Whether its upstream is still configured; if not, it has failed now."""
        if job.upstream in self.remotes:
            return True
        self.fail(job, "its upstream is no longer configured")
        return False

    def kind(self, job: Job) -> str:
        """Of the upstream of a job that is `known`."""
        return self.remotes[job.upstream].kind
