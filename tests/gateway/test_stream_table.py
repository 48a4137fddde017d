"""Streams in the shared table: seen while they run, gathered, cancelled, given back."""

from __future__ import annotations

import itertools
import time

import pytest

from pihub.domain.brief import microseconds
from pihub.gateway.pace import Pace
from pihub.shared.state import STREAMS
from pihub.shared.streams import LiveStreams
from tests.gateway.parts import Bench, FakeWaiter, openai_chunks, openai_stream


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.state.arena.claim_slot(made.slot, 123)
    made.state.process_began(made.slot)
    return made


def live(bench: Bench) -> LiveStreams:
    return LiveStreams(bench.state.streams, bench.state.names, STREAMS)


def test_a_stream_is_seen_while_it_runs(bench: Bench) -> None:
    bench.says("oa", openai_stream(*openai_chunks("one", "two", "three")))
    reply = bench.ask(stream=True)
    assert next(iter(reply.body))  # type: ignore[arg-type]
    (row,) = live(bench).rows()
    assert (row.model, row.upstream, row.alias, row.key, row.tenant) == ("gpt", "oa", "chat", 3, 1)
    assert row.bytes > 0
    for _ in reply.body:  # type: ignore[union-attr]
        pass
    assert live(bench).rows() == []


def test_a_cancelled_stream_ends_with_an_error_and_is_billed(bench: Bench) -> None:
    bench.says("oa", openai_stream(*openai_chunks("one", "two", "three")))
    reply = bench.ask(stream=True)
    body = iter(reply.body)  # type: ignore[arg-type]
    next(body)
    next(body)
    (row,) = live(bench).rows()
    assert live(bench).cancel(row)
    rest = b"".join(body)
    assert b"stream_cancelled" in rest and b"[DONE]" not in rest
    (record,) = bench.records()
    assert record.status == 503 and record.cost_nano > 0
    assert bench.name(record.error) == "stream_cancelled"
    assert live(bench).rows() == []
    bench.assert_nothing_held()


def test_stalls_and_waits_are_recorded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.connector.waits = (2_000_000, 500_000)
    clock = itertools.count(time.monotonic_ns(), 6 * 10**9)  # above streams.stall
    monkeypatch.setattr("pihub.shared.streams.monotonic_ns", lambda: next(clock))
    bench.says("oa", openai_stream(*openai_chunks("one", "two", "three")))
    list(bench.ask(stream=True).body)  # type: ignore[union-attr]
    (record,) = bench.records()
    assert record.stalls > 0
    assert microseconds(record.queued) == pytest.approx(2000, rel=0.05)
    assert microseconds(record.dialed) == pytest.approx(500, rel=0.05)


def test_what_came_together_is_sent_together(bench: Bench) -> None:
    chunks = openai_chunks("one", "two", "three")
    bench.says("oa", openai_stream(b"".join(chunks[:3]), b"".join(chunks[3:])))
    reply = bench.ask(stream=True)
    sent = list(reply.body)  # type: ignore[arg-type]
    assert len(sent) == 2
    bench.says("oa", openai_stream(*chunks))
    reply = bench.ask(stream=True)
    assert b"".join(reply.body) == b"".join(sent), "the same bytes"  # type: ignore[arg-type]


def test_a_busy_worker_gathers_and_an_idle_one_does_not() -> None:
    waiter = FakeWaiter()
    streams = 1
    pace = Pace(waiter, lambda: streams, gap=0.04, busy_from=2)
    wait = pace.begin(-1)
    assert wait is not None
    wait()
    assert waiter.slept == []
    streams = 2
    wait()
    (slept,) = waiter.slept
    assert 0.002 < slept <= 0.04
    assert Pace(waiter, lambda: 9, gap=0.0, busy_from=1).begin(-1) is None


def test_the_first_content_is_never_held(bench: Bench) -> None:
    pace = Pace(bench.waiter, lambda: 99, gap=0.5, busy_from=1)  # type: ignore[arg-type]
    bench.call._receive._pace = pace
    bench.says("oa", openai_stream(*openai_chunks("one", "two")))
    reply = bench.ask(stream=True)
    assert bench.waiter.slept == []
    list(reply.body)  # type: ignore[arg-type]
    assert bench.waiter.slept
