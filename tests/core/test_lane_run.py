"""The lane in one process: an edge before it, the connector's pool and a socket behind it.

The upstream answers inside of the wait, so nothing here depends on when who runs.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from pihub._core.arena import Arena
from pihub._core.breaker import CLOSED, HALF_OPEN, OPEN, Breaker
from pihub._core.counters import Counters
from pihub._core.edge import Edge, pack_wire, wire_key
from pihub._core.httphead import request as request_head
from pihub._core.lane import Begun, Lane
from pihub._core.limiter import Limiter
from pihub._core.way import Way
from pihub.domain.whynot import WhyNot
from pihub.errors import ClientGone
from pihub.gateway.link import ANTHROPIC_VERSION
from pihub.server.waiter_poll import PollWaiter
from pihub.settings.schema import Pool
from pihub.shared.machine import SHARE, Gauge
from pihub.shared.memory import REFUSES
from pihub.shared.metrics import Column
from pihub.shared.scopes import QUOTA
from pihub.upstream.connector.connection import Connection
from pihub.upstream.connector.pool import OriginPool
from tests.core.test_edge import GOOD, Hub, environ
from tests.system.lane_upstream import choice, chunked, framed, sized, whole

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
ROUTES = {CHAT: 1, MESSAGES: 2}
SLOT, CALLS, OK = 2, 1, 2
FIELDS = [("content-type", "application/json"), ("authorization", "Bearer upstream's")]
HEAD = request_head("POST", "/v1/chat", "host: up\r\n", FIELDS, 0, b"")
ASK = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'
RATES = (2_500_000, 10_000_000, 1_250_000, 3_000_000, 4_000_000)
SHOWN = (("x-pihub-model", "m1"), ("x-pihub-upstream", "up"))
LIMIT, MAX_HEADER, LARGEST = 8, 1_000, 1 << 20
OPENAI, ANTHROPIC = sized(whole(CHAT)), sized(whole(MESSAGES))


class Passing(Hub):
    """An edge with a lane of one model, `m`, and one idle connection to its upstream.

    `answers`: what the upstream sends, one at each wait; an exception is raised by the wait.
    """

    def __init__(self) -> None:
        super().__init__(columns=len(Column))
        arena = Arena.create(
            [
                ("breakers", Breaker.size_for(2)),
                ("upstreams", Counters.size_for(3, 4)),
                ("machine", Counters.size_for(2, len(Gauge))),
            ],
            2,
        )
        self.breakers = Breaker(arena, "breakers", 2)
        self.breakers.configure(1, 2, 10_000, 10_000, 1_000)
        self.upstreams = Counters(arena, "upstreams", 3, 4)
        self.machine = Counters(arena, "machine", 2, len(Gauge))
        self.waiter = PollWaiter()
        self.pool = OriginPool(Pool(size=2))
        self.sockets: list[socket.socket] = []
        self.far = self.connect()
        self.answers: list[bytes | Exception | None] = []
        self.waits: list[tuple[float, int]] = []
        self.unpriced = 0
        self.keys.put(self.keys.hash(GOOD.encode()), 5, 7, 0, 0)
        self.lane = self.lane_with()
        self.lane.add(1, b"m", self.way())
        self.lane.add(2, b"m", self.way(protocol="anthropic", version=ANTHROPIC_VERSION[1]))
        self.edge = self.build(ROUTES, max_body=1 << 20, lane=self.lane)

    def connect(self) -> socket.socket:
        """A further idle connection: the upstream's end."""
        far, near = socket.socketpair()
        self.sockets += [far, near]
        near.setblocking(False)
        self.pool.open += 1
        self.pool.release(Connection(near, self.waiter, self.pool))
        return far

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()

    def lane_with(self, **changed: Any) -> Lane:
        facts: dict[str, Any] = {
            "journal": self.parts["journal"], "counters": self.counters,
            "upstreams": self.upstreams, "temperature": 0.2, "limit": LIMIT, "largest": LARGEST,
            "max_header": MAX_HEADER, "wait": self.wait, "client_fd": self.waiter.client_fd,
            "cache": self.cache, "least_room": REFUSES, "machine": self.machine, "share": SHARE,
        }  # fmt: skip
        return Lane(**{**facts, **changed})

    def way(self, **changed: Any) -> Way:
        facts: dict[str, Any] = {
            "protocol": "openai", "head": HEAD, "model": b'"m1"', "version": None,
            "breakers": self.breakers, "row": 1, "calls": CALLS, "ok": OK,
            "take": self.pool.take_idle, "release": self.pool.release, "names": (31, 32, 33),
            "simulated": False, "shown": SHOWN, "price": (RATES, 0, RATES),
            "unpriced": self.note_unpriced, "headers": 5.0, "boards": (), "may": lambda: True,
            "total": 9.0,
        }  # fmt: skip
        return Way(**{**facts, **changed})

    def goes(self, **changed: Any) -> None:
        """Chats of `m` now go another way."""
        self.lane.add(1, b"m", self.way(**changed))

    def note_unpriced(self) -> None:
        self.unpriced += 1

    def wait(self, fd: int, *, deadline: float, client_fd: int) -> None:
        self.waits.append((deadline, client_fd))
        answer = self.answers.pop(0)
        if answer is None:  # woken for nothing
            return
        if isinstance(answer, Exception):
            raise answer
        self.far.sendall(answer)
        self.waiter.wait(fd, deadline=time.monotonic() + 5, client_fd=client_fd)

    def ask(self, body: bytes = ASK, answer: bytes | Exception | None = OPENAI, **env: Any) -> Any:
        """What comes back: an answer's body, a `Begun`, or None: the pipeline does it all."""
        self.answers.append(answer)
        (out,) = self.call(environ(body, **env))
        if out != b"app":
            return out
        assert self.reached[-1]["pihub.body"] == body
        assert self.counters.get(SLOT, Column.IN_FLIGHT) == 0
        assert self.events() == [], "the pipeline records it"
        begun = self.reached[-1].get("pihub.begun")
        if begun is None:
            assert self.pool.stats()["idle"] == 1 and self.upstreams.total(CALLS) == 0
        return begun

    def heard(self) -> bytes:
        return self.far.recv(1 << 20, socket.MSG_DONTWAIT)

    def fields(self) -> dict[str, str]:
        assert len(dict(self.sent[-1][1])) == len(self.sent[-1][1]), "a header twice"
        return dict(self.sent[-1][1])


