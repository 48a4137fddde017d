"""Long waits for a first token: the head goes out, pings follow, and then the stream."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from pihub.errors import ClientGone, UpstreamUnreachable
from pihub.gateway.exchange import Exchange, Reply
from pihub.gateway.patience import Beside, Patience, WaitingBody
from pihub.gateway.pipeline import Pipeline
from pihub.shared.events import Flag
from tests.gateway.parts import (
    NDJSON,
    SSE,
    USAGE,
    Bench,
    FakeResponse,
    anthropic_chunks,
    header,
    ollama_chunks,
    openai_chunks,
    openai_stream,
    openai_whole,
)
from tests.gateway.parts import make as make  # the fixture
from tests.readable import readable

Make = Callable[..., Bench]


class Slow:
    """An upstream that answers when it is let."""

    def __init__(self, said: Callable[[], Any]) -> None:
        self.said = said
        self.go = threading.Event()
        self.asked = threading.Event()

    def __call__(self) -> FakeResponse:
        self.asked.set()
        assert self.go.wait(10)
        found = self.said()
        if isinstance(found, BaseException):
            raise found
        assert isinstance(found, FakeResponse)
        return found


@pytest.fixture
def patient(make: Make) -> Iterator[Callable[..., tuple[Bench, Slow]]]:
    slows: list[Slow] = []

    def build(said: Callable[[], Any] = openai_stream, ping: float = 0.05) -> tuple[Bench, Slow]:
        bench, slow = make(chat=("oa",), local=("ol",)), Slow(said)
        bench.waiter.spawn = lambda work: threading.Thread(target=work, daemon=True).start()  # type: ignore[method-assign]
        factory = partial(
            Patience, bench.waiter, bench.record.headers, frozenset({"chat", "local"}), ping
        )
        bench.pipeline = Pipeline(replace(bench.stages, patience=factory))
        bench.says("oa", slow)
        bench.says("ol", slow)
        slows.append(slow)
        return bench, slow

    yield build
    for slow in slows:
        slow.go.set()


def chunks(reply: Reply) -> Iterator[bytes]:
    assert isinstance(reply.body, WaitingBody)
    return reply.body


def closed(reply: Reply) -> None:
    reply.body.close()  # type: ignore[union-attr]


def recorded(bench: Bench) -> Any:
    """The one record; whoever comes last writes it."""
    deadline = time.monotonic() + 5
    while not (found := bench.records()) and time.monotonic() < deadline:
        time.sleep(0.01)
    (one,) = found
    return one


def test_what_is_in_time_is_as_ever(patient: Any) -> None:
    bench, slow = patient(ping=5.0)
    slow.go.set()
    reply = bench.ask(stream=True)
    assert header(reply, "x-pihub-route") == "oa/gpt"
    assert b"".join(reply.body).endswith(b"data: [DONE]\n\n")
    closed(reply)
    assert recorded(bench).status == 200


def test_pings_and_then_the_stream(patient: Any) -> None:
    bench, slow = patient()
    reply = bench.ask(stream=True)
    assert reply.status == 200 and header(reply, "content-type") == "text/event-stream"
    assert "x-pihub-route" not in dict(reply.headers), "nobody knows yet"
    body = chunks(reply)
    assert [next(body), next(body), next(body)] == [b": waiting\n\n"] * 3
    slow.go.set()
    rest = b"".join(body)
    while rest.startswith(b": waiting\n\n"):
        rest = rest.removeprefix(b": waiting\n\n")
    assert rest == b"".join(c for c in openai_chunks("hi", " you") if b'"usage"' not in c)
    closed(reply)
    one = recorded(bench)
    assert (one.status, one.out_tok) == (200, 2) and not one.flags & Flag.ERROR


def test_a_comment_says_what_is_waited_for(patient: Any) -> None:
    bench, slow = patient()
    said: list[str] = []
    call = bench.call

    def waits(x: Any) -> None:
        x.waits = "waiting for ol/llama: place 2,\nabout 9 s"
        said.append(x.waits)
        call(x)

    bench.pipeline._patience._slow = (*bench.pipeline._patience._slow[:2], waits)
    reply = bench.ask(stream=True)
    assert next(chunks(reply)) == b": waiting for ol/llama: place 2, about 9 s\n\n"
    slow.go.set()
    assert b"".join(chunks(reply)).endswith(b"[DONE]\n\n")
    closed(reply)


def test_anthropic_s_ping(patient: Any) -> None:
    bench, slow = patient()
    reply = bench.ask("anthropic", stream=True, max_tokens=9)
    body = chunks(reply)
    assert next(body) == b'event: ping\ndata: {"type":"ping"}\n\n'
    slow.go.set()
    rest = b"".join(body)
    assert rest.count(b"event: message_start") == 1
    assert rest.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    closed(reply)


def test_nothing_into_ndjson(patient: Any) -> None:
    bench, slow = patient(lambda: FakeResponse(*ollama_chunks("hi"), kind=NDJSON))
    timer = threading.Timer(0.3, slow.go.set)
    timer.start()
    reply = bench.ask("ollama", model="local", stream=True)
    assert not isinstance(reply.body, WaitingBody)
    assert b"".join(reply.body).count(b"\n") == 2
    closed(reply)


def test_an_upstream_that_answers_whole(patient: Any) -> None:
    bench, slow = patient(openai_whole)
    reply = bench.ask(stream=True)
    body = chunks(reply)
    assert next(body) == b": waiting\n\n"
    slow.go.set()
    rest = b"".join(body)
    assert b'"content":"hi"' in rest and rest.endswith(b"data: [DONE]\n\n")
    closed(reply)
    assert recorded(bench).status == 200


def test_a_failure_is_an_error_event(patient: Any) -> None:
    bench, slow = patient(lambda: UpstreamUnreachable("down"))
    reply = bench.ask(stream=True)
    body = chunks(reply)
    next(body)
    slow.go.set()
    last = [piece for piece in body if not piece.startswith(b":")]
    assert len(last) == 1 and b"[DONE]" not in last[0]
    assert json.loads(last[0].removeprefix(b"data: "))["error"]["code"] == "upstream_unreachable"
    closed(reply)
    assert recorded(bench).status == 502


@pytest.mark.parametrize("pings", [0, 2])
def test_the_client_leaves_while_it_waits(patient: Any, pings: int) -> None:
    bench, slow = patient()
    reply = bench.ask(stream=True)
    for _ in range(pings):
        next(chunks(reply))
    closed(reply)
    closed(reply)
    assert not bench.records(), "the call still uses the exchange"
    slow.go.set()
    one = recorded(bench)
    assert one.status == 499 and one.flags & Flag.CLIENT_GONE
    assert all(response.closes for response in bench.connector.given)


def test_the_client_leaves_before_the_head(patient: Any) -> None:
    bench, slow = patient(ping=5.0)
    bench.waiter.gone = True
    timer = threading.Timer(0.2, slow.go.set)
    timer.start()
    reply = bench.pipeline.handle(bench.incoming(stream=True, client_fd=7))
    assert reply.status == 499
    assert recorded(bench).status == 499


def test_ping_off_waits_silently(patient: Any) -> None:
    bench, slow = patient(ping=0.0)
    slow.go.set()
    reply = bench.ask(stream=True)
    assert header(reply, "x-pihub-route") == "oa/gpt"
    b"".join(reply.body)
    closed(reply)


class Woken:
    """A waiter whose waits each do one thing; then they time out if the descriptor is mute."""

    def __init__(self, *steps: Callable[[], None]) -> None:
        self.steps = list(steps)
        self.work: Callable[[], None] = lambda: None
        self.waits = 0

    def spawn(self, work: Callable[[], None]) -> None:
        self.work = work

    def wait(self, fd: int, *, write: bool = False, deadline: float, client_fd: int = -1) -> None:
        self.waits += 1
        if self.steps:
            self.steps.pop(0)()
            return
        if not readable(fd):
            raise TimeoutError


def beside(make: Make, waiter: Woken) -> Beside:
    made = Beside(Exchange(make().incoming(client_fd=7)), (), waiter)  # type: ignore[arg-type]
    made.start()
    return made


def test_stages_that_end_as_their_client_leaves_are_not_waited_for(make: Make) -> None:
    def both() -> None:
        waiter.work()
        raise ClientGone("the client closed its connection")

    waiter = Woken(both)
    one = beside(make, waiter)
    with pytest.raises(ClientGone):
        one.wait(1.0)  # reads their word, too
    assert one.settle() and waiter.waits == 1
    one.close()


def test_a_wake_up_for_nothing_is_not_the_stages_end(make: Make) -> None:
    waiter = Woken(lambda: None, lambda: waiter.work())
    one = beside(make, waiter)
    assert one.settle() and one.done
    one.close()


def test_who_leaves_as_the_answer_begins_pays_for_what_was_told(make: Make) -> None:
    bench = make(chat=("an",))
    bench.says("an", lambda: FakeResponse(*anthropic_chunks("hi"), kind=SSE))
    bench.pipeline = Pipeline(replace(bench.stages, render=Leaves()))  # type: ignore[arg-type]
    assert bench.ask(stream=True).status == 499
    (one,) = bench.records()
    assert (one.status, one.in_tok, one.out_tok) == (499, USAGE.input, 1)
    assert one.cost_nano == USAGE.input * 1000 + 5000 and one.flags & Flag.ESTIMATED


class Leaves:
    def __call__(self, x: Exchange) -> None:
        raise ClientGone("the client closed its connection")
