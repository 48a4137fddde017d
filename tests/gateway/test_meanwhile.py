"""Kept answers past their time, given at once while one request fetches a new one."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import Any

import pytest

from pihub.domain.event import Reason
from pihub.errors import BudgetExceeded, ClientGone, UpstreamUnreachable
from pihub.gateway import background as background_module
from pihub.gateway.background import Background
from pihub.gateway.exchange import Exchange
from pihub.shared.events import CacheState
from pihub.shared.metrics import Column
from tests.gateway.parts import Bench, header, openai_stream, openai_whole

Make = Callable[..., Bench]


def expired(make: Make, **more: Any) -> Bench:
    """A bench whose kept answer, "old", is past its time."""
    bench = make(ttl=0.1, **{"meanwhile": 100.0, **more})
    bench.says("oa", lambda: openai_whole("old"))
    assert bench.whole(temperature=0)[0].status == 200
    time.sleep(0.2)
    bench.says("oa", lambda: openai_whole("new"))
    bench.records()
    return bench


def ask(bench: Bench, client: str = "openai", **more: Any) -> tuple[str, str]:
    """(x-pihub-cache, the answer's text or error)"""
    reply, body = bench.whole(client, **{"temperature": 0, **more})
    word = header(reply, "x-pihub-cache") if reply.status == 200 else str(reply.status)
    return word, "old" if b"old" in body else "new" if b"new" in body else body.decode()


def run(bench: Bench) -> int:
    """The background work so far: how much there was."""
    spawned, bench.waiter.spawned = bench.waiter.spawned, []
    for work in spawned:
        work()
    return len(spawned)


def test_the_old_answer_comes_at_once_and_one_call_brings_a_new_one(make: Make) -> None:
    bench = expired(make)
    for _ in range(3):
        assert ask(bench) == ("STALE; stale-while-revalidate", "old")
    assert len(bench.connector.calls) == 1, "nobody has waited for the upstream"
    assert run(bench) == 1
    assert len(bench.connector.calls) == 2
    assert ask(bench) == ("HIT; canonical", "new")
    assert run(bench) == 0


def test_off_by_default_and_beyond_its_span(make: Make) -> None:
    bench = expired(make, meanwhile=0.0)
    assert ask(bench) == ("MISS; not-kept", "new")
    bench = expired(make, meanwhile=1.0)
    time.sleep(2.1)
    assert ask(bench) == ("MISS; not-kept", "new")
    assert run(bench) == 0


def test_what_it_costs_is_recorded_once_and_for_the_key_that_asked(make: Make) -> None:
    bench = expired(make)
    ask(bench, key=9)
    ask(bench, key=5)
    run(bench)
    stale, other, fetched = bench.records()
    assert (stale.reason, stale.cache, stale.cost_nano, stale.attempts) == (
        Reason.STALE_MEANWHILE, CacheState.STALE, 0, 0,
    )  # fmt: skip
    assert (other.key, other.cost_nano) == (5, 0)
    assert (fetched.reason, fetched.cache, fetched.key, fetched.tenant, fetched.status) == (
        Reason.REFRESHED, CacheState.MISS, 9, 1, 200,
    )  # fmt: skip
    assert fetched.cost_nano > 0 and fetched.kept > 0 and fetched.look == stale.look
    assert fetched.rid not in (stale.rid, other.rid)
    assert bench.count(Column.STALE) == 2


def test_streams_are_replayed_and_refreshed_too(make: Make) -> None:
    bench = expired(make)
    bench.says("oa", lambda: openai_stream())
    word, text = ask(bench, stream=True)
    assert (word, text) == ("STALE; stale-while-revalidate", "old")
    run(bench)
    reply, body = bench.whole(temperature=0)
    assert header(reply, "x-pihub-cache") == "HIT; canonical" and b"hi you" in body


def test_another_workers_refresh_is_enough(make: Make) -> None:
    bench = expired(make)
    other = make(state=bench.state, slot=2, meanwhile=100.0)
    other.says("oa", lambda: openai_whole("new"))
    assert ask(bench)[1] == ask(other)[1] == "old"
    assert (run(bench), run(other)) == (1, 0)
    assert ask(other) == ("HIT; canonical", "new")


def test_another_tenant_neither_gets_nor_refreshes_it(make: Make) -> None:
    bench = expired(make)
    assert ask(bench, tenant=2) == ("MISS; not-kept", "new")
    assert run(bench) == 0
    assert ask(bench)[1] == "old"
    assert run(bench) == 1


def test_only_asks_for_nothing(make: Make) -> None:
    bench = expired(make)
    assert ask(bench, wish="only")[0] == "404"
    assert run(bench) == 0 and len(bench.connector.calls) == 1


def test_it_may_do_no_more_than_the_request_itself(make: Make) -> None:
    """Whatever stage refuses the request, refuses its refresh: it goes the same way."""
    bench = expired(make)
    seen: list[Exchange] = []

    class Spent:
        def take(self, x: Exchange, target: object) -> None:
            seen.append(x)
            raise BudgetExceeded("the budget of the key for this day is spent")

    bench.call._purse = Spent()  # type: ignore[assignment]
    assert ask(bench, key=8) == ("STALE; stale-while-revalidate", "old")
    run(bench)
    assert len(bench.connector.calls) == 1, "no call without the money for it"
    (x,) = seen
    assert x.refreshes and x.request.principal.key == 8
    assert ask(bench)[1] == "old"


def test_the_policy_of_the_request_is_that_of_its_refresh(make: Make) -> None:
    bench = expired(make)
    request = bench.incoming(temperature=0)
    request.policy, request.deadline_ms, request.once = "local-only", "50", None
    bench.pipeline.handle(request)
    seen: list[Exchange] = []
    route = bench.pipeline._stages[3]
    stages = list(bench.pipeline._stages)
    stages[3] = lambda x: (seen.append(x), route(x))[1]
    bench.pipeline._stages = tuple(stages)
    run(bench)
    (x,) = seen
    assert x.request.policy == "local-only"
    assert x.request.deadline_ms is None, "nobody waits"


def test_a_failure_is_not_tried_again_at_once(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = expired(make)
    bench.says("oa", UpstreamUnreachable("down"))
    assert ask(bench)[1] == "old"
    run(bench)
    assert ask(bench)[1] == "old"
    assert run(bench) == 0, "a moment ago it failed"
    monkeypatch.setattr(background_module, "PAUSE", 0.0)
    other = make(state=bench.state, slot=2, meanwhile=100.0)
    other.says("oa", UpstreamUnreachable("down"), lambda: openai_whole("new"))
    assert ask(other)[1] == "old" and run(other) == 1
    assert ask(other)[1] == "old" and run(other) == 1
    assert ask(other)[1] == "new"


def test_at_the_end_it_leaves_as_a_client_does(make: Make) -> None:
    bench = expired(make)
    ask(bench)

    def ended() -> Any:
        fd = bench.connector.client_fds[-1]
        assert fd >= 0, "nobody's call could not be ended"
        bench.background.stop()
        poller = select.poll()
        poller.register(fd, select.POLLRDHUP)
        assert poller.poll(0), "what stands for the client has not left"
        raise ClientGone("the client closed its connection")

    bench.says("oa", ended)
    assert run(bench) == 1
    assert bench.background.running == 0
    record = bench.records()[-1]
    assert (record.reason, record.status) == (Reason.CLIENT_GONE, 499)
    assert ask(bench)[1] == "old"
    assert run(bench) == 0, "none is begun any more"
    assert not bench.background.begin(9 << 32, lambda fd: True), "of no other key either"


def test_so_many_at_once_and_no_more(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make()
    monkeypatch.setattr(background_module, "MOST", 2)
    one = Background(bench.flights, bench.waiter.spawn)
    assert [one.begin(n << 32 | n, lambda fd: True) for n in (1, 2, 3)] == [True, True, False]
    run(bench)
    assert one.begin(3 << 32 | 3, lambda fd: True)
    run(bench)


def test_what_fails_leaves_nothing_behind(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    bench = make()
    one = Background(bench.flights, bench.waiter.spawn)

    def work(fd: int) -> bool:
        raise OSError("unexpected")

    assert one.begin(7 << 32, work)
    run(bench)
    assert one.running == 0 and bench.flights.leader(7 << 32) == -1
    assert "could not be fetched anew" in caplog.text
    for n in range(background_module.PAUSED + 5):
        assert one.begin(n << 40 | n, lambda fd: False)
        run(bench)
    assert len(one._paused) == background_module.PAUSED


def test_its_descriptors_are_two(make: Make) -> None:
    bench = make()
    one = Background(bench.flights, bench.waiter.spawn)
    fds: list[int] = []
    for n in range(3):
        one.begin(n << 32 | n, lambda fd: fds.append(fd) is None)
        run(bench)
    assert len(set(fds)) == 1 and os.fstat(fds[0])