@pytest.fixture
def hub() -> Iterator[Passing]:
    with closing(Passing()) as it:
        yield it


def test_a_chat_passes(hub: Passing) -> None:
    before = time.monotonic()
    assert hub.ask() == whole(CHAT)
    ((line, _),) = hub.sent
    (event,) = hub.events()
    # 16 fresh, 4 read from the upstream's cache, 7 written
    cost = 16 * RATES[0] + 7 * RATES[1] + 4 * RATES[2]
    assert (line, hub.fields()) == (
        "200 OK",
        {
            "content-type": "application/json",
            "x-pihub-request-id": f"{event['rid']:016x}",
            "x-pihub-cache": "BYPASS; temperature-unset",
            "x-pihub-model": "m1",
            "x-pihub-upstream": "up",
            "x-pihub-cost": "0.000115",
            "x-pihub-reason": "first choice",
            "x-pihub-stop": "stop",
            "content-length": str(len(whole(CHAT))),
        },
    )
    sent = ASK.replace(b'"m"', b'"m1"')
    assert hub.heard() == HEAD[:-5] + b"%d\r\n\r\n" % len(sent) + sent
    expected = {
        "status": 200, "in_tok": 16, "out_tok": 7, "cache_read": 4, "cache_write": 0,
        "cost_nano": cost // 1000, "saved_nano": 0, "bytes_in": len(ASK),
        "bytes_out": len(whole(CHAT)), "key": 5, "tenant": 7, "route": 1, "model": 31,
        "upstream": 32, "alias": 33, "cache": 3, "flags": 0, "attempts": 1, "reason": 1,
        "error": 0, "worker": SLOT, "why": WhyNot.TEMPERATURE_UNSET, "s2": 0, "s3": 0,
    }  # fmt: skip
    assert {name: event[name] for name in expected} == expected
    assert event["s1"] + event["s4"] <= event["ttft_us"] + 1 <= event["dur_us"] + 1
    count = hub.counters.total
    assert (count(Column.REQUESTS), count(Column.BYPASSES), count(Column.LANE)) == (1, 1, 1)
    assert count(Column.IN_FLIGHT) == 0 and count(Column.COST_NANO) == cost // 1000
    assert hub.upstreams.get(SLOT, CALLS) == hub.upstreams.get(SLOT, OK) == 1
    assert hub.breakers.counts(1, time.monotonic_ns() // 1_000_000) == (1, 0)
    assert [hub.latency.count(series) for series in range(9)] == [1] * 9
    assert hub.pool.stats() == {"open": 1, "idle": 1, "waiting": 0}
    assert hub.waits[0][1] == -1 and before + 5 <= hub.waits[0][0] <= time.monotonic() + 5
    assert hub.reached == []


def test_the_connection_serves_the_next_one_too(hub: Passing) -> None:
    for n in range(3):
        answer = sized(whole(CHAT, id=f"chatcmpl-{n}"))
        assert json.loads(hub.ask(answer=answer))["id"] == f"chatcmpl-{n}"
    assert hub.upstreams.total(OK) == 3 and len(hub.events()) == 3


def test_a_chat_of_anthropics_passes(hub: Passing) -> None:
    version = ANTHROPIC_VERSION[1]
    out = hub.ask(answer=ANTHROPIC, PATH_INFO=MESSAGES, HTTP_ANTHROPIC_VERSION=version)
    assert out == whole(MESSAGES)
    assert hub.fields()["x-pihub-stop"] == "end_turn"
    (event,) = hub.events()
    assert (event["in_tok"], event["out_tok"]) == (11, 5)
    assert (event["cache_read"], event["cache_write"], event["route"]) == (3, 2, 2)
    cost = 11 * RATES[0] + 5 * RATES[1] + 3 * RATES[2] + 2 * RATES[3]
    assert event["cost_nano"] == -(-cost // 1000)
    assert hub.ask(answer=ANTHROPIC, PATH_INFO=MESSAGES) == whole(MESSAGES)


def test_another_version_of_anthropics_is_the_pipelines(hub: Passing) -> None:
    of = {"PATH_INFO": MESSAGES, "HTTP_ANTHROPIC_VERSION": "2099-01-01"}
    assert hub.ask(answer=ANTHROPIC, **of) is None


def test_a_high_temperature_is_named(hub: Passing) -> None:
    assert hub.ask(b'{"model":"m","temperature":0.7,"messages":[]}') == whole(CHAT)
    assert hub.fields()["x-pihub-cache"] == "BYPASS; temperature"
    assert hub.events()[0]["why"] == WhyNot.TEMPERATURE


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","temperature":0.2}',
        b'{"model":"m","temperature":0}',
        b'{"model":"m","stream":true}',
        b'{"model":"n"}',
        b'{"messages":[]}',
        b"nonsense",
        b"",
        b'{"model":"m","x":"' + b"x" * 65_536 + b'"}',
    ],
)
def test_what_is_not_plain_is_the_pipelines(hub: Passing, body: bytes) -> None:
    assert hub.ask(body) is None
    assert hub.waits == [] and hub.sent == [("200 OK", [])]


