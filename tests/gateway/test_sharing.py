"""Never paid twice: Idempotency-Key, streams that fan out, clients that come back."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pihub.domain.chat import Answer, StopReason, Text, Thinking, ToolUse, Usage
from pihub.domain.collect import Collector, collect, replay, rest
from pihub.domain.pricing import PriceTable
from pihub.errors import UpstreamIncomplete, UpstreamUnreachable
from pihub.gateway.exchange import Reply
from pihub.shared.cachepages import CachePages
from pihub.shared.events import CacheState
from tests.gateway.parts import Bench, FakeResponse, header, openai_chunks, openai_whole, rates

Make = Callable[..., Bench]

ANSWER = Answer(
    id="a", model="m", stop_reason=StopReason.END_TURN, usage=Usage(3, 4), created=1,
    blocks=(
        Thinking("let me see", "sig"), Text("Hello there"), ToolUse("t1", "f", '{"a":1}'),
    ),
)  # fmt: skip


def test_what_is_missing_of_an_answer_at_every_event() -> None:
    events = list(replay(ANSWER))
    for count in range(len(events) + 1):
        so_far = Collector()
        for event in events[:count]:
            so_far.feed(event)
        again = Collector()
        for event in so_far.so_far():
            again.feed(event)
        assert again.partial() == so_far.partial()
        left = rest(so_far, ANSWER)
        assert left is not None
        assert collect([*so_far.so_far(), *left]) == ANSWER, count


def test_another_answer_has_no_rest() -> None:
    so_far = Collector()
    for event in list(replay(ANSWER))[:6]:
        so_far.feed(event)
    other = Answer(id="a", model="m", stop_reason=StopReason.END_TURN, blocks=(Text("Hello"),))
    assert rest(so_far, other) is None


# ---- Idempotency-Key ---------------------------------------------------------------


def test_the_same_key_and_body_are_paid_once(make: Make) -> None:
    bench = make()
    bench.says("oa", lambda: openai_whole("first"), lambda: openai_whole("second"))
    _, body = bench.whole(once="k1")
    again, same = bench.whole(once="k1")
    assert b"first" in body and b"first" in same and len(bench.connector.calls) == 1
    assert header(again, "x-pihub-cache") == "HIT; idempotency-key"
    assert header(again, "x-pihub-cost") == "0"
    assert [r.cost_nano > 0 for r in bench.records()] == [True, False]
    assert b"second" in bench.whole(once="k2")[1], "another key is another request"
    assert b"second" in bench.whole(once="k1", key=4)[1], "each API key has its own"
    assert b"second" in bench.whole()[1]


@pytest.mark.parametrize("client", ["openai", "anthropic", "ollama"])
def test_another_body_is_a_clear_error(make: Make, client: str) -> None:
    bench = make()
    bench.says("oa", lambda: openai_whole())
    more: dict[str, Any] = {"max_tokens": 9} if client == "anthropic" else {"stream": False}
    assert bench.whole(client, once="k", **more)[0].status == 200
    reply, body = bench.whole(client, once="k", text="other", **more)
    assert reply.status == 422
    assert "Idempotency-Key" in body.decode() and json.loads(body)["error"]
    assert len(bench.connector.calls) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x01"])
def test_a_malformed_key(make: Make, key: str) -> None:
    bench = make()
    assert bench.whole(once=key)[0].status == 400
    assert not bench.connector.calls


def test_a_failure_may_be_tried_again(make: Make) -> None:
    bench = make()
    bench.says("oa", UpstreamIncomplete("cut"), lambda: openai_whole())
    assert bench.whole(once="k")[0].status == 502
    assert bench.whole(once="k")[0].status == 200
    # Its body did not bind the key either.
    bench.says("oa", UpstreamIncomplete("cut"), lambda: openai_whole())
    assert bench.whole(once="n")[0].status == 502
    assert bench.whole(once="n", text="other")[0].status == 200


# ---- streams -----------------------------------------------------------------------


class Slow:
    """An upstream's stream that goes on when the test says so."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.ready = threading.Semaphore(0)
        self.chunks = chunks

    def __call__(self) -> FakeResponse:
        outer = self

        class Response(FakeResponse):
            def read_some(self) -> bytes:
                assert outer.ready.acquire(timeout=10)
                return super().read_some()

        return Response(*self.chunks, kind="text/event-stream")

    def go(self, count: int = 1) -> None:
        for _ in range(count):
            self.ready.release()


