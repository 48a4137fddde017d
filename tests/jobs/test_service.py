"""The work on deferred requests, step by step: a real store, the simulated Claude, no hub."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pihub.demo.harness import Demo
from pihub.domain.chat import Ask, Usage
from pihub.jobs.remote import Remote
from pihub.jobs.sending import STALE
from pihub.jobs.service import JobService
from pihub.protocols.registry import UPSTREAMS
from pihub.server.waiter_poll import PollWaiter
from pihub.settings.jobs import Jobs
from pihub.settings.schema import Timers
from pihub.store.jobs import Job, JobStore
from pihub.upstream.connector.connector import Connector
from pihub.upstream.connector.origin import Origin
from pihub.webhooks.resolve import SystemResolver

GONE = "no longer configured"
SETTINGS = Jobs(gather=0.0, poll=0.05)


class Ledger:
    """`jobs.books.Books` where everything is allowed; a record is found right after it."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.rows: dict[int, int] = {}

    def admit(self, job: Job, ask: Ask, body: bytes) -> int:
        self.held[job.id] = len(body)
        return len(body)

    def resume(self, job: Job) -> None:
        self.held[job.id] = job.held

    def release(self, id_: str) -> None:
        self.held.pop(id_, None)

    def cost(self, job: Job, kind: str, usage: Usage, seconds: float) -> int:
        return usage.input + usage.output

    def write(self, job: Job) -> None:
        assert job.rid not in self.rows, "billed twice"
        self.rows[job.rid] = job.cost
        self.release(job.id)

    def recorded(self, rids: Iterable[int]) -> set[int]:
        return self.rows.keys() & set(rids)

    def stored(self) -> bool:
        return True


class Desk:
    """A service, what it is made of, and a clock that a test may set forward."""

    def __init__(self, folder: Path, claude: str) -> None:
        origin, base = Origin.parse(claude)
        self.remote = Remote(
            "claude", "anthropic", UPSTREAMS["anthropic"](), origin, base, (("x-api-key", "x"),),
            Timers(), Connector(PollWaiter(), SystemResolver()), True,
        )  # fmt: skip
        self.store = JobStore(folder / "jobs.db")
        self.ledger = Ledger()
        self.ahead = 0.0
        self.service = JobService(
            self.store, {"claude": self.remote}, SETTINGS, self.ledger, lambda _: None,
            clock=self.now,
        )  # fmt: skip

    def now(self) -> float:
        return time.time() + self.ahead

    def add(self, n: int, text: str = "hello", upstream: str = "claude", **more: object) -> str:
        body = {"model": "m", "messages": [{"role": "user", "content": text}], "max_tokens": 9}
        job = Job(
            id=f"job_{n:032x}", rid=n, tenant=1, key=1, route=1, protocol="openai", alias="m",
            upstream=upstream, model="claude-haiku-4-5", created=self.now(),
            deadline=self.now() + 86400, **more,  # type: ignore[arg-type]
        )  # fmt: skip
        assert self.service.add(job, json.dumps(body).encode())
        return job.id

    def send(self, *ids: str) -> None:
        """Without asking what became of them."""
        self.service._sending.send(self.now())
        assert {self.job(id_).state for id_ in ids} == {"sent"}

    def job(self, id_: str) -> Job:
        found = self.store.one(id_)
        assert found is not None
        return found

    def work(self, *ids: str) -> list[Job]:
        """Until these are over and billed, and no batch is waited for."""
        end = time.monotonic() + 20
        while True:
            self.service.step()
            jobs = [self.job(id_) for id_ in ids]
            waits = self.store.batches() or self.store.unbilled()
            if all(job.over for job in jobs) and not waits:
                return jobs
            assert time.monotonic() < end, jobs
            time.sleep(0.02)


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with Demo() as running:
        yield running


@pytest.fixture
def desk(demo: Demo, tmp_path: Path) -> Iterator[Desk]:
    demo.clear_log()
    made = Desk(tmp_path, demo.claude)
    yield made
    made.store.close()


def sent(demo: Demo) -> list[str]:
    """The ids in all batches, in order."""
    posts = [one for one in demo.log("claude")
             if one["method"] == "POST" and one["path"].endswith("/batches")]  # fmt: skip
    return [r["custom_id"] for one in posts for r in json.loads(one["body"])["requests"]]


@pytest.mark.parametrize(
    "left",
    [
        {"state": "queued"},
        {"state": "queued", "soon": 1},
        {"state": "sending", "sending": 1.0},
        {"state": "sent", "batch": "msgbatch_of_somebody"},
        {"state": "running"},
    ],
    ids=lambda left: "-".join(left) + "-" + left["state"],
)
def test_an_upstream_that_was_taken_out_stops_nobody_else_s(
    desk: Desk, left: dict[str, object]
) -> None:
    gone = desk.add(1, upstream="gone", **left)
    (failed, done) = desk.work(gone, desk.add(2))
    assert failed.state == "failed" and GONE in failed.error
    assert done.state == "done" and desk.ledger.rows == {2: done.cost}
    assert desk.ledger.held == {}