@pytest.mark.parametrize(
    "field",
    [
        "HTTP_TRACEPARENT", "HTTP_X_PIHUB_CACHE", "HTTP_X_PIHUB_POLICY",
        "HTTP_X_PIHUB_DEADLINE_MS", "HTTP_X_PIHUB_DEADLINE", "HTTP_ANTHROPIC_BETA",
        "HTTP_IDEMPOTENCY_KEY",
    ],
)  # fmt: skip
def test_a_field_that_asks_for_more_is_the_pipelines(hub: Passing, field: str) -> None:
    assert hub.ask(**{field: "x"}) is None
    assert hub.waits == []


def test_the_largest_body_passes(hub: Passing) -> None:
    body = b'{"model":"m","x":"' + b"x" * (65_536 - 20) + b'"}'
    assert len(body) == 65_536
    assert hub.ask(body) == whole(CHAT)
    assert len(hub.heard()) > 65_536


def test_a_route_without_ways_is_the_pipelines(hub: Passing) -> None:
    hub.edge = hub.build({**ROUTES, "/other": 3}, max_body=1 << 20, lane=hub.lane)
    assert hub.ask(PATH_INFO="/other") is None


@pytest.mark.parametrize("flags", [1, 2, 0x4000, QUOTA | 1])
def test_a_key_with_a_flag_is_the_pipelines(hub: Passing, flags: int) -> None:
    hub.keys.put(hub.keys.hash(GOOD.encode()), 5, 7, flags, 0)
    assert hub.ask() is None


