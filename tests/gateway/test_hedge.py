"""Hedged calls: real waits and threads, upstreams that answer after times that the tests say."""

from __future__ import annotations

import gc
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pihub.domain.budget import Plan
from pihub.domain.event import Reason
from pihub.domain.target import Principal
from pihub.errors import UpstreamUnreachable
from pihub.gateway.exchange import Exchange, Reply
from pihub.gateway.hedge import ENOUGH, Hedge
from pihub.gateway.plan import Rules
from pihub.gateway.purse import Purse
from pihub.gateway.race import Race, Racer
from pihub.server.waiter_poll import PollWaiter
from pihub.shared.budgets import Budgets, Spent
from pihub.shared.metrics import Column
from pihub.shared.routing import Cell, Event, now_ms
from pihub.shared.spending import PlanReader, publish
from tests.gateway.parts import (
    NDJSON,
    PRICES,
    SSE,
    FakeResponse,
    anthropic_chunks,
    anthropic_whole,
    header,
    ollama_chunks,
    ollama_stream,
    openai_chunks,
    openai_whole,
    refusal,
)
from tests.gateway.routed import RoutedBench

WAITER = PollWaiter()
SOON, LATE = 0.02, 20.0
HEDGED = {"chat": Rules(hedge_ms=60)}
Make = Callable[..., RoutedBench]


class Timed(FakeResponse):
    """A chunk that is a number is a time of silence, which its client's leaving ends; one that can
    be called is a silence until that returns."""

    client_fd = -1

    def read_some(self) -> bytes:
        while self.chunks and (isinstance(self.chunks[0], float) or callable(self.chunks[0])):
            silence: Any = self.chunks.pop(0)
            if callable(silence):
                silence()
            else:
                WAITER.sleep(silence, client_fd=self.client_fd)
        return super().read_some()


def timed(*chunks: Any, kind: str = SSE) -> Callable[[], FakeResponse]:
    return lambda: Timed(*chunks, kind=kind)


def whole(
    after: float | Callable[[], None], made: Callable[[], FakeResponse]
) -> Callable[[], FakeResponse]:
    return lambda: Timed(after, *made().chunks)  # type: ignore[arg-type]


@pytest.fixture
def hedged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    made: list[RoutedBench] = []

    def build(share: float = 1.0, **more: Any) -> RoutedBench:
        bench = RoutedBench(**{"rules": HEDGED, "chat": ("oa", "an"), **more})
        plain = bench.connector.request

        def request(*said: Any, client_fd: int = -1, **rest: Any) -> FakeResponse:
            response = plain(*said, client_fd=client_fd, **rest)
            response.client_fd = client_fd  # type: ignore[attr-defined]
            return response

        monkeypatch.setattr(bench.connector, "request", request)
        waiter: Any = PollWaiter()
        bench.turns._waiter = waiter
        bench.call._waiter = waiter
        bench.call._hedge = Hedge(
            waiter, bench.speeds, bench.state, bench.slot, frozenset({"ol"}),
            lambda target: not PRICES.is_free(target.kind, target.model), share=share,
        )  # fmt: skip
        made.append(bench)
        return bench

    yield build
    for bench in made:
        until(lambda bench=bench: not any(t.name == "beside" for t in threading.enumerate()))
        bench.assert_nothing_held()
        assert bench.state.streams.rows() == [], "every row of a live stream is freed"


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def decided(bench: RoutedBench, calls: int = 1) -> Callable[[], None]:
    """A silence until a hedge was sent or denied in so many calls, however busy the machine is."""
    return lambda: until(
        lambda: bench.event(Event.HEDGED) + bench.event(Event.HEDGE_DENIED) >= calls
    )


def cost_and_tokens(bench: RoutedBench) -> tuple[int, int]:
    (record,) = bench.records()
    return record.cost_nano, record.attempts


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# ---- who answers -------------------------------------------------------------------