def test_a_cancelled_one_of_an_upstream_that_was_taken_out_stays_cancelled(desk: Desk) -> None:
    gone = desk.add(1, upstream="gone", state="cancelled", batch="b", ended=desk.now())
    assert [job.state for job in desk.work(gone, desk.add(2))] == ["cancelled", "done"]


@pytest.mark.parametrize("what", ["errored", "expired"])
def test_a_cancelled_one_that_failed_is_not_asked_for_again(desk: Desk, what: str) -> None:
    ids = [desk.add(1, f"[[batch:{what}]]"), desk.add(2)]
    desk.send(*ids)
    desk.service.cancel(ids[0])
    assert [job.state for job in desk.work(*ids)] == ["cancelled", "done"]
    assert list(desk.ledger.rows) == [2] and desk.ledger.held == {}


def test_what_was_answered_is_billed_if_its_client_cannot_have_it(desk: Desk) -> None:
    id_ = desk.add(1)
    desk.send(id_)
    with desk.store.database.write() as connection:
        connection.execute("UPDATE jobs SET body = x'7b7d'")
    (job,) = desk.work(id_)
    assert job.state == "failed" and job.error and job.cost > 0
    assert desk.ledger.rows == {1: job.cost} and desk.store.result(id_) is None


def test_a_batch_is_found_again_though_some_of_it_was_cancelled(desk: Desk, demo: Demo) -> None:
    """As after a crash between the vendor's answer and the commit."""
    ids = [desk.add(n) for n in (1, 2, 3)]
    desk.send(*ids)
    desk.store.change(ids, state="sending", batch="")
    desk.store.change(ids[:1], state="cancelled", ended=desk.now())
    desk.ahead = STALE + 1
    assert [job.state for job in desk.work(*ids)] == ["cancelled", "done", "done"]
    assert sorted(sent(demo)) == ids, "something was sent twice"
    assert sorted(desk.ledger.rows) == [1, 2, 3], "the cancelled one was answered: it is paid for"


def test_a_fault_of_the_hub_is_not_paid_for_again_and_again(
    desk: Desk, demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = desk.add(1, soon=1)
    monkeypatch.setattr(type(desk.remote.format), "answer", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        desk.service.step()
    desk.service.step()
    assert desk.job(id_).state == "failed" and desk.ledger.held == {}
    assert [one["path"] for one in demo.log("claude")] == ["/v1/messages"]


def interrupted(desk: Desk, id_: str) -> None:
    """As SIGKILL leaves it, between the upstream's answer and the commit."""
    assert desk.store.change([id_], "queued", state="running") == 1
    desk.service.step()


def test_an_answer_that_was_lost_is_asked_for_again_and_on_the_bill(
    desk: Desk, demo: Demo
) -> None:
    whole = desk.add(1, soon=1)
    desk.work(whole)
    id_ = desk.add(2, soon=1)
    interrupted(desk, id_)
    job, alone = desk.work(id_)[0], desk.job(whole)
    assert (job.state, job.attempts) == ("done", 1)
    assert job.cost > alone.cost > 0 and job.input_tokens > alone.input_tokens
    assert desk.ledger.rows == {1: alone.cost, 2: job.cost} and desk.ledger.held == {}


def test_a_hub_that_ends_again_and_again_does_not_pay_for_ever(desk: Desk, demo: Demo) -> None:
    id_ = desk.add(1, soon=1, upstream="slow")
    desk.service._ends.remotes["slow"] = desk.remote  # type: ignore[index]
    desk.service._ends.reached = lambda name: False
    for _ in range(SETTINGS.attempts):
        assert desk.job(id_).state == "queued"
        interrupted(desk, id_)
    (job,) = desk.work(id_)
    assert job.state == "failed" and "paid for may be lost" in job.error
    assert desk.ledger.rows == {1: job.cost} and job.cost > 0
    assert demo.log("claude") == []


def test_one_that_was_interrupted_and_is_cancelled_is_paid_for(desk: Desk) -> None:
    id_ = desk.add(1, soon=1)
    desk.service._ends.reached = lambda name: False
    interrupted(desk, id_)
    assert desk.ledger.rows == {}, "it is still open"
    desk.service.cancel(id_)
    (job,) = desk.work(id_)
    assert job.state == "cancelled" and desk.ledger.rows == {1: job.cost} and job.cost > 0


def test_what_costs_nothing_is_asked_as_often_as_it_takes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.ledger, "cost", lambda *_: 0)
    id_ = desk.add(1, soon=1)
    desk.service._ends.reached = lambda name: False
    for _ in range(SETTINGS.attempts + 1):
        interrupted(desk, id_)
    assert (desk.job(id_).state, desk.job(id_).attempts) == ("queued", 0)


def test_a_call_has_a_name_that_its_repeat_has_too(desk: Desk) -> None:
    seen: list[list[str]] = []

    class Spy:
        def request(self, *said: Any, **more: Any) -> Any:
            seen.append([value for name, value in said[3] if name == "idempotency-key"])
            return desk.remote.connector.request(*said, **more)

    spied: Any = dataclasses.replace(desk.remote, connector=Spy())  # type: ignore[arg-type]
    desk.service._ends.remotes["claude"] = spied  # type: ignore[index]
    id_ = desk.add(1, soon=1)
    desk.work(id_)
    assert seen == [[id_]]