def test_a_tenants_quota_was_asked_by_the_edge(hub: Passing) -> None:
    hub.keys.put(hub.keys.hash(GOOD.encode()), 5, 7, QUOTA, 0)
    quotas = Limiter(Arena.create([("quotas", Limiter.size_for(16))], 1), "quotas", 16)
    quotas.configure(7, 90 * 10**9, 1)
    hub.edge = Edge(**hub.parts, quotas=quotas)
    assert hub.ask() == whole(CHAT)
    assert b'"rate_limited"' in hub.call(environ(ASK))[0]


def test_a_kept_answer_goes_before(hub: Passing) -> None:
    facts = {"model": 1, "upstream": 1, "alias": 1, "stream": False, "saved_nano": 1}
    packed = pack_wire(200, b"t", [], b"kept", **facts, in_tok=1, out_tok=1)
    hub.cache.put(*wire_key(hub.secret, 77, 1, ASK), 7, packed, 60)
    assert hub.ask() == b"kept"
    assert hub.waits == [] and hub.counters.total(Column.LANE) == 0


@pytest.mark.parametrize("state", [OPEN, HALF_OPEN])
def test_a_breaker_that_is_not_closed_is_the_pipelines(hub: Passing, state: int) -> None:
    now = time.monotonic_ns() // 1_000_000
    hub.breakers.force(1, state, now)
    assert hub.ask() is None
    hub.breakers.force(1, CLOSED, now)
    hub.answers.clear()
    assert hub.ask() == whole(CHAT)


def test_a_way_that_is_shut_is_the_pipelines(hub: Passing) -> None:
    hub.goes(may=lambda: False)
    assert hub.ask() is None


@pytest.mark.parametrize(("room", "passes"), [(REFUSES, False), (100, True), (1000, True)])
def test_short_of_memory_no_chat_is_taken(hub: Passing, room: int, passes: bool) -> None:
    hub.cache.set_room(room)
    assert hub.ask() == (whole(CHAT) if passes else None)


@pytest.mark.parametrize(
    ("share", "flying", "passes"),
    [(0, 7, True), (0, 8, False), (1000, 7, True), (500, 3, True), (500, 4, False),
     (1, 0, True), (1, 1, False), (-5, 7, True)],
)  # fmt: skip
def test_the_limit_of_requests_and_its_share(
    hub: Passing, share: int, flying: int, passes: bool
) -> None:
    hub.machine.set(*SHARE, share)
    hub.counters.set(1, Column.IN_FLIGHT, 100)  # another worker's
    hub.counters.set(SLOT, Column.IN_FLIGHT, flying)
    hub.answers.append(OPENAI)
    assert hub.call(environ(ASK)) == [whole(CHAT) if passes else b"app"]
    assert hub.counters.get(SLOT, Column.IN_FLIGHT) == flying
    assert hub.upstreams.total(CALLS) == passes


