"""The chat pipeline as a worker has it, before upstreams that a test writes by hand."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from pihub.domain.chat import Usage
from pihub.domain.energy import UNCOUNTED, Energy
from pihub.domain.ports import Spent
from pihub.domain.pricing import Price, PriceTable, Rates
from pihub.domain.target import Principal, Target
from pihub.errors import ClientGone, UpstreamProtocol
from pihub.gateway.admit import Admit
from pihub.gateway.background import Background
from pihub.gateway.call import Call
from pihub.gateway.exchange import Exchange, Incoming, Reply
from pihub.gateway.inspect import Inspect
from pihub.gateway.intake import Intake
from pihub.gateway.linger import Linger
from pihub.gateway.link import Link, chat_path
from pihub.gateway.lookup import Lookup, Sharing, Stale
from pihub.gateway.negatives import Negatives
from pihub.gateway.pipeline import Pipeline, Stages
from pihub.gateway.prompts.guard import Guard
from pihub.gateway.record import Recorder
from pihub.gateway.refresh import Refresh
from pihub.gateway.remember import Remember
from pihub.gateway.render import Render
from pihub.gateway.route import ModelTable, Router
from pihub.gateway.thoughts import Thoughts
from pihub.gateway.track import Tracking
from pihub.protocols.registry import CLIENTS, UPSTREAMS
from pihub.settings.schema import Breaker, Pool, Timers
from pihub.shared.answers import AnswerCache, ByteCache
from pihub.shared.events import Record
from pihub.shared.flights import Flights
from pihub.shared.health import UpstreamHealth, configure_breaker
from pihub.shared.metrics import Column, Route, UpstreamColumn, upstream_column
from pihub.shared.negatives import NegativeCache
from pihub.shared.relay import Relay
from pihub.shared.state import Plan, SharedState
from pihub.shared.streams import StreamTracker
from pihub.upstream.connector.origin import Origin

SLOT = 1
PATHS = {
    "openai": ("/v1/chat/completions", Route.OPENAI_CHAT),
    "anthropic": ("/v1/messages", Route.ANTHROPIC_MESSAGES),
    "ollama": ("/api/chat", Route.OLLAMA_CHAT),
}
SSE = "text/event-stream"
NDJSON = "application/x-ndjson"
RIDS = itertools.count(1)


class FakeResponse:
    """An upstream's answer: what it says, piece by piece; an exception is raised."""

    def __init__(
        self,
        *chunks: bytes | BaseException,
        status: int = 200,
        kind: str = "application/json",
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.status = status
        self.headers = [("content-type", kind), *headers]
        self.chunks = list(chunks)
        self.closes = 0
        self.detached = False

    def read_some(self) -> bytes:
        if self.closes or not self.chunks:
            return b""
        chunk = self.chunks.pop(0)
        if isinstance(chunk, BaseException):
            raise chunk
        return chunk

    def read_all(self, limit: int) -> bytes:
        data = b""
        while part := self.read_some():
            data += part
            if len(data) > limit:
                self.close()
                raise UpstreamProtocol("the upstream's answer is too large")
        return data

    def detach(self, client_fd: int = -1) -> None:
        self.detached = client_fd == -1
        self.client_fd = client_fd

    def close(self) -> None:
        self.closes += 1


Said = FakeResponse | BaseException | Callable[[], FakeResponse]


class FakeConnector:
    """Answers by the host of the origin, in the order of its script; the last one stays."""

    def __init__(self) -> None:
        self.script: dict[str, list[Said]] = {}
        self.calls: list[tuple[str, str, dict[str, str], bytes]] = []
        self.given: list[FakeResponse] = []
        self.waits = (0, 0)
        """ns that each request waits for a place and for a new connection, as it says."""
        self.client_fds: list[int] = []

    def request(
        self, origin: Origin, method: str, target: str, headers: Any, body: bytes, timers: Timers,
        *, client_fd: int = -1, pool: Pool | None = None, replay: bool = False,
        spent: Spent | None = None,
    ) -> FakeResponse:  # fmt: skip
        self.calls.append((origin.host, target, dict(headers), body))
        if spent is not None:
            spent.queued_ns += self.waits[0]
            spent.dialed_ns += self.waits[1]
        self.client_fds.append(client_fd)
        script = self.script[origin.host]
        said = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(said, BaseException):
            raise said
        response = said() if callable(said) else said
        self.given.append(response)
        return response

    @property
    def hosts(self) -> list[str]:
        return [call[0] for call in self.calls]


class FakeWaiter:
    """Sleeps nothing, remembers how long; waits by poll in slices of nothing."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.gone = False
        self.spawned: list[Callable[[], None]] = []
        """Background work, for the test to run."""
        self.over = False
        """Whoever waits is to end: the test does."""

    def wait(self, fd: int, *, write: bool = False, deadline: float, client_fd: int = -1) -> None:
        import select

        if self.gone and client_fd >= 0:
            raise ClientGone("the client closed its connection")
        # Before the wait too: a loop that was just woken may drain the descriptor that was
        # written to for the end, and would then wait for ever.
        if self.over:
            raise InterruptedError
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        left = min(deadline - time.monotonic(), 30.0)
        if left <= 0 or not poller.poll(left * 1000):
            raise TimeoutError
        if self.over:
            raise InterruptedError

    def sleep(self, seconds: float, *, client_fd: int = -1) -> None:
        self.slept.append(seconds)
        if self.gone:
            raise ClientGone("the client closed its connection")

    def spawn(self, work: Callable[[], None]) -> None:
        self.spawned.append(work)

    def client_fd(self, environ: Any) -> int:
        return -1


def rates(usd_in: int, usd_out: int) -> Price:
    return Price(
        rates=Rates(
            input=usd_in, output=usd_out, cache_read=0, cache_write_5m=0, cache_write_1h=0
        )
    )


PRICES = PriceTable(
    {
        ("openai", "gpt"): rates(1_000_000, 2_000_000),  # 1000 and 2000 nano-USD a token
        ("anthropic", "claude"): rates(1_000_000, 5_000_000),
        ("ollama", "llama"): rates(0, 1_000_000),
    },
    "test",
)
KINDS = {"oa": "openai", "an": "anthropic", "ol": "ollama", "oa2": "openai"}
MODELS = {"openai": "gpt", "anthropic": "claude", "ollama": "llama"}


class Bench:
    """A worker's chat pipeline. `chains`: alias to names of KINDS (`up` or `up/model`)."""

    def __init__(
        self,
        *,
        limit: int = 100,
        retries: int = 0,
        failures: int = 100,
        open_seconds: float = 10.0,
        max_value: int = 1 << 20,
        warn: bool = True,
        patience: float = 5.0,
        state: SharedState | None = None,
        slot: int = SLOT,
        epoch: int = 7,
        prices: PriceTable = PRICES,
        energy: Energy = UNCOUNTED,
        linger: float = 0.0,
        ttl: float = 1000.0,
        meanwhile: float = 0.0,
        guard: Callable[[Bench], Guard] | None = None,
        negative_ttl: float = 0.0,
        **chains: Sequence[str],
    ) -> None:
        self.state = state or SharedState.create(Plan(workers=2, cache_bytes=1 << 22))
        self.slot = slot
        self.connector = FakeConnector()
        self.waiter = FakeWaiter()
        self.rows = {name: row for row, name in enumerate(KINDS)}
        self.links: dict[str, Link] = {}
        for name, kind in KINDS.items():
            configure_breaker(
                self.state,
                self.rows[name],
                Breaker(failures=failures, window=60.0, open=open_seconds),
            )
            self.links[name] = Link(
                name=name,
                kind=kind,
                format=UPSTREAMS[kind](),
                origin=Origin.parse(f"http://{name}:80")[0],
                base_path="",
                auth=(("authorization", "Bearer upstream-secret"),),
                timers=Timers(),
                pool=Pool(),
                health=UpstreamHealth(self.state, self.rows[name], slot),
                simulated=False,
                retries=retries,
                chat_path=chat_path(kind, ""),
            )
        chains = chains or {"chat": ("oa",)}
        self.models = ModelTable(
            {alias: [self.target(name) for name in names] for alias, names in chains.items()}
        )
        self.flights = Flights(
            self.state.inflight, slot, self.state.eventfds[slot], self.waiter
        )
        self.answers = AnswerCache(self.state.cache, self.state.arena.secret, epoch)
        self.remember = Remember(
            self.answers,
            prices,
            self.state,
            slot,
            ttl=ttl,
            stale=1000.0,
            max_value=max_value,
            warn=warn,
            energy=energy,
        )
        self.admit = Admit(self.state, slot, limit, Intake(1 << 20, 64, 200_000).__call__)
        relay = Relay(self.state.cache, self.flights, self.state.arena, slot)
        self.background = Background(self.flights, self.waiter.spawn)
        self.linger = Linger(linger, prices, self.answers, self.flights, self.waiter.spawn)
        self.lookup = Lookup(
            self.answers,
            self.flights,
            temperature=0.0,
            patience=patience,
            sharing=Sharing(relay, 1000.0),
            stale=Stale(
                1000.0,
                meanwhile,
                Refresh(self.background, self.answers, lambda x: self.pipeline.refresh(x)),
            ),
            negatives=Negatives(
                NegativeCache(self.state.cache, self.state.arena.secret, epoch),
                negative_ttl,
                self.state.names.intern,
            )
            if negative_ttl
            else None,
        )
        self.record = Recorder(self.state, slot)
        tracking = Tracking(
            StreamTracker(self.state.streams, slot),
            self.state.names.intern,
            lambda target: prices.is_free(target.kind, target.model),
        )
        self.render = Render(
            self.remember,
            self.record,
            self.state,
            slot,
            self._finish,
            tracking,
            relay,
            self.linger,
        )
        self.thoughts = Thoughts(ByteCache(self.state.cache, self.state.arena.secret, epoch))
        self.call = Call(
            self.links,
            self.connector,  # type: ignore[arg-type]
            self.waiter,
            self.state,
            slot,
            answer_limit=1 << 20,
            linger=self.linger,
            stale=self.lookup.stale,
            thoughts=self.thoughts,
            tracking=tracking,
        )
        judge = None if guard is None else guard(self)
        self.stages = Stages(
            admit=self.admit,
            inspect=Inspect(guard=judge, named=self.models.named),
            lookup=self.lookup,
            route=Router(self.models, None, self.thoughts, guard=judge),
            call=self.call,
            render=self.render,
            remember=self.remember,
            record=self.record,
            thoughts=self.thoughts,
            tracking=tracking,
        )
        self.pipeline = Pipeline(self.stages)
        self.clients = {name: make() for name, make in CLIENTS.items()}
        self._cursor = 0

    def _finish(self, x: Exchange) -> None:
        self.pipeline.finish(x)

    def target(self, name: str) -> Target:
        upstream, _, model = name.partition("/")
        kind = KINDS[upstream]
        return Target(upstream, kind, model or MODELS[kind])

    def says(self, host: str, *said: Said) -> None:
        self.connector.script[host] = list(said)

    def incoming(
        self,
        client: str = "openai",
        *,
        body: Any = None,
        tenant: int = 1,
        wish: str | None = None,
        forward: tuple[tuple[str, str], ...] = (),
        client_fd: int = -1,
        once: str | None = None,
        key: int = 3,
        **fields: Any,
    ) -> Incoming:
        data = body if isinstance(body, bytes) else json.dumps(body or asking(**fields)).encode()
        route = PATHS[client][1]
        rid = next(RIDS)
        return Incoming(
            self.clients[client],
            route,
            data,
            Principal(key=key, tenant=tenant),
            rid,
            f"{rid:016x}",
            time.monotonic_ns(),
            client_fd,
            exact=self.answers.wire_key(route, data),
            wish_header=wish,
            forward=forward,
            once=once,
        )

    def ask(self, client: str = "openai", **more: Any) -> Reply:
        return self.pipeline.handle(self.incoming(client, **more))

    def whole(self, client: str = "openai", **more: Any) -> tuple[Reply, bytes]:
        """The reply and its whole body, closed as a server does."""
        reply = self.ask(client, **more)
        if isinstance(reply.body, bytes):
            return reply, reply.body
        try:
            return reply, b"".join(reply.body)
        finally:
            reply.body.close()  # type: ignore[attr-defined]

    def records(self) -> list[Record]:
        """Those since the last look."""
        self._cursor, _, found = self.state.events.read(self.slot, self._cursor)
        return found

    def count(self, column: Column) -> int:
        return self.state.counters.total(column)

    def health(self, name: str) -> tuple[int, int]:
        """(ok, failed) calls counted for an upstream."""
        row, total = self.rows[name], self.state.upstreams.total
        return (
            total(upstream_column(row, UpstreamColumn.OK)),
            total(upstream_column(row, UpstreamColumn.FAILED)),
        )

    def name(self, index: int) -> str:
        return self.state.names.lookup(index)

    def assert_nothing_held(self) -> None:
        """After every request: no gauge, no lease, no response is left open."""
        assert self.count(Column.IN_FLIGHT) == 0
        assert self.count(Column.STREAMS_OPEN) == 0
        assert not self.flights._led
        assert not self.flights._followers and self.flights._waiting == 0
        assert all(response.closes for response in self.connector.given)

    def descriptors(self) -> tuple[int, ...]:
        return (*self.state.eventfds, *self.flights._free)


@pytest.fixture
def make() -> Iterator[Callable[..., Bench]]:
    """Makes benches; at the end none of them holds anything."""
    made: list[Bench] = []

    def build(**more: Any) -> Bench:
        made.append(Bench(**more))
        return made[-1]

    yield build
    for bench in made:
        bench.assert_nothing_held()
    for fd in {fd for bench in made for fd in bench.descriptors()}:
        os.close(fd)


# ---- what is said ------------------------------------------------------------------

USAGE = Usage(10, 5)


def asking(text: str = "hello", model: str = "chat", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def header(reply: Reply, name: str) -> str:
    found = [value for key, value in reply.headers if key == name]
    assert len(found) == 1, (name, reply.headers)
    return found[0]


def openai_whole(text: str = "hi", usage: Usage | None = USAGE) -> FakeResponse:
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
    }
    if usage is not None:
        body["usage"] = {"prompt_tokens": usage.input, "completion_tokens": usage.output}
    return FakeResponse(json.dumps(body).encode())


def openai_chunks(*words: str, usage: bool = True) -> list[bytes]:
    """The events of a stream, `[DONE]` last."""

    def event(choices: list[Any], **more: Any) -> bytes:
        body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
                "model": "gpt", "choices": choices, **more}  # fmt: skip
        return b"data: " + json.dumps(body).encode() + b"\n\n"

    def delta(said: dict[str, str], why: str | None = None) -> list[Any]:
        return [{"index": 0, "delta": said, "finish_reason": why}]

    out = [event(delta({"role": "assistant", "content": ""}))]
    out += [event(delta({"content": word})) for word in words]
    out.append(event(delta({}, "stop")))
    if usage:
        out.append(event([], usage={"prompt_tokens": 10, "completion_tokens": len(words)}))
    return [*out, b"data: [DONE]\n\n"]