def test_a_first_target_in_time_is_alone(hedged: Make) -> None:
    bench = hedged()
    bench.says("oa", lambda: openai_whole("first"))
    reply, body = bench.whole()
    assert b"first" in body
    assert bench.connector.hosts == ["oa"]
    assert header(reply, "x-pihub-reason") == "first choice"
    assert bench.event(Event.HEDGED) == 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_late_first_target_loses_to_the_second(hedged: Make, stream: bool) -> None:
    bench = hedged()
    bench.says("oa", timed(*openai_chunks()[:1], LATE) if stream else whole(LATE, openai_whole))
    bench.says("an", timed(SOON, *anthropic_chunks("sec", "ond")) if stream
               else whole(SOON, lambda: anthropic_whole("second")))  # fmt: skip
    start = time.monotonic()
    reply, body = bench.whole(stream=stream)
    assert 0.06 <= time.monotonic() - start < LATE / 4
    assert b"sec" in body
    assert b"ond" in body
    assert bench.connector.hosts == ["oa", "an"]
    assert header(reply, "x-pihub-route") == "an/claude"
    assert header(reply, "x-pihub-reason").startswith("first choice; hedged after ")
    assert header(reply, "x-pihub-reason").endswith("ms: an/claude answered before oa/gpt")
    assert (bench.event(Event.HEDGED), bench.event(Event.HEDGE_WON)) == (1, 1)
    (record,) = bench.records()
    assert Reason(record.reason) is Reason.HEDGE_WON
    assert record.attempts == 2
    assert bench.count(Column.FALLBACKS) == 0, "nothing had failed"


@pytest.mark.parametrize("stream", [False, True])
def test_the_first_may_still_be_faster(hedged: Make, stream: bool) -> None:
    bench = hedged()
    late = decided(bench)
    bench.says("oa", timed(late, *openai_chunks("fir", "st")) if stream
               else whole(late, lambda: openai_whole("first")))  # fmt: skip
    bench.says("an", timed(*anthropic_chunks()[:1], LATE) if stream
               else whole(LATE, anthropic_whole))  # fmt: skip
    reply, body = bench.whole(stream=stream)
    assert b"fir" in body
    assert bench.connector.hosts == ["oa", "an"]
    assert header(reply, "x-pihub-reason").endswith("ms, the first was faster")
    assert (bench.event(Event.HEDGED), bench.event(Event.HEDGE_WON)) == (1, 0)
    (record,) = bench.records()
    assert Reason(record.reason) is Reason.FIRST_CHOICE


def test_nothing_of_the_loser_reaches_the_client(hedged: Make) -> None:
    bench = hedged(rules={"chat": Rules(hedge_ms=20)})
    for number in range(30):
        # Both speak at about the same time: each answer is wholly of one.
        bench.says("oa", timed(0.03, *openai_chunks("a", "a", "a"), kind=SSE))
        bench.says("an", timed(0.01, *anthropic_chunks("b", "b", "b"), kind=SSE))
        _, body = bench.whole(stream=True, text=f"question {number}")
        told = (body.count(b'"a"'), body.count(b'"b"'))
        assert told in ((3, 0), (0, 3)), body
        assert body.count(b"[DONE]") == 1
    assert len(bench.records()) == 30


# ---- the bill ----------------------------------------------------------------------


def test_a_loser_costs_what_it_had_told(hedged: Make) -> None:
    bench = hedged(chat=("an", "oa"))
    bench.says("an", timed(*anthropic_chunks()[:1], LATE))  # message_start: 10 tokens in, 1 out
    bench.says("oa", timed(*openai_chunks("second")))
    bench.whole(stream=True)
    own = 10 * 1000 + 1 * 2000
    lost = 10 * 1000 + 1 * 5000
    assert cost_and_tokens(bench) == (own + lost, 2)