def test_without_an_idle_connection_the_pipeline_dials(hub: Passing) -> None:
    hub.pool.close_idle()
    hub.answers.append(OPENAI)
    assert hub.call(environ(ASK)) == [b"app"]
    assert "pihub.begun" not in hub.reached[0] and hub.waits == []


# ---- answers that are not plain: the pipeline goes on with what came --------------------

BODY = whole(CHAT)
HALF = OPENAI[: len(OPENAI) // 2]
BUFFER = 65_536


def plain_of(size: int) -> bytes:
    """A plain answer that is so long, with its head."""
    pad = size - len(sized(whole(CHAT, id="")))
    while len(answer := sized(whole(CHAT, id="x" * pad))) > size:  # its length has more digits
        pad -= 1
    assert len(answer) == size
    return answer



@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(sized(BODY, status="HTTP/1.1 500 No"), id="status"),
        pytest.param(sized(BODY, status="HTTP/1.0 200 OK"), id="http/1.0"),
        pytest.param(sized(BODY, "connection: close"), id="close"),
        pytest.param(framed(chunked(BODY), "transfer-encoding: chunked"), id="chunked"),
        pytest.param(framed(BODY), id="no length"),
        pytest.param(framed(BODY, "content-length: x"), id="bad length"),
        pytest.param(OPENAI + b"x", id="more than its length"),
        pytest.param(HALF, id="a part"),
        pytest.param(b"HTTP/1.1 200", id="a part of the head"),
        pytest.param(sized(BODY, "x-long: " + "x" * MAX_HEADER), id="a long head"),
        pytest.param(sized(whole(CHAT, error={"message": "no"}, choices="-")), id="an error"),
        pytest.param(sized(whole(CHAT, choices=choice() * 2)), id="two choices"),
        pytest.param(sized(whole(CHAT, choices=choice(finish_reason="why"))), id="stop reason"),
        pytest.param(sized(b"<html>"), id="no json"),
        pytest.param(sized(b""), id="nothing"),
        pytest.param(plain_of(BUFFER), id="a full buffer"),
    ],
)
def test_an_answer_that_is_not_plain_is_handed_on(hub: Passing, answer: bytes) -> None:
    begun = hub.ask(answer=answer)
    assert isinstance(begun, Begun)
    assert begun.data == answer and begun.error is None
    assert begun.wire == hub.heard() and begun.sent == len(begun.wire)
    assert begun.connection.fd >= 0 and not begun.connection.gone
    assert hub.pool.stats() == {"open": 1, "idle": 0, "waiting": 0}
    assert (hub.upstreams.total(CALLS), hub.upstreams.total(OK)) == (1, 0)
    assert begun.start_ns / 1e9 + 5 <= begun.at <= time.monotonic() + 5
    assert begun.total_at == pytest.approx(begun.start_ns / 1e9 + 9)


def test_the_longest_answer_passes(hub: Passing) -> None:
    answer = plain_of(BUFFER - 1)
    assert answer.endswith(hub.ask(answer=answer)) and hub.sent[-1][1]


@pytest.mark.parametrize("over", [0, 1])
def test_an_answer_above_the_configured_limit_is_handed_on(hub: Passing, over: int) -> None:
    lane = hub.lane_with(largest=len(BODY) - over)
    lane.add(1, b"m", hub.way())
    hub.edge = hub.build(ROUTES, lane=lane)
    assert isinstance(hub.ask(), Begun if over else bytes)


@pytest.mark.parametrize("error", [TimeoutError("late"), ClientGone("left")])
def test_a_wait_that_fails_is_handed_on(hub: Passing, error: Exception) -> None:
    begun = hub.ask(answer=error)
    assert begun.error is error and begun.data == b"" and begun.sent == len(begun.wire)