def openai_stream(*chunks: bytes | BaseException) -> FakeResponse:
    return FakeResponse(*(chunks or openai_chunks("hi", " you")), kind=SSE)


def anthropic_whole(text: str = "hi") -> FakeResponse:
    return FakeResponse(
        json.dumps(
            {
                "id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
                "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
                "stop_sequence": None, "usage": {"input_tokens": 10, "output_tokens": 5},
            }
        ).encode()
    )  # fmt: skip


def anthropic_chunks(*words: str) -> list[bytes]:
    def event(kind: str, **more: Any) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()

    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
               "content": [], "stop_reason": None, "stop_sequence": None,
               "usage": {"input_tokens": 10, "output_tokens": 1}}  # fmt: skip
    out = [event("message_start", message=message)]
    out.append(
        event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    )
    out += [
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
        for word in words
    ]
    out.append(event("content_block_stop", index=0))
    out.append(
        event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None},
              usage={"output_tokens": len(words)})
    )  # fmt: skip
    return [*out, event("message_stop")]


def ollama_chunks(*words: str, done: bool = True) -> list[bytes]:
    def line(text: str, **more: Any) -> bytes:
        message = {"role": "assistant", "content": text}
        body = {"model": "llama", "created_at": "2026-01-01T00:00:00Z",
                "message": message, "done": False, **more}  # fmt: skip
        return json.dumps(body).encode() + b"\n"

    out = [line(word) for word in words]
    if done:
        out.append(
            line("", done=True, done_reason="stop", prompt_eval_count=10, eval_count=len(words))
        )
    return out


def ollama_stream(*chunks: bytes | BaseException) -> FakeResponse:
    return FakeResponse(*(chunks or ollama_chunks("hi", " you")), kind=NDJSON)


def refusal(status: int, body: bytes = b"{}", **headers: str) -> Callable[[], FakeResponse]:
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return lambda: FakeResponse(body, status=status, headers=fields)
