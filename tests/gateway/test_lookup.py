"""Kept answers and flights: who may get whose, and what happens when leaders fail or die."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from pihub.domain.chat import Usage
from pihub.domain.whynot import WhyNot
from pihub.errors import ClientGone, UpstreamIncomplete
from pihub.gateway.exchange import Exchange
from pihub.shared import flights as flights_module
from pihub.shared.events import CacheState, Record
from pihub.shared.metrics import Column, why_column
from tests.gateway.parts import (
    PRICES,
    Bench,
    FakeResponse,
    asking,
    header,
    openai_stream,
    openai_whole,
    refusal,
)

Make = Callable[..., Bench]


def state(bench: Bench, client: str = "openai", **more: Any) -> str:
    reply, body = bench.whole(client, **more)
    assert reply.status == 200, body
    return header(reply, "x-pihub-cache")


def kept(make: Make, **more: Any) -> Bench:
    """A bench that keeps the answer to asking(temperature=0)."""
    bench = make(chat=("oa",), other=("oa",), **more)
    bench.says("oa", lambda: openai_whole())
    assert state(bench, temperature=0) == "MISS; not-kept"
    assert state(bench, temperature=0) == "HIT; canonical"
    return bench


@pytest.mark.parametrize(
    "more",
    [
        {"tenant": 2},
        {"model": "other"},
        {"text": "hello "},
        {"max_tokens": 5},
        {"top_p": 0.5},
        {"seed": 1},
        {"stop": ["x"]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
        {"response_format": {"type": "json_object"}},
        {"logit_bias": {"1": 1}},
        {"reasoning_effort": "low"},
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_differs_is_never_taken_for_the_same(make: Make, more: dict[str, Any]) -> None:
    bench = kept(make)
    assert state(bench, **{"temperature": 0, **more}).startswith("MISS")


@pytest.mark.parametrize(
    "more", [{"stream": True}, {"user": "me"}, {"stream_options": None}], ids=str
)
def test_what_changes_no_answer_is_the_same(make: Make, more: dict[str, Any]) -> None:
    assert state(kept(make), temperature=0, **more) == "HIT; canonical"


def test_another_epoch_is_another_key(make: Make) -> None:
    bench = kept(make)
    other = make(state=bench.state, slot=2, epoch=8)
    other.says("oa", openai_whole())
    assert state(other, temperature=0).startswith("MISS")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, "temperature-unset"),
        ({"temperature": 0.1}, "temperature"),
        ({"temperature": 0, "wish": "off"}, "asked"),
        ({"temperature": 0, "n": 2}, "fields-unknown"),
        ({"temperature": 0, "forward": (("anthropic-beta", "x"),)}, "beta"),
    ],
    ids=str,
)
def test_bypasses(make: Make, more: dict[str, Any], reason: str) -> None:
    bench = make()
    bench.says("oa", lambda: openai_whole())
    for _ in range(2):
        assert state(bench, **more) == f"BYPASS; {reason}"
    assert bench.count(Column.BYPASSES) == 2


def test_only_and_ttl(make: Make) -> None:
    bench = make()
    bench.says("oa", lambda: openai_whole())
    assert bench.whole(wish="only")[0].status == 404
    assert not bench.connector.calls
    assert state(bench, wish="ttl=60").startswith("MISS")
    assert state(bench, wish="only").startswith("HIT")
    for bad in ("ttl=0", "ttl=²", "ttl=" + "9" * 5000, "ttl=-1", "ttl=1.5", "on", "ttl"):
        assert bench.whole(wish=bad)[0].status == 400, bad


@pytest.mark.parametrize(
    "said",
    [
        lambda: openai_whole(""),
        refusal(500),
        lambda: FakeResponse(b'{"error":{"message":"m"}}'),
        lambda: FakeResponse(openai_whole().chunks[0].replace(b'"stop"', b'"content_filter"')),  # type: ignore[union-attr]
    ],
    ids=["empty", "error", "200-error", "refusal"],
)
def test_what_is_no_answer_is_not_kept(make: Make, said: Any) -> None:
    bench = make()
    bench.says("oa", said)
    for _ in range(2):
        bench.whole(temperature=0)
    assert len(bench.connector.calls) == 2
    assert bench.count(Column.HITS) == 0
    exact = bench.incoming(temperature=0).exact
    assert exact is not None
    assert bench.state.cache.get(*exact, 1) is None, "nor for the edge"


def test_an_entry_of_another_version_is_a_miss(make: Make) -> None:
    bench = make()
    bench.says("oa", lambda: openai_whole())
    x = Exchange(bench.incoming(temperature=0))
    key = bench.answers.key(x.parsed())
    bench.state.cache.put(*key, 1, b"\x91\x01", 60.0)
    assert state(bench, temperature=0).startswith("MISS")
    assert state(bench, temperature=0).startswith("HIT")


def test_the_largest_answer_that_is_kept(make: Make) -> None:
    bench = make(max_value=500)
    for text, word in (("é" * 250, "HIT"), ("é" * 251, "MISS")):
        bench.says("oa", lambda text=text: openai_whole(text))
        bench.whole(text=text, temperature=0)
        assert state(bench, text=text, temperature=0).startswith(word)
    assert bench.count(Column.CACHE_REFUSED) == 2


def test_the_rendered_form_does_not_outlive_the_answer(make: Make) -> None:
    bench = make()
    bench.says("oa", lambda: openai_whole())
    bench.whole(temperature=0, wish="ttl=5")
    request = bench.incoming(temperature=0)
    bench.pipeline.handle(request)
    assert request.exact is not None
    found = bench.state.cache.get_stale(*request.exact, 1)
    assert found is not None and -5 <= found[1] <= 0, "kept for longer than was asked"


def test_unknown_prices_are_unknown_and_named_once(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    for warn in (True, False):
        caplog.clear()
        bench = make(chat=("oa/unpriced",), warn=warn)
        bench.says("oa", lambda: openai_whole())
        for _ in range(2):
            reply, _ = bench.whole()
            assert "x-pihub-cost" not in dict(reply.headers)
        assert [r.cost_nano for r in bench.records()] == [-1, -1]
        assert bench.count(Column.PRICE_UNKNOWN) == 2
        assert caplog.text.count("no price is known") == int(warn)
    assert PRICES.cost_or_none("openai", "unpriced", Usage()) is None


# ---- flights -----------------------------------------------------------------------


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def together(bench: Bench, count: int, **more: Any) -> list[tuple[Any, bytes]]:
    out: list[tuple[Any, bytes]] = []
    threads = [
        threading.Thread(target=lambda: out.append(bench.whole(temperature=0, **more)))
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return out


def waits_for(bench: Bench, followers: int, said: Any) -> Callable[[], FakeResponse]:
    def answer() -> FakeResponse:
        until(lambda: bench.flights._waiting >= followers)
        made = said()
        if isinstance(made, BaseException):
            raise made
        assert isinstance(made, FakeResponse)
        return made

    return answer


def test_followers_share_one_call(make: Make) -> None:
    bench = make()
    bench.says("oa", waits_for(bench, 7, openai_whole), refusal(500))
    replies = together(bench, 8)
    assert {reply.status for reply, _ in replies} == {200}
    assert len(bench.connector.calls) == 1
    records = bench.records()
    assert sorted(r.cache for r in records) == [CacheState.MISS] + [CacheState.SHARED] * 7
    assert sum(r.cost_nano for r in records) == 20_000, "one call, one bill"
    assert sum(r.saved_nano for r in records) == 7 * 20_000
    assert bench.count(Column.COST_NANO) == 20_000


def test_two_tenants_never_share(make: Make) -> None:
    bench = make()
    bench.says("oa", lambda: openai_whole())
    x = Exchange(bench.incoming(temperature=0))
    bench.stages.inspect(x)
    bench.lookup(x)
    assert x.leads

    def follow(*_: Any, **__: Any) -> None:
        raise AssertionError("a tenant waits for another's answer")

    bench.flights.follow = follow  # type: ignore[method-assign]
    assert state(bench, temperature=0, tenant=2).startswith("MISS")
    bench.lookup.release(x)


def test_when_leaders_fail_a_follower_leads_and_nobody_waits_for_ever(make: Make) -> None:
    bench = make()
    bench.says("oa", waits_for(bench, 5, lambda: UpstreamIncomplete("cut")), refusal(500))
    replies = together(bench, 6)
    assert {reply.status for reply, _ in replies} == {502}
    assert len(bench.connector.calls) == 6


def test_a_follower_that_leaves_or_loses_patience(make: Make) -> None:
    bench = make(patience=0.05)
    bench.says("oa", lambda: openai_whole())
    x = Exchange(bench.incoming(temperature=0))
    bench.stages.inspect(x)
    bench.lookup(x)
    assert state(bench, temperature=0).startswith("MISS"), "it called by itself"
    bench.state.cache.clear()
    bench.waiter.gone = True
    assert bench.whole(temperature=0, client_fd=0)[0].status == 499
    bench.lookup.release(x)


def test_no_room_and_no_descriptor_for_a_follower(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make()
    bench.says("oa", lambda: openai_whole())
    x = Exchange(bench.incoming(temperature=0))
    bench.stages.inspect(x)
    bench.lookup(x)

    def none_left(*_: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(flights_module.os, "eventfd", none_left)
    assert bench.whole(temperature=0)[0].status == 200
    monkeypatch.undo()
    bench.state.cache.clear()
    monkeypatch.setattr(flights_module, "FOLLOWERS", 0)
    assert bench.whole(temperature=0)[0].status == 200
    bench.lookup.release(x)


def test_the_answer_that_came_while_the_flight_was_claimed(make: Make) -> None:
    """Between a look and a claim the leader may end: the claim looks once more."""
    bench = kept(make)
    found = bench.answers.get
    missed = []

    def get(key: Any, tenant: int) -> Any:
        if not missed:
            missed.append(key)
            return None
        return found(key, tenant)

    bench.answers.get = get  # type: ignore[method-assign]
    assert state(bench, temperature=0) == "HIT; shared"
    assert len(bench.connector.calls) == 1


def test_a_leader_that_is_killed_is_succeeded(make: Make) -> None:
    bench = make()

    def dispatch() -> None:
        with contextlib.suppress(InterruptedError):
            bench.flights.dispatch()

    dispatcher = threading.Thread(target=dispatch)
    dispatcher.start()
    bench.says("oa", lambda: openai_whole())
    ready = os.pipe()
    child = os.fork()
    if child == 0:  # another worker, which leads and never answers
        other = Bench(state=bench.state, slot=2)
        x = Exchange(other.incoming(temperature=0))
        other.stages.inspect(x)
        other.lookup(x)
        os.write(ready[1], b"1" if x.leads else b"0")
        signal.pause()
    assert os.read(ready[0], 1) == b"1"
    out: list[Any] = []
    follower = threading.Thread(target=lambda: out.append(bench.whole(temperature=0)))
    follower.start()
    until(lambda: bench.flights._waiting == 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    began = time.monotonic()
    bench.state.process_died(2, 0)
    follower.join(10)
    took = time.monotonic() - began
    bench.waiter.over = True
    os.eventfd_write(bench.state.eventfds[bench.slot], 1)
    dispatcher.join(10)
    for fd in ready:
        os.close(fd)
    assert not dispatcher.is_alive()
    assert out[0][0].status == 200 and took < 4, "before the lease ran out"
    assert len(bench.connector.calls) == 1


def test_a_descriptor_is_not_written_to_after_it_was_given_up(make: Make) -> None:
    """With threads its number may be somebody's file by then."""
    bench = make()
    flights, written = bench.flights, []
    assert flights.begin(9)
    real = os.eventfd_write

    def write(fd: int, value: int) -> None:
        assert any(fd in fds for fds in flights._followers.values()), "given up already"
        written.append(fd)
        real(fd, value)

    class Impatient:
        """A follower whose wait ends at once, again and again."""

        def wait(self, fd: int, **_: Any) -> None:
            raise ClientGone("left")

    flights._waiter = Impatient()  # type: ignore[assignment]
    over = threading.Event()

    def follow() -> None:
        while not over.is_set():
            with pytest.raises(ClientGone):
                flights.follow(9, deadline=time.monotonic() + 1, client_fd=-1)

    class Ended:
        """A table that tells followers to wait and wakers that the leader is done."""

        def led(self, key: int, now: int) -> bool:
            return threading.current_thread() in threads

        def end(self, key: int, slot: int) -> None:
            pass

    threads = [threading.Thread(target=follow) for _ in range(3)]
    flights._table = Ended()  # type: ignore[assignment]
    failures: list[BaseException] = []
    flights_module.os.eventfd_write = write
    try:
        for thread in threads:
            thread.start()
        end = time.monotonic() + 1
        while time.monotonic() < end and not failures:
            try:
                flights._wake_done()
            except (AssertionError, OSError, RuntimeError) as error:
                failures.append(error)
    finally:
        over.set()
        for thread in threads:
            thread.join(10)
        flights_module.os.eventfd_write = real
        flights._led.clear()
        bench.state.inflight.end(9, bench.slot)
    assert not failures and written