def test_what_ends_the_process_ends_the_call(hub: Passing) -> None:
    class Stop(BaseException):
        pass

    def wait(fd: int, *, deadline: float, client_fd: int) -> None:
        raise Stop

    lane = hub.lane_with(wait=wait)
    lane.add(1, b"m", hub.way())
    hub.edge = hub.build(ROUTES, lane=lane)
    with pytest.raises(Stop):
        hub.call(environ(ASK))
    assert hub.pool.stats() == {"open": 0, "idle": 0, "waiting": 0}
    assert hub.counters.get(SLOT, Column.IN_FLIGHT) == 0


def test_a_client_that_left_is_seen_while_waiting(hub: Passing) -> None:
    here, there = socket.socketpair()
    with here, there:
        there.close()
        hub.answers.append(b"")  # the upstream says nothing, so the wait is the client's
        assert hub.call(environ(ASK, **{"gunicorn.socket": here})) == [b"app"]
        begun = hub.reached[0]["pihub.begun"]
        assert isinstance(begun.error, ClientGone) and hub.waits[0][1] == here.fileno()


def test_woken_for_nothing_it_waits_again(hub: Passing) -> None:
    hub.answers += [None, None]
    assert hub.ask() == whole(CHAT)
    assert len(hub.waits) == 3 and len({at for at, _ in hub.waits}) == 1


def test_the_total_timer_bounds_the_heads(hub: Passing) -> None:
    hub.goes(headers=60.0, total=0.5)
    assert hub.ask() == whole(CHAT)
    assert hub.waits[0][0] <= time.monotonic() + 0.5


def test_an_upstream_that_leaves_is_handed_on(hub: Passing) -> None:
    def wait(fd: int, *, deadline: float, client_fd: int) -> None:
        hub.far.close()

    lane = hub.lane_with(wait=wait)
    lane.add(1, b"m", hub.way())
    hub.edge = hub.build(ROUTES, lane=lane)
    begun = hub.ask()
    assert (begun.data, begun.error, begun.sent) == (b"", None, len(begun.wire))


def taken(hub: Passing, then: Callable[[socket.socket], None]) -> Any:
    """Asks for a chat to whose connection something happens when it has been taken."""

    def take(now: float) -> Any:
        connection = hub.pool.take_idle(now)
        assert connection is not None
        then(connection.sock)
        return connection

    hub.goes(take=take)
    body = b'{"model":"m","x":"' + b"x" * 60_000 + b'"}'
    begun = hub.ask(body)
    assert isinstance(begun, Begun) and hub.waits == []
    assert (begun.data, begun.error) == (b"", None)
    assert begun.wire.endswith(body.replace(b'"m"', b'"m1"'))
    return begun


def test_a_connection_that_broke_is_handed_on(hub: Passing) -> None:
    assert taken(hub, lambda sock: hub.far.close()).sent == -1


def test_a_full_socket_is_handed_on(hub: Passing) -> None:
    def fill(sock: socket.socket) -> None:
        for size in (4_096, 1):
            with pytest.raises(BlockingIOError):
                while True:
                    sock.send(b"x" * size)

    assert taken(hub, fill).sent == 0


def test_a_socket_with_little_room_is_handed_on(hub: Passing) -> None:
    begun = taken(
        hub, lambda sock: sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    )
    assert 0 < begun.sent < len(begun.wire)
    assert hub.heard() == begun.wire[: begun.sent]


# ---- money and usage --------------------------------------------------------------------