class Reading(threading.Thread):
    """A client that reads a stream."""

    def __init__(self, bench: Bench, **more: Any) -> None:
        super().__init__(daemon=True)
        self.bench, self.more = bench, more
        self.chunks: list[bytes] = []
        self.reply: Reply | None = None
        self.start()

    def run(self) -> None:
        self.reply = self.bench.ask(stream=True, **self.more)
        body = self.reply.body
        if isinstance(body, bytes):
            self.chunks.append(body)
            return
        for chunk in body:
            self.chunks.append(chunk)
        body.close()  # type: ignore[attr-defined]

    def until(self, word: str) -> None:
        end = time.monotonic() + 10
        while word.encode() not in b"".join(self.chunks):
            assert time.monotonic() < end, (word, self.chunks)
            time.sleep(0.002)

    @property
    def text(self) -> str:
        lines = [line[6:] for line in b"".join(self.chunks).decode().split("\n") if line]
        choices = [json.loads(line)["choices"] for line in lines if line != "[DONE]"]
        return "".join(one[0]["delta"].get("content") or "" for one in choices if one)


def dispatching(bench: Bench) -> None:
    with contextlib.suppress(InterruptedError):
        bench.flights.dispatch()


@pytest.fixture
def pair(make: Make) -> Iterator[tuple[Bench, Bench]]:
    """Two workers over one arena that really wait."""
    first = make(linger=5.0)
    second = make(state=first.state, slot=2, linger=5.0)
    threads = []
    for bench in (first, second):
        threads.append(threading.Thread(target=dispatching, args=(bench,), daemon=True))
        threads[-1].start()
    yield first, second
    for bench, thread in zip((first, second), threads, strict=True):
        bench.waiter.over = True
        os.eventfd_write(bench.state.eventfds[bench.slot], 1)
        thread.join(5)


@pytest.mark.parametrize("same_worker", [True, False])
@pytest.mark.parametrize("how", [{"temperature": 0}, {"once": "k"}], ids=["exact", "once"])
def test_followers_get_a_stream_live(
    pair: tuple[Bench, Bench], same_worker: bool, how: dict[str, Any]
) -> None:
    leader, other = pair
    other = leader if same_worker else other
    words = [f" w{n}" for n in range(6)]
    slow = Slow(openai_chunks(*words))
    leader.says("oa", slow)
    first = Reading(leader, **how)
    slow.go(4)
    first.until("w2")
    late = Reading(other, **how)
    while not leader.flights.followed(next(iter(leader.flights._led))):
        time.sleep(0.002)
    slow.go()
    late.until("w3")  # what came before it, and what came since: not only the end
    assert b"[DONE]" not in b"".join(late.chunks)
    slow.go(20)
    first.join(10)
    late.join(10)
    assert late.text == first.text == "".join(words)
    assert late.reply is not None and header(late.reply, "x-pihub-cache") == "HIT; live"
    assert not other.connector.calls or other is leader
    assert len(leader.connector.calls) == 1
    records = leader.records() + ([] if same_worker else other.records())
    assert sorted(r.cost_nano for r in records) == [0, 10 * 1000 + 6 * 2000]
    (shared,) = [r for r in records if not r.cost_nano]
    assert shared.cache == CacheState.SHARED and shared.saved_nano == 10 * 1000 + 6 * 2000


def test_a_leader_s_leaving_does_not_end_what_others_follow(pair: tuple[Bench, Bench]) -> None:
    leader, other = pair
    slow = Slow(openai_chunks("a", "b", "c"))
    leader.says("oa", slow)
    slow.go(2)
    reply = leader.ask(stream=True, temperature=0)
    next(reply.body)  # type: ignore[arg-type]
    late = Reading(other, temperature=0)
    while not leader.flights.followed(next(iter(leader.flights._led))):
        time.sleep(0.002)
    reply.body.close()  # type: ignore[union-attr]
    (work,) = leader.waiter.spawned
    slow.go(20)
    work()
    late.join(10)
    assert late.text == "abc"
    (record,) = leader.records()
    assert record.status == 499 and record.cost_nano == 10 * 1000 + 3 * 2000


def test_a_client_that_comes_back_joins_its_own_stream(pair: tuple[Bench, Bench]) -> None:
    leader, other = pair
    slow = Slow(openai_chunks("a", "b", "c"))
    leader.says("oa", slow)
    slow.go(2)
    reply = leader.ask(stream=True)  # not deterministic: nobody else would get it
    next(reply.body)  # type: ignore[arg-type]
    reply.body.close()  # type: ignore[union-attr]
    (work,) = leader.waiter.spawned
    background = threading.Thread(target=work, daemon=True)
    background.start()
    back = Reading(other)
    back.until('"a"')
    slow.go(20)
    back.join(10)
    background.join(10)
    assert back.text == "abc"
    assert back.reply is not None and header(back.reply, "x-pihub-cache") == "HIT; re-attached"
    assert len(leader.connector.calls) == 1 and not other.connector.calls