def test_a_stream_leads_until_its_last_byte(make: Make) -> None:
    bench = make()
    bench.says("oa", openai_stream(), refusal(500))
    reply = bench.ask(stream=True, temperature=0)
    out: list[Any] = []
    follower = threading.Thread(target=lambda: out.append(bench.whole(temperature=0)))
    follower.start()
    until(lambda: bench.flights._waiting == 1)
    assert b"".join(reply.body)
    follower.join(10)
    assert header(out[0][0], "x-pihub-cache") == "HIT; shared"


def test_asking_is_what_it_says() -> None:
    assert asking("x", n=1) == {
        "model": "chat",
        "messages": [{"role": "user", "content": "x"}],
        "n": 1,
    }


def last_record(bench: Bench) -> Record:
    log = bench.state.events
    found = [one for slot in range(log.rings) for one in log.read(slot, 0)[2]]
    return max(found, key=lambda one: one.ts_ns)


def test_the_record_says_which_key_was_looked_for_and_what_was_kept(make: Make) -> None:
    bench = make(chat=("oa",), other=("oa",))
    bench.says("oa", lambda: openai_whole())
    assert state(bench, temperature=0) == "MISS; not-kept"
    missed = last_record(bench)
    assert state(bench, temperature=0) == "HIT; canonical"
    found = last_record(bench)
    assert missed.look == found.look != 0
    assert missed.kept > 64 and missed.kept_ttl > 0
    assert (missed.why, found.why) == (WhyNot.NONE, WhyNot.NONE)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, WhyNot.TEMPERATURE_UNSET),
        ({"temperature": 1}, WhyNot.TEMPERATURE),
        ({"temperature": 0, "nobody_knows": 1}, WhyNot.FIELDS_UNKNOWN),
    ],
)
def test_the_record_says_why_the_cache_was_not_asked(
    make: Make, more: dict[str, Any], why: WhyNot
) -> None:
    bench = make(chat=("oa",), other=("oa",))
    bench.says("oa", lambda: openai_whole())
    assert state(bench, **more).startswith("BYPASS")
    assert last_record(bench).why == why
    assert bench.state.routes.total(why_column(last_record(bench).route, why)) == 1


def test_the_record_says_why_nothing_was_kept(make: Make) -> None:
    bench = make(chat=("oa",), other=("oa",))
    bench.says("oa", refusal(503))
    assert bench.whole(temperature=0)[0].status >= 500
    assert last_record(bench).why == WhyNot.FAILED
    bench.says("oa", lambda: openai_whole(text=""))
    bench.whole(temperature=0)
    assert last_record(bench).why == WhyNot.EMPTY
    bench = make(chat=("oa",), other=("oa",), max_value=10)
    bench.says("oa", lambda: openai_whole(text="longer than that"))
    bench.whole(temperature=0)
    assert last_record(bench).why == WhyNot.TOO_LARGE