def test_no_usage_is_estimated(hub: Passing) -> None:
    body = whole(CHAT, usage="-")
    assert hub.ask(answer=sized(body)) == body
    (event,) = hub.events()
    assert event["flags"] == 16
    assert (event["in_tok"], event["out_tok"]) == (len(ASK) // 4, -(-len(body) // 4))


def test_no_price_is_said_and_noted(hub: Passing) -> None:
    hub.goes(price=None)
    assert hub.ask() == whole(CHAT)
    assert "x-pihub-cost" not in hub.fields() and hub.unpriced == 1
    assert hub.events()[0]["cost_nano"] == -1


def test_an_error_while_noting_it_gives_the_connection_up(hub: Passing) -> None:
    def unpriced() -> None:
        raise RuntimeError("inside")

    hub.goes(price=None, unpriced=unpriced)
    hub.answers.append(OPENAI)
    with pytest.raises(RuntimeError, match="inside"):
        hub.call(environ(ASK))
    assert hub.pool.stats() == {"open": 0, "idle": 0, "waiting": 0}
    assert hub.counters.get(SLOT, Column.IN_FLIGHT) == 0


@pytest.mark.parametrize(
    ("rates", "shown"),
    [
        ((0, 0, 0, 0, 0), "0"),
        ((1, 0, 0, 0, 0), "0.000000001"),
        ((0, 10**9 - 1, 0, 0, 0), "0.007"),
        ((999_999_999, 999_999_999, 0, 0, 0), "0.023"),
    ],
)
def test_a_cost_is_a_decimal(hub: Passing, rates: tuple[int, ...], shown: str) -> None:
    hub.goes(price=(rates, 0, rates))
    assert hub.ask() == whole(CHAT)
    assert hub.fields()["x-pihub-cost"] == shown


def test_a_cost_of_whole_dollars(hub: Passing) -> None:
    hub.goes(price=((0, 500_000_000, 0, 0, 0), 0, RATES))
    usage = {"prompt_tokens": 0, "completion_tokens": 4_000}
    hub.ask(answer=sized(whole(CHAT, usage=usage)))
    assert hub.fields()["x-pihub-cost"] == "2"


def test_a_long_prompt_has_its_own_rates(hub: Passing) -> None:
    hub.goes(price=(RATES, 19, (10_000, 0, 0, 0, 0)))
    hub.ask()
    assert hub.events()[0]["cost_nano"] == 160


def test_a_simulated_answer_is_marked(hub: Passing) -> None:
    hub.goes(simulated=True)
    assert hub.ask() == whole(CHAT)
    assert hub.events()[0]["flags"] == 8


def test_an_answer_without_a_stop_reason(hub: Passing) -> None:
    body = whole(CHAT, choices=choice(finish_reason=None))
    assert hub.ask(answer=sized(body)) == body
    assert "x-pihub-stop" not in hub.fields()


# ---- what it is built from ---------------------------------------------------------------


def test_a_lane_refuses_what_it_cannot_count_in(hub: Passing) -> None:
    few = Arena.create(
        [("a", Counters.size_for(2, 40)), ("b", Counters.size_for(3, 29))], 1
    )
    rows, columns = Counters(few, "a", 2, 40), Counters(few, "b", 3, 29)
    for changed in ({"upstreams": rows}, {"counters": rows}):
        with pytest.raises(IndexError, match="no row of its own"):
            hub.lane_with(**changed)
    with pytest.raises(ValueError, match="too few columns"):
        hub.lane_with(counters=columns)
    for share in ((2, 0), (0, len(Gauge))):
        with pytest.raises(IndexError, match="of the machine"):
            hub.lane_with(share=share)
    with pytest.raises(TypeError):
        hub.lane_with(cache=None)


def test_a_lane_refuses_a_way_that_it_cannot_reach(hub: Passing) -> None:
    with pytest.raises(IndexError, match="route or column"):
        hub.lane.add(64, b"m", hub.way())
    for changed in ({"calls": 4}, {"ok": 4}):
        with pytest.raises(IndexError, match="route or column"):
            hub.lane.add(1, b"m", hub.way(**changed))
    with pytest.raises(TypeError):
        hub.lane.add(1, b"m", None)  # type: ignore[arg-type]