def test_a_loser_that_told_nothing_costs_its_prompt(hedged: Make) -> None:
    bench = hedged()
    bench.says("oa", whole(LATE, openai_whole))
    bench.says("an", lambda: anthropic_whole("second"))
    request = bench.incoming()
    prompt = max(1, len(request.body) // 4)
    bench.pipeline.handle(request)
    assert cost_and_tokens(bench) == (10 * 1000 + 5 * 5000 + prompt * 1000, 2)


def test_a_free_loser_costs_nothing(hedged: Make) -> None:
    bench = hedged(chat=("ol", "oa"))
    bench.says("ol", timed(LATE, kind=NDJSON))
    bench.says("oa", lambda: openai_whole("second"))
    _, body = bench.whole()
    assert b"second" in body
    assert cost_and_tokens(bench) == (10 * 1000 + 5 * 2000, 2)


def test_a_loser_that_never_reached_its_upstream_costs_nothing(hedged: Make) -> None:
    bench = hedged(chat=("ol", "oa"), queue=(1, 4))
    row = bench.rows["ol"]
    ticket = bench.state.queues.enter(row, 2, 99, 0, 5000, 0, now_ms())
    bench.state.queues.turn(row, ticket, now_ms())
    bench.says("oa", lambda: openai_whole("second"))
    _, body = bench.whole()
    assert b"second" in body
    assert bench.connector.hosts == ["oa"]
    assert cost_and_tokens(bench) == (10 * 1000 + 5 * 2000, 1)
    until(lambda: bench.state.queues.load(row, now_ms())[0] == 0)
    bench.state.queues.leave(row, ticket, now_ms())


def budgeted(bench: RoutedBench, day: int) -> Callable[[], Spent]:
    """The hub may spend `day` nano-USD a day; what it has spent."""
    budgets = Budgets(bench.state.budgets, bench.slot, bench.state.arena.secret)
    bench.state.budgets.begin(bench.slot, 1)
    purse = Purse(budgets, PlanReader(bench.state.spending), PRICES)
    bench.call._purse = purse
    bench.pipeline._last = (purse.settle, *bench.pipeline._last)
    assert budgets.limit("hub", "", day=day, soft_day=0)
    publish(bench.state.spending, Plan({"hub": "refuse"}, {}, False))

    def spent() -> Spent:
        found = budgets.state("hub", "", purse.window())
        assert found is not None
        return found

    return spent


def test_both_calls_are_reserved_and_settled_once(hedged: Make) -> None:
    bench = hedged(chat=("an", "oa"))
    spent = budgeted(bench, 10**9)
    reserved = []

    def answers() -> FakeResponse:
        reserved.append(spent().reserved)
        return openai_whole("second")

    bench.says("an", whole(LATE, anthropic_whole))
    bench.says("oa", answers)
    bench.whole(max_tokens=100)
    assert reserved[0] > 100 * (5000 + 2000), "both whole answers"
    cost, attempts = cost_and_tokens(bench)
    assert attempts == 2
    assert (spent().day, spent().reserved) == (cost, 0)


def test_a_budget_without_room_for_two_allows_one(hedged: Make) -> None:
    bench = hedged(chat=("an", "oa"))
    spent = budgeted(bench, 100 * 5000 + 100 * 1000)  # the first, and no second
    slow_first(bench, "an")
    bench.says("oa", lambda: openai_whole("second"))
    reply, _ = bench.whole(max_tokens=100)
    assert reply.status == 200
    assert bench.connector.hosts == ["an"]
    assert (bench.event(Event.HEDGED), bench.event(Event.HEDGE_REFUSED)) == (0, 1)
    assert spent().reserved == 0


def test_what_failed_in_the_race_holds_nothing_back(hedged: Make) -> None:
    bench = hedged(chat=("an", "oa", "oa2"))
    spent = budgeted(bench, 100 * (5000 + 2000) + 200 * 1000)
    bench.says("an", timed(0.1, UpstreamUnreachable("gone")))
    bench.says("oa", refusal(500))
    bench.says("oa2", lambda: openai_whole("third"))
    reply, body = bench.whole(stream=True, max_tokens=100)
    assert b"third" in body, "the two before have given their reservations back"
    assert reply.status == 200
    assert spent().reserved == 0


# ---- failures ----------------------------------------------------------------------


def test_a_loser_says_nothing_about_its_upstream(hedged: Make) -> None:
    bench = hedged(failures=1, open_seconds=0.05)
    bench.says("oa", UpstreamUnreachable("down"), whole(LATE, openai_whole))
    bench.says("an", lambda: anthropic_whole("second"))
    bench.whole(text="1")
    assert bench.health("oa") == (0, 1)
    time.sleep(0.06)  # half open: the next call is its probe
    bench.whole(text="2")
    assert bench.event(Event.HEDGED) == 1
    until(lambda: not any(t.name == "beside" for t in threading.enumerate()))
    assert bench.health("oa") == (0, 1), "neither well nor failed"
    bench.says("oa", lambda: openai_whole("back"))
    _, body = bench.whole(text="3")
    assert b"back" in body, "the probe's lease was given back"


def test_a_first_target_that_fails_after_the_hedge(hedged: Make) -> None:
    bench = hedged()
    bench.says("oa", timed(0.1, UpstreamUnreachable("gone")))
    bench.says("an", timed(0.2, *anthropic_chunks("second")))
    reply, body = bench.whole(stream=True)
    assert b"second" in body
    assert header(reply, "x-pihub-reason").startswith(
        "fallback after oa/gpt: upstream_unreachable; hedged after "
    )
    (record,) = bench.records()
    assert Reason(record.reason) is Reason.FALLBACK_UNREACHABLE
    assert bench.count(Column.FALLBACKS) == 1


def test_a_hedge_that_fails_changes_nothing(hedged: Make) -> None:
    bench = hedged()
    bench.says("oa", whole(0.2, lambda: openai_whole("first")))
    bench.says("an", refusal(500))
    reply, body = bench.whole()
    assert b"first" in body
    assert header(reply, "x-pihub-route") == "oa/gpt"
    assert "fallback" not in header(reply, "x-pihub-reason")
    assert bench.health("an") == (0, 1)


def test_if_both_fail_the_chain_goes_on(hedged: Make) -> None:
    bench = hedged(chat=("oa", "an", "oa2"))
    bench.says("oa", timed(0.1, UpstreamUnreachable("gone")))
    bench.says("an", refusal(500))
    bench.says("oa2", lambda: openai_whole("third"))
    reply, body = bench.whole(stream=True)
    assert b"third" in body
    assert bench.connector.hosts == ["oa", "an", "oa2"]
    why = header(reply, "x-pihub-reason")
    assert "oa/gpt: upstream_unreachable" in why
    assert "an/claude: " in why


def test_an_answer_that_breaks_off_lets_the_one_that_was_left_try_again(hedged: Make) -> None:
    # Whole answers of Ollama are collected from a stream: one that began may still fail.
    bench = hedged(chat=("oa", "ol"))
    bench.says("oa", whole(LATE, openai_whole), lambda: openai_whole("again"))
    bench.says("ol", timed(*ollama_chunks("half", done=False), 0.05, UpstreamUnreachable("cut"),
                           kind=NDJSON))  # fmt: skip
    _, body = bench.whole()
    assert b"again" in body
    assert bench.connector.hosts == ["oa", "ol", "oa"]


# ---- clients -----------------------------------------------------------------------


def leaves(bench: RoutedBench, after: float, **more: Any) -> tuple[Reply, float]:
    ours, theirs = socket.socketpair()
    timer = threading.Timer(after, theirs.close)
    timer.start()
    start = time.monotonic()
    try:
        return bench.ask(client_fd=ours.fileno(), **more), time.monotonic() - start
    finally:
        timer.join()
        ours.close()


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_ends_both(hedged: Make, stream: bool) -> None:
    bench = hedged(chat=("an", "oa"))
    bench.says("an", timed(*anthropic_chunks()[:1], LATE) if stream
               else whole(LATE, anthropic_whole))  # fmt: skip
    bench.says("oa", timed(LATE) if stream else whole(LATE, openai_whole))
    # Paid whole answers that are to be kept go on; at a temperature nothing is kept.
    reply, took = leaves(bench, 0.2, stream=stream, temperature=0.9)
    assert reply.status == 499
    assert took < LATE / 4
    (record,) = bench.records()
    assert (record.status, record.attempts) == (499, 2)
    assert record.cost_nano > 0, "both had begun"


def test_the_winner_of_a_stream_watches_the_real_client(hedged: Make) -> None:
    bench = hedged()
    bench.says("oa", timed(LATE))
    bench.says("an", timed(*anthropic_chunks("one")[:3], LATE))
    ours, theirs = socket.socketpair()
    reply = bench.ask(client_fd=ours.fileno(), stream=True, temperature=0.9)
    body = iter(reply.body)  # type: ignore[arg-type]
    while b"one" not in next(body):
        pass
    theirs.close()
    start = time.monotonic()
    with pytest.raises(StopIteration):
        next(body)
    assert time.monotonic() - start < LATE / 4
    ours.close()
    (record,) = bench.records()
    assert record.status == 499


def test_descriptors_are_given_back(hedged: Make) -> None:
    bench = hedged(rules={"chat": Rules(hedge_ms=1)})
    bench.says("oa", whole(LATE, openai_whole))
    bench.says("an", lambda: anthropic_whole("second"))
    bench.whole(text="warm")
    until(lambda: not any(t.name == "beside" for t in threading.enumerate()))
    gc.collect()  # what other tests have left
    before = descriptors()
    for number in range(20):
        bench.whole(text=f"question {number}")
    until(lambda: not any(t.name == "beside" for t in threading.enumerate()))
    assert descriptors() == before


# ---- when not ----------------------------------------------------------------------


def slow_first(bench: RoutedBench, host: str = "oa", after: float = 0.2) -> None:
    made = {"oa": openai_whole, "an": anthropic_whole}
    if host == "ol":
        bench.says("ol", timed(after, *ollama_chunks("first"), kind=NDJSON))
    else:
        bench.says(host, whole(after, made[host]))


def test_hedges_are_a_share_of_the_calls(hedged: Make) -> None:
    bench = hedged(share=0.1, rules={"chat": Rules(hedge_ms=1)})
    bench.says("an", whole(LATE, anthropic_whole))
    for number in range(30):
        # Not before that: an answer after a fixed time may overtake the hedge on a busy machine.
        bench.says("oa", whole(decided(bench, number + 1), openai_whole))
        bench.whole(text=f"question {number}")
    assert bench.event(Event.HEDGED) == 12, "ten saved up at the start, and a tenth of thirty"
    assert bench.event(Event.HEDGE_DENIED) == 18


def test_what_was_not_sent_is_not_taken_off_the_share(hedged: Make) -> None:
    """Nobody else could be asked, twelve times; then somebody can, and there is a share left."""
    bench = hedged(share=0.01, rules={"chat": Rules(hedge_ms=1, deadline_ms=5000)})
    bench.knows("an", DECODE=5.0, OUTPUT=500.0, PREFILL=0.0, FIRST=1.0)  # 101 s
    for number in range(12):
        refused = number + 1
        bench.says("oa", whole(
            lambda refused=refused: until(lambda: bench.event(Event.HEDGE_REFUSED) >= refused),
            openai_whole,
        ))  # fmt: skip
        bench.whole(text=f"question {number}")
    assert (bench.event(Event.HEDGE_REFUSED), bench.event(Event.HEDGE_DENIED)) == (12, 0)


def test_no_share_no_hedge(hedged: Make) -> None:
    bench = hedged(share=0.0)
    slow_first(bench)
    bench.whole()
    assert bench.connector.hosts == ["oa"]
    assert bench.event(Event.HEDGE_DENIED) == 0


def test_never_where_the_model_does_not_wish_it(hedged: Make) -> None:
    """However well the hub knows how long its first target takes."""
    bench = hedged(rules={"chat": Rules(deadline_ms=5000)})
    bench.speeds.put(bench.target("oa"), Cell.WHOLE_P95, 0.001, ENOUGH)
    slow_first(bench)
    bench.says("an", lambda: anthropic_whole("second"))
    bench.whole()
    assert bench.connector.hosts == ["oa"]


def test_once_a_request(hedged: Make) -> None:
    """Both have failed, and the chain goes on: whoever comes next is waited for."""
    bench = hedged(chat=("oa", "an", "oa/b", "an/b"), rules={"chat": Rules(hedge_ms=1)})

    def away() -> FakeResponse:
        decided(bench)()
        raise UpstreamUnreachable("away")

    answers = iter([away, whole(0.2, lambda: openai_whole("third"))])
    bench.says("oa", lambda: next(answers)())
    bench.says("an", UpstreamUnreachable("away"))
    _, body = bench.whole()
    assert b"third" in body
    assert bench.connector.hosts == ["oa", "an", "oa"]
    assert bench.event(Event.HEDGED) == 1


def test_never_for_an_answer_that_nobody_waits_for(hedged: Make) -> None:
    bench = hedged(rules={"chat": Rules(hedge_ms=1)}, ttl=0.05, meanwhile=100.0)
    bench.says("oa", lambda: openai_whole("first"))
    bench.whole(temperature=0)
    slow_first(bench)
    bench.says("an", lambda: anthropic_whole("second"))
    until(lambda: bench.whole(temperature=0, wish="only")[0].status != 200)
    before = bench.event(Event.HEDGED)
    assert header(bench.whole(temperature=0)[0], "x-pihub-cache").startswith("STALE; stale-while")
    spawned, bench.waiter.spawned = bench.waiter.spawned, []
    assert spawned
    for fetch in spawned:
        fetch()
    assert bench.event(Event.HEDGED) == before
    assert bench.connector.hosts[-1] == "oa"


def test_never_for_local_only(hedged: Make) -> None:
    bench = hedged(chat=("ol", "oa"), keys={3: "local-only"})
    slow_first(bench, "ol")
    bench.whole()
    assert bench.connector.hosts == ["ol"]
    request = bench.incoming(text="another")
    request.principal = Principal(key=4, tenant=1)
    request.policy = "local-only"
    bench.pipeline.handle(request)
    assert bench.connector.hosts == ["ol", "ol"]


def test_never_two_into_one_local_upstream(hedged: Make) -> None:
    bench = hedged(chat=("ol", "ol/other"))
    slow_first(bench, "ol")
    bench.whole()
    assert bench.connector.hosts == ["ol"]
    assert bench.event(Event.HEDGE_REFUSED) == 0, "it is not watched at all"
    bench = hedged(chat=("ol", "ol/other", "oa"))
    slow_first(bench, "ol")
    bench.says("oa", lambda: openai_whole("third"))
    _, body = bench.whole()
    assert bench.connector.hosts == ["ol", "oa"]
    assert b"third" in body


def test_not_what_could_not_keep_the_deadline(hedged: Make) -> None:
    bench = hedged(rules={"chat": Rules(hedge_ms=60, deadline_ms=5000)})
    slow_first(bench)
    bench.says("an", lambda: anthropic_whole("second"))
    bench.knows("an", DECODE=5.0, OUTPUT=500.0, PREFILL=0.0, FIRST=1.0)  # 101 s
    bench.whole()
    assert bench.connector.hosts == ["oa"]
    assert bench.event(Event.HEDGE_REFUSED) == 1


def test_not_a_draft(hedged: Make) -> None:
    bench = hedged(
        chat=("ol", "oa"), rules={"chat": Rules(hedge_ms=60, verify=("empty",), policy="chain")}
    )
    slow_first(bench, "ol")
    reply, _ = bench.whole()
    assert bench.connector.hosts == ["ol"]
    assert header(reply, "x-pihub-reason").endswith("draft verified")


# ---- auto --------------------------------------------------------------------------


def test_auto_waits_for_enough_answers_and_then_for_the_percentile(hedged: Make) -> None:
    bench = hedged(rules={"chat": Rules(hedge_auto=True)})
    bench.says("an", lambda: anthropic_whole("second"))
    slow_first(bench, after=0.01)
    for number in range(ENOUGH):
        bench.whole(text=f"question {number}")
    known, samples = bench.speeds.read(bench.target("oa"), Cell.WHOLE_P95)
    assert samples == ENOUGH
    assert 0.01 <= known < 0.2
    assert bench.event(Event.HEDGED) == 0
    slow_first(bench, after=LATE)
    start = time.monotonic()
    _, body = bench.whole(text="late")
    assert b"second" in body
    assert time.monotonic() - start < LATE / 4
    assert bench.speeds.read(bench.target("oa"), Cell.WHOLE_P95)[0] > known, "one more was late"
    assert bench.speeds.read(bench.target("oa"), Cell.FIRST_P95)[1] == 0, "no stream yet"


def test_streams_and_whole_answers_are_learnt_apart(hedged: Make) -> None:
    bench = hedged(rules={"chat": Rules(hedge_auto=True)})
    counter = itertools.count()
    bench.says("oa", timed(0.01, *openai_chunks("a", "b"), 0.1))
    bench.whole(stream=True, text=f"{next(counter)}")
    known, samples = bench.speeds.read(bench.target("oa"), Cell.FIRST_P95)
    assert samples == 1
    assert 0.01 <= known < 0.1, "to the first content, not to the end"
    assert bench.speeds.read(bench.target("oa"), Cell.WHOLE_P95)[1] == 0


def test_what_waited_is_on_the_record(hedged: Make) -> None:
    bench = hedged()
    bench.connector.waits = (3_000_000, 4_000_000)
    bench.says("oa", lambda: openai_whole("first"))
    bench.whole()
    (record,) = bench.records()
    assert record.queued and record.dialed


@pytest.mark.parametrize("lacking", ["pipe2", "eventfd"])
def test_out_of_descriptors_the_first_is_asked_alone_and_nothing_is_left_open(
    hedged: Make, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    bench = hedged()
    bench.says("oa", lambda: openai_whole("first"))
    bench.whole(text="warm")
    gc.collect()
    before = descriptors()

    def none(*_: int) -> tuple[int, int]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, lacking, none)
    for number in range(3):
        reply, body = bench.whole(text=f"question {number}")
        assert reply.status == 200 and b"first" in body
    assert bench.connector.hosts == ["oa"] * 4
    assert descriptors() == before


def test_no_thread_is_left_for_a_race(hedged: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = hedged()
    bench.says("oa", lambda: openai_whole("first"))

    def none(work: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(bench.call._hedge._waiter, "spawn", none)  # type: ignore[union-attr]
    before = descriptors()
    reply, body = bench.whole()
    assert reply.status == 200 and b"first" in body
    assert descriptors() == before


def test_a_second_target_that_must_be_checked_first_is_not_asked(hedged: Make) -> None:
    bench = hedged(
        chat=("oa", "ol", "an"), rules={"chat": Rules(hedge_ms=30, verify=("empty",))}
    )
    slow_first(bench)
    bench.says("ol", lambda: ollama_stream(*ollama_chunks("")))
    bench.says("an", lambda: anthropic_whole("third"))
    bench.whole()
    assert "ol" not in bench.connector.hosts


def test_after_its_end_a_race_takes_no_word(hedged: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its descriptor may be another's by then, and its request has its answer."""
    bench = hedged()
    x = Exchange(bench.incoming())
    race = Race(x, PollWaiter(), lambda _: False)
    late = Racer(race, x, bench.target("oa"))
    race.racers.append(late)
    race.end()
    written: list[int] = []
    monkeypatch.setattr(os, "eventfd_write", lambda fd, _: written.append(fd))
    race.tell()
    assert written == []
    assert not late.first() and race.winner is None
    late.drop()


def test_a_request_sleeps_while_its_second_call_works(
    hedged: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The word that the first has failed is taken, or each wait after it would end at once."""
    bench = hedged(rules={"chat": Rules(hedge_ms=1)})

    def away() -> FakeResponse:
        decided(bench)()
        raise UpstreamUnreachable("away")

    bench.says("oa", away)
    bench.says("an", whole(0.3, lambda: anthropic_whole("second")))
    waits: list[int] = []
    plain = Race._decided

    def looked(race: Race) -> bool:
        waits.append(0)
        return plain(race)

    monkeypatch.setattr(Race, "_decided", looked)
    _, body = bench.whole()
    assert b"second" in body
    assert len(waits) < 10


def test_no_thread_is_left_for_the_second(hedged: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = hedged(rules={"chat": Rules(hedge_ms=20)})
    spent = budgeted(bench, 10**9)
    slow_first(bench)
    waiter = bench.call._hedge._waiter  # type: ignore[union-attr]
    plain, begun = waiter.spawn, []

    def one(work: Callable[[], None]) -> None:
        if begun:
            raise RuntimeError("can't start new thread")
        begun.append(work)
        plain(work)

    monkeypatch.setattr(waiter, "spawn", one)
    reply, _ = bench.whole()
    assert header(reply, "x-pihub-reason") == "first choice"
    assert bench.connector.hosts == ["oa"]
    assert (bench.event(Event.HEDGED), bench.event(Event.HEDGE_REFUSED)) == (0, 1)
    assert spent().reserved == 0
    assert spent().day == cost_and_tokens(bench)[0]