def test_an_orphan_s_whole_answer_is_given_once(make: Make) -> None:
    bench = make(linger=5.0)
    bench.says("oa", lambda: FakeResponse(*openai_chunks("a", "b"), kind="text/event-stream"))
    reply = bench.ask(stream=True)
    next(reply.body)  # type: ignore[arg-type]
    reply.body.close()  # type: ignore[union-attr]
    bench.waiter.spawned.pop()()
    assert header(bench.whole(stream=True, key=4)[0], "x-pihub-cache").startswith("BYPASS")
    assert header(bench.whole(stream=True)[0], "x-pihub-cache") == "HIT; re-attached"
    assert header(bench.whole(stream=True)[0], "x-pihub-cache").startswith("BYPASS")
    assert len(bench.connector.calls) == 3


def test_an_orphan_s_answer_is_purged_with_its_model(make: Make) -> None:
    bench = make(linger=60.0)
    bench.says("oa", lambda: FakeResponse(*openai_chunks("a", "b"), kind="text/event-stream"))
    names = bench.state.names
    for purged, kept in (("another", True), ("chat", False)):
        reply = bench.ask(stream=True)
        next(reply.body)  # type: ignore[arg-type]
        reply.body.close()  # type: ignore[union-attr]
        bench.waiter.spawned.pop()()
        CachePages(bench.state.cache).purge_tag(names.intern(purged))
        said = header(bench.whole(stream=True)[0], "x-pihub-cache")
        assert (said == "HIT; re-attached") is kept, said


@pytest.mark.parametrize(("linger", "chain"), [(0.0, "oa"), (5.0, "ol")])
def test_what_is_free_or_unwanted_ends_with_its_client(
    make: Make, linger: float, chain: str
) -> None:
    free = PriceTable({("openai", "gpt"): rates(1, 1), ("ollama", "llama"): rates(0, 0)}, "test")
    bench = make(linger=linger, chat=(chain,), prices=free)
    chunks = openai_chunks("a", "b")
    kind = "text/event-stream"
    if chain == "ol":
        line = {"model": "m", "message": {"role": "assistant", "content": "a"}, "done": False}
        chunks, kind = [json.dumps(line).encode() + b"\n"] * 3, "application/x-ndjson"
    bench.says(chain, FakeResponse(*chunks, kind=kind))
    reply = bench.ask(stream=True)
    next(reply.body)  # type: ignore[arg-type]
    reply.body.close()  # type: ignore[union-attr]
    assert not bench.waiter.spawned
    assert bench.connector.given[0].closes


def test_a_paid_stream_ends_when_its_time_is_over(make: Make) -> None:
    bench = make(linger=0.01)
    chunks = openai_chunks(*"abcdef")
    bench.says("oa", FakeResponse(*chunks, kind="text/event-stream"))
    reply = bench.ask(stream=True)
    next(reply.body)  # type: ignore[arg-type]
    reply.body.close()  # type: ignore[union-attr]
    work = bench.waiter.spawned.pop()
    response = bench.connector.given[0]
    real = response.read_some

    def slowly() -> bytes:
        time.sleep(0.02)
        return real()

    response.read_some = slowly  # type: ignore[method-assign]
    work()
    assert response.chunks and response.closes
    (record,) = bench.records()
    assert record.status == 499


def test_a_killed_leader_s_segments_are_no_one_s(pair: tuple[Bench, Bench]) -> None:
    """What a dead worker published is not taken for what its successor says."""
    first, other = pair
    slow = Slow(openai_chunks("a", "b"))
    first.says("oa", slow)
    slow.go(2)
    reply = first.ask(stream=True, temperature=0)
    next(reply.body)  # type: ignore[arg-type]
    for publisher in reply.body._publishers:  # type: ignore[union-attr]
        publisher.open()
    first.state.inflight.recover(first.slot)
    (flight,) = first.flights._led
    relay = other.lookup._sharing.relay  # type: ignore[union-attr]
    joined = relay.join(flight, 1, patience=1.0, client_fd=-1, final=lambda: None)
    assert joined is None
    slow.go(20)
    reply.body.close()  # type: ignore[union-attr]
    for work in first.waiter.spawned:
        work()


def test_an_old_answer_is_given_where_every_upstream_fails(make: Make) -> None:
    bench = make(ttl=0.1)
    bench.says("oa", lambda: openai_whole("kept"))
    assert bench.whole(temperature=0)[0].status == 200
    time.sleep(0.2)
    bench.says("oa", UpstreamIncomplete("down"))
    # A paid call that was cut costs its prompt: that must not be hidden by an old answer.
    assert bench.whole(temperature=0)[0].status == 502
    bench.says("oa", UpstreamUnreachable("down"))
    reply, body = bench.whole(temperature=0)
    assert reply.status == 200 and b"kept" in body
    assert header(reply, "x-pihub-cache").startswith("STALE; ")
    assert bench.whole(temperature=0, tenant=2)[0].status == 502
    assert bench.whole(temperature=0, text="other")[0].status == 502
