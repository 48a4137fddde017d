"""The edge against its twin, and what it sends, counts and records."""

from __future__ import annotations

import io
import struct
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core.arena import Arena
from pihub._core.cache import Cache
from pihub._core.counters import Counters
from pihub._core.edge import Edge, pack_wire, wire_key
from pihub._core.histogram import Histogram
from pihub._core.journal import Journal
from pihub._core.keytable import KeyTable
from pihub._core.limiter import Limiter
from pihub._core.ring import Ring
from pihub.shared.metrics import Column
from pihub.shared.scopes import QUOTA, RESTRICTED
from tests.effort import examples
from tests.model.edge import MAX_BODY, ROUTES, Twin

CODES = {
    "bad_request": "400 Bad Request",
    "invalid_api_key": "401 Unauthorized",
    "rate_limited": "429 Too Many Requests",
    "request_too_large": "413 Content Too Large",
    "starting": "503 Service Unavailable",
}
EVENT = struct.Struct("<QQqq9I5I6H4BHHIQI4B")
NAMES = (
    "ts_ns rid cost_nano saved_nano dur_us ttft_us in_tok out_tok cache_read cache_write "
    "bytes_in bytes_out key s1 s2 s3 s4 s5 status tenant route model upstream alias cache flags "
    "attempts reason worker error kept look kept_ttl why queued dialed stalls"
)
FIELDS = NAMES.split()
GOOD, LIMITED, OTHER = "ph_good_0123456789", "ph_limited_0123456", "ph_other_012345678"


class Hub:
    """An edge with all its parts, and an application that notes what reaches it."""

    def __init__(
        self, routes: dict[str, int] | None = None, publish: bool = True, columns: int = len(Column)
    ) -> None:
        arena = Arena.create(
            [
                ("cache", Cache.size_for(1 << 20)),
                ("keys", KeyTable.size_for(16)),
                ("limits", Limiter.size_for(16)),
                ("counters", Counters.size_for(3, columns)),
                ("routes", Counters.size_for(3, 160)),
                ("latency", Histogram.size_for(3, 9)),
                ("ring", Ring.size_for(3, 64)),
            ],
            2,
        )
        self.secret = arena.secret
        self.cache = Cache(arena, "cache")
        self.keys = KeyTable(arena, "keys")
        self.keys.set_pepper(b"0123456789abcdef")
        self.limits = Limiter(arena, "limits", 16)
        self.counters = Counters(arena, "counters", 3, columns)
        self.routes = Counters(arena, "routes", 3, 160)
        self.latency = Histogram(arena, "latency", 3, 9)
        self.ring = Ring(arena, "ring", 3, 64)
        if publish:
            self.keys.put(self.keys.hash(GOOD.encode()), 5, 7, 3, 0)
            self.keys.put(self.keys.hash(LIMITED.encode()), 6, 8, 0, 0)
            self.keys.put(self.keys.hash(OTHER.encode()), 200, 9, 1, 0)
            self.keys.publish()
        self.limits.configure(6, 90 * 10**9, 1)
        self.limits.hit(6, time.monotonic_ns())
        self.reached: list[dict[str, Any]] = []
        self.sent: list[tuple[str, list[tuple[str, str]]]] = []
        self.edge = self.build(ROUTES if routes is None else routes)

    def build(self, routes: dict[str, int], **changed: Any) -> Edge:
        refusals = {
            (number, code): (
                line,
                [("content-type", "application/json"), ("Retry-After", "99"), ("x-id", None)],
                b'{"form":%d,"code":"%s","id":"' % (number, code.encode()),
                b'"}',
            )
            for number in (0, 1)
            for code, line in CODES.items()
        }
        for code, line in CODES.items():  # a protocol whose body has no place for the id
            refusals[3, code] = (line, [], b'{"error":"%s"}' % code.encode(), None)
        parts: dict[str, Any] = {
            "slot": 2, "secret": self.secret, "epoch": 77, "cache": self.cache, "keys": self.keys,
            "limiter": self.limits, "routes": routes, "refusals": refusals, "max_body": MAX_BODY,
        }  # fmt: skip
        slot = changed.get("slot", 2)
        parts["journal"] = Journal(self.counters, self.routes, self.latency, self.ring, slot)
        self.parts = {"app": self.app, **parts, **changed}
        return Edge(**self.parts)

    def app(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.reached.append(environ)
        start_response("200 OK", [])
        return [b"app"]

    def call(self, env: dict[str, Any]) -> list[bytes]:
        return list(self.edge(env, lambda line, headers: self.sent.append((line, headers))))

    def events(self) -> list[dict[str, int]]:
        _, _, records = self.ring.read(2, 0, 100)
        return [dict(zip(FIELDS, EVENT.unpack(raw), strict=True)) for raw in records]

    def remember(self, body: bytes, tenant: int, answer: bytes, **more: Any) -> None:
        facts = {
            "model": 11, "upstream": 12, "alias": 13, "stream": False, "saved_nano": 1_000,
            "in_tok": 21, "out_tok": 22, "look": 0x1234_5678_9ABC_DEF0,
        }  # fmt: skip
        packed = pack_wire(
            200, b"application/json", [(b"x-pihub-route", b"a/b")], answer, **{**facts, **more}
        )
        assert self.cache.put(*wire_key(self.secret, 77, 1, body), tenant, packed, 60)


def environ(body: bytes = b"", **changed: Any) -> dict[str, Any]:
    env = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/v1/chat/completions",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "hub",
        "HTTP_AUTHORIZATION": f"Bearer {GOOD}",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    env.update(changed)
    return {name: value for name, value in env.items() if value is not None}


TOKENS = st.sampled_from([GOOD, LIMITED, OTHER, "nobody", ""])
ENV = st.fixed_dictionaries(
    {
        "REQUEST_METHOD": st.sampled_from(["POST", "POST", "POST", "GET", "HEAD", "post"]),
        "PATH_INFO": st.one_of(
            st.sampled_from(["/v1/chat/completions"] * 4 + ["/api/chat", "/x", "", "*", "/a\x00"]),
            st.text(st.characters(max_codepoint=0x17F), max_size=5).map(lambda s: "/" + s),
        ),
        "SERVER_PROTOCOL": st.sampled_from(
            ["HTTP/1.1"] * 6 + ["HTTP/1.0", "HTTP/9.9", "HTTP/1.2", "HTTP/2", "", None]
        ),
        "HTTP_HOST": st.sampled_from(["hub"] * 6 + ["a,b", "hub:80", None]),
        "HTTP_AUTHORIZATION": st.one_of(
            TOKENS.map(lambda t: f"Bearer {t}"),
            TOKENS.map(lambda t: f"bEARER  {t} "),
            st.sampled_from(["Basic x", "Bearer", "Bearer\t", "", None, "Bearerx " + GOOD]),
        ),
        "HTTP_X_API_KEY": st.one_of(st.none(), TOKENS),
        "CONTENT_LENGTH": st.sampled_from(
            ["4"] * 4 + ["0", "", "5", "3", "-1", "+4", "4 ", "4,4", "1001", "9" * 30, "x", None]
        ),
        "HTTP_TRANSFER_ENCODING": st.sampled_from([None, None, "chunked"]),
        "wsgi.input_terminated": st.sampled_from([True, False, None]),
        "HTTP_X_PIHUB_CACHE": st.sampled_from([None, None, "bypass"]),
    }
)


@examples(800)
@given(env=ENV, body=st.sampled_from([b"body"] * 3 + [b"", b"bod", b"longer body", b"x" * 1_001]))
def test_is_its_twin(env: dict[str, Any], body: bytes) -> None:
    hub = Hub()
    twin = Twin({GOOD: (5, 7, 3), LIMITED: (6, 8, 0), OTHER: (200, 9, 1)}, limited={6})
    hub.remember(b"body", 7, b"answer")
    twin.cached[1, 7, b"body"] = b"answer"
    env = {name: value for name, value in env.items() if value is not None}
    env["wsgi.input"] = io.BytesIO(body)
    what, more = twin.answer(env, body)
    out = hub.call(env)
    if what == "app":
        assert out == [b"app"]
        (seen,) = hub.reached
        learnt = {k: seen[k] for k in ("pihub.principal", "pihub.body", "pihub.route") if k in seen}
        assert learnt == more
        if more:
            of = more["pihub.route"], more["pihub.body"]
            assert seen["pihub.exact"] == wire_key(hub.secret, 77, *of)
        assert seen["pihub.rid_hex"] == f"{seen['pihub.rid']:016x}"
        assert seen["pihub.slot"] == 2
        assert hub.events() == []
        return
    assert hub.reached == []
    ((line, headers),) = hub.sent
    fields = dict(headers)
    assert len(fields) == len(headers), "a header twice"
    (event,) = hub.events()
    rid = fields["x-pihub-request-id"]
    assert event["rid"] == int(rid, 16)
    assert event["status"] == int(line[:3])
    if what == "hit":
        assert (line, out) == ("200 OK", [b"answer"])
        assert fields["x-pihub-cache"] == "HIT; exact"
    else:
        route, code = more
        assert line == CODES[code]
        expected = b'{"form":%d,"code":"%s","id":"%s"}' % (route, code.encode(), rid.encode())
        if route == 3:
            expected = b'{"error":"%s"}' % code.encode()
        assert fields.get("x-id", rid) == rid
        assert ("x-id" in fields) == (route != 3)
        assert out == ([] if env["REQUEST_METHOD"] == "HEAD" else [expected])
        assert fields["content-length"] == str(len(expected))
        assert ("retry-after" in fields) == (code in ("rate_limited", "starting"))


def test_a_hit_in_full() -> None:
    hub = Hub()
    hub.remember(b"question", 7, b"answer" * 50, stream=True, simulated=True)
    before = time.time_ns()
    assert hub.call(environ(b"question")) == [b"answer" * 50]
    ((line, headers),) = hub.sent
    assert line == "200 OK"
    assert dict(headers) == {
        "content-type": "application/json",
        "content-length": "300",
        "x-pihub-cache": "HIT; exact",
        "x-pihub-cost": "0",
        "x-pihub-route": "a/b",
        "x-pihub-request-id": dict(headers)["x-pihub-request-id"],
    }
    (event,) = hub.events()
    expected = {
        "saved_nano": 1_000, "cost_nano": 0, "in_tok": 21, "out_tok": 22, "bytes_in": 8,
        "bytes_out": 300, "key": 5, "status": 200, "tenant": 7, "route": 1, "model": 11,
        "upstream": 12, "alias": 13, "cache": 1, "flags": 9, "reason": 10, "worker": 2,
        "attempts": 0, "error": 0, "look": 0x1234_5678_9ABC_DEF0,
    }  # fmt: skip
    assert {name: event[name] for name in expected} == expected
    assert before <= event["ts_ns"] <= time.time_ns()
    assert event["dur_us"] < 10**6
    assert [hub.counters.total(c) for c in range(4)] == [1, 1, 0, 0]
    assert hub.counters.get(2, 0) == 1, "in the row of its slot"
    assert hub.routes.get(2, 40 + 2) == 1, "2xx of route 1"
    assert hub.latency.count(0) == 1


def test_a_refusal_is_counted() -> None:
    hub = Hub()
    hub.call(environ(HTTP_AUTHORIZATION="Bearer no"))
    (event,) = hub.events()
    assert (event["status"], event["flags"], event["reason"], event["key"]) == (401, 2, 17, 0)
    assert [hub.counters.total(c) for c in range(4)] == [1, 0, 1, 0]
    assert [c for c in range(160) if hub.routes.total(c)] == [40 + 4], "4xx of route 1"


def test_a_body_without_a_place_for_the_id_stays_whole() -> None:
    hub = Hub()
    assert hub.call(environ(PATH_INFO="/api/chat", HTTP_AUTHORIZATION="Bearer no")) == [
        b'{"error":"invalid_api_key"}'
    ]
    fields = dict(hub.sent[0][1])
    assert fields["content-length"] == "27"
    assert int(fields["x-pihub-request-id"], 16) == hub.events()[0]["rid"]


def test_starting() -> None:
    hub = Hub(publish=False)
    assert b'"starting"' in hub.call(environ(b"x"))[0]
    assert dict(hub.sent[0][1])["retry-after"] == "1"
    assert [hub.counters.total(c) for c in range(4)] == [1, 0, 1, 1]
    hub.keys.publish()
    assert b'"invalid_api_key"' in hub.call(environ(b"x"))[0]


def test_rate_limit_says_when() -> None:
    hub = Hub()
    hub.call(environ(HTTP_AUTHORIZATION=f"Bearer {LIMITED}"))
    assert 80 <= int(dict(hub.sent[0][1])["retry-after"]) <= 90


def test_headers_follow_the_entry() -> None:
    """Many forms of head, more than the edge remembers, each sent as it was kept."""
    hub = Hub()
    for turn in range(2):
        for n in range(200):
            body = b"question %d" % n
            if turn == 0:
                facts = {"model": 1, "upstream": 1, "alias": 1, "stream": False, "saved_nano": -1}
                pairs = [(b"x-pihub-reason", b"r%d" % (n % 90)), (b"x-n", b"v" * (n % 7))]
                packed = pack_wire(
                    200 + n % 3, b"text/%d" % (n % 5), pairs, b"a" * (n % 11), **facts, in_tok=0,
                    out_tok=0,
                )  # fmt: skip
                assert hub.cache.put(*wire_key(hub.secret, 77, 1, body), 7, packed, 60)
            assert hub.call(environ(body)) == [b"a" * (n % 11)]
            line, headers = hub.sent.pop()
            fields = dict(headers)
            assert line.startswith(str(200 + n % 3))
            assert fields["content-type"] == f"text/{n % 5}"
            assert fields["content-length"] == str(n % 11)
            assert fields["x-pihub-reason"] == f"r{n % 90}"
            assert fields["x-n"] == "v" * (n % 7)


@pytest.mark.parametrize("alike", ["heads", "lengths"])
def test_alike_heads_are_not_mixed_up(alike: str) -> None:
    """Many of one length that differ in their bytes; one head with bodies of many lengths."""
    hub = Hub()
    for n in range(600):
        body = b"question %d" % n
        facts = {"model": 1, "upstream": 1, "alias": 1, "stream": False, "saved_nano": -1}
        head = b"%04d" % (n if alike == "heads" else 7)
        answer = b"a" * (5 if alike == "heads" else n)
        packed = pack_wire(200, b"t", [(b"x-n", head)], answer, **facts, in_tok=0, out_tok=0)
        assert hub.cache.put(*wire_key(hub.secret, 77, 1, body), 7, packed, 60)
        assert hub.call(environ(body)) == [answer]
        fields = dict(hub.sent.pop()[1])
        assert fields["x-n"] == head.decode()
        assert fields["content-length"] == str(len(answer))


def test_no_other_tenant_route_epoch_or_secret_hits() -> None:
    hub = Hub()
    hub.remember(b"q", 7, b"mine")
    assert hub.call(environ(b"q", HTTP_AUTHORIZATION=f"Bearer {OTHER}")) == [b"app"]
    assert hub.call(environ(b"q", PATH_INFO="/api/chat")) == [b"app"]
    hub.edge = hub.build(ROUTES, epoch=78)
    assert hub.call(environ(b"q")) == [b"app"]
    hub.edge = hub.build(ROUTES, secret=bytes(32))
    assert hub.call(environ(b"q")) == [b"app"]
    hub.edge = hub.build(ROUTES)
    assert hub.call(environ(b"q")) == [b"mine"]


@pytest.mark.parametrize(
    "value", [b"", b"short", b"x" * 48, b"PHW2" + b"\xff" * 60, b"PHW2" + bytes(44)]
)
def test_whatever_is_wrong_with_an_entry_is_a_miss(value: bytes) -> None:
    hub = Hub()
    packed = pack_wire(
        200, b"a/b", [(b"n", b"v")], b"body", model=0, upstream=0, alias=0, stream=False,
        saved_nano=0, in_tok=0, out_tok=0,
    )  # fmt: skip
    few, many = packed[:6] + b"\0" + packed[7:], packed[:6] + b"\2" + packed[7:]
    for bad in (value, packed[:-1], packed + b"x", packed[:47], b"X" + packed[1:], few, many):
        hub.cache.put(*wire_key(hub.secret, 77, 1, b"q"), 7, bad, 60)
        assert hub.call(environ(b"q")) == [b"app"]
    hub.cache.put(*wire_key(hub.secret, 77, 1, b"q"), 7, packed, 60)
    assert hub.call(environ(b"q")) == [b"body"]


def test_request_ids_are_unique() -> None:
    hub = Hub()
    other = hub.build(ROUTES, slot=1)
    for n in range(3_000):
        (hub.edge if n % 2 else other)({**environ(), "REQUEST_METHOD": "GET"}, lambda *a: None)
    again = hub.build(ROUTES)
    for _ in range(1_000):
        again({**environ(), "REQUEST_METHOD": "GET"}, lambda *a: None)
    assert len({env["pihub.rid"] for env in hub.reached}) == 4_000


class Trickle:
    """A body that comes in pieces, or breaks."""

    def __init__(self, pieces: list[bytes | Exception]) -> None:
        self.pieces = pieces

    def read(self, n: int) -> bytes:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece


def test_a_body_in_pieces() -> None:
    hub = Hub()
    body = {"wsgi.input": Trickle([b"ab", b"cd", b"e"]), "CONTENT_LENGTH": "5"}
    assert hub.call(environ(**body)) == [b"app"]
    assert hub.reached[0]["pihub.body"] == b"abcde"
    chunked = {
        "wsgi.input": Trickle([b"ab", b"cd"]), "CONTENT_LENGTH": None,
        "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True,
    }  # fmt: skip
    assert hub.call(environ(**chunked)) == [b"app"]
    assert hub.reached[1]["pihub.body"] == b"abcd"


def test_a_body_that_breaks_is_a_bad_request() -> None:
    hub = Hub()
    body = {"wsgi.input": Trickle([b"ab", OSError("gone")]), "CONTENT_LENGTH": "5"}
    assert b'"bad_request"' in hub.call(environ(**body))[0]


@pytest.mark.parametrize(
    "odd",
    [
        {"PATH_INFO": b"/v1/chat/completions"},
        {"PATH_INFO": None},
        {"CONTENT_LENGTH": "\u0664"},
        {"CONTENT_LENGTH": "4", "wsgi.input": None},
    ],
)
def test_an_environ_that_no_server_makes_is_a_bad_request(odd: dict[str, Any]) -> None:
    hub = Hub()
    assert b'"bad_request"' in hub.call(environ(b"body", **odd))[0]
    assert hub.reached == []


def test_a_refusal_is_sent_though_the_rest_of_the_body_breaks() -> None:
    hub = Hub()
    pieces: list[bytes | Exception] = [b"x" * 100, OSError("gone")]
    body = {"wsgi.input": Trickle(pieces), "CONTENT_LENGTH": "500"}
    assert b'"invalid_api_key"' in hub.call(environ(HTTP_AUTHORIZATION="Bearer no", **body))[0]
    assert pieces == []


def test_a_status_without_a_name() -> None:
    hub = Hub()
    facts = {"model": 1, "upstream": 1, "alias": 1, "stream": False, "saved_nano": 1}
    packed = pack_wire(299, b"t", [], b"answer", **facts, in_tok=0, out_tok=0)
    assert hub.cache.put(*wire_key(hub.secret, 77, 1, b"q"), 7, packed, 60)
    assert hub.call(environ(b"q")) == [b"answer"]
    assert hub.sent[0][0] == "299 Unknown"


@pytest.mark.parametrize("length", [MAX_BODY, MAX_BODY + 1])
def test_the_largest_body(length: int) -> None:
    hub = Hub()
    out = hub.call(environ(b"x" * length))
    assert (out == [b"app"]) is (length == MAX_BODY)
    assert out == [b"app"] or b'"request_too_large"' in out[0]


@pytest.mark.parametrize("server", ["meinheld", "another"])
def test_a_body_that_says_it_is_too_large_is_not_kept(server: str) -> None:
    hub = Hub()
    pieces: list[bytes | Exception] = [b"x" * 100] * 20
    body = {"wsgi.input": Trickle(pieces), "CONTENT_LENGTH": str(MAX_BODY + 1)}
    if server == "meinheld":  # it has read the body, or refuses it by itself
        body["meinheld.client"] = object()
    assert b'"request_too_large"' in hub.call(environ(**body))[0]
    # Another server would close upon the unread rest, and its client see no answer.
    assert 100 * (20 - len(pieces)) >= MAX_BODY if server == "another" else len(pieces) == 20


def test_the_client_may_pass_the_cache_by() -> None:
    hub = Hub()
    hub.remember(b"q", 7, b"kept")
    assert hub.call(environ(b"q", HTTP_X_PIHUB_CACHE="bypass")) == [b"app"]
    assert hub.reached[0]["pihub.exact"] == wire_key(hub.secret, 77, 1, b"q")
    assert hub.call(environ(b"q")) == [b"kept"]


def test_a_restricted_key_is_never_answered_from_the_cache_here() -> None:
    hub = Hub()
    hub.remember(b"q", 7, b"kept")
    assert hub.call(environ(b"q")) == [b"kept"]
    hub.keys.put(hub.keys.hash(GOOD.encode()), 5, 7, RESTRICTED, 0)
    assert hub.call(environ(b"q")) == [b"app"]
    assert hub.reached[0]["pihub.principal"] == (5, 7, RESTRICTED)


def test_a_quota_is_asked_for_keys_of_its_tenant_only() -> None:
    hub = Hub()
    hub.edge = Edge(**hub.parts, quotas=hub.limits)
    hub.limits.configure(7, 90 * 10**9, 1)
    for _ in range(3):
        assert hub.call(environ(b"q")) == [b"app"]
    hub.keys.put(hub.keys.hash(GOOD.encode()), 5, 7, QUOTA, 0)
    assert hub.call(environ(b"q")) == [b"app"]
    assert b'"rate_limited"' in hub.call(environ(b"q"))[0]
    assert dict(hub.sent[-1][1])["retry-after"] == "90"


def test_an_endless_body_is_bounded() -> None:
    hub = Hub()
    pieces: list[bytes | Exception] = [b"x" * 100] * 1_000
    endless = {
        "wsgi.input": Trickle(pieces), "CONTENT_LENGTH": None,
        "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True,
    }  # fmt: skip
    assert b'"request_too_large"' in hub.call(environ(**endless))[0]
    assert len(pieces) >= 989


def test_packing_refuses_what_could_be_smuggled() -> None:
    facts = {
        "model": 0, "upstream": 0, "alias": 0, "stream": False, "saved_nano": 0, "in_tok": 0,
        "out_tok": 0,
    }  # fmt: skip
    for ctype, pairs in [
        (b"a\r\nb", []),
        (b"a", [(b"n\n", b"v")]),
        (b"a", [(b"n", b"v\r\nset-cookie: x")]),
        (b"a", [(b"", b"v")]),
        (b"a", [(b"n", b"v" * 5_000)]),
        (b"a", [(b"n", b"v")] * 256),
    ]:
        with pytest.raises(ValueError, match=r"header|line break"):
            pack_wire(200, ctype, pairs, b"", **facts)
    with pytest.raises(ValueError, match="status"):
        pack_wire(99, b"a", [], b"", **facts)
    own = [(b"Content-Length", b"9"), (b"x-pihub-cache", b"MISS"), (b"x-pihub-cost", b"7")]
    assert pack_wire(200, b"a", own, b"", **facts) == pack_wire(200, b"a", [], b"", **facts)


def test_construction_refuses() -> None:
    hub = Hub()
    with pytest.raises(ValueError, match="no refusals"):
        hub.build({}, refusals={})
    with pytest.raises(TypeError, match="qoutas"):
        Edge(**{**hub.parts, "qoutas": hub.limits})
    with pytest.raises(ValueError, match="slot 1 with the journal of slot 2"):
        Edge(**{**hub.parts, "slot": 1})
    with pytest.raises(ValueError, match="32 bytes"):
        hub.build({}, secret=b"short")
    with pytest.raises(ValueError, match="bad max_body -1"):
        hub.build({}, max_body=-1)
    with pytest.raises(ValueError, match="route numbers"):
        hub.build({"/x": 64})
    for path in ("x", "", "/\n", "/\u0100"):
        with pytest.raises(ValueError, match="starts with /"):
            hub.build({path: 1})
    with pytest.raises(ValueError, match="32 bytes"):
        wire_key(b"", 0, 0, b"")


def test_errors_of_the_application_pass() -> None:
    hub = Hub()

    def broken(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        raise KeyError("inside")

    hub.app = broken  # type: ignore[method-assign]
    hub.edge = hub.build(ROUTES)
    with pytest.raises(KeyError, match="inside"):
        hub.call(environ(REQUEST_METHOD="GET"))


SPELT = b'{"a":"x y","b":[1,2]}'
SPREAD = b'{ "a": "x y",\n "b": [1, 2] }'


def test_the_same_json_with_other_whitespace_hits_and_then_at_once() -> None:
    hub = Hub()
    hub.remember(SPELT, 7, b"answer")
    assert hub.call(environ(SPREAD)) == [b"answer"]
    exact = wire_key(hub.secret, 77, 1, SPREAD)
    alias = hub.cache.get(*exact, 7)
    assert alias is not None and len(alias) == 24, "the next time these bytes hit at once"
    assert hub.call(environ(SPREAD)) == [b"answer"]
    assert [event["cache"] for event in hub.events()] == [1, 1]
    assert hub.cache.delete(*wire_key(hub.secret, 77, 1, SPELT), 7)
    hub.call(environ(SPREAD))
    assert len(hub.reached) == 1, "an alias of nothing is a miss"


def test_an_answer_to_spread_json_is_kept_under_the_compact_key() -> None:
    hub = Hub()
    hub.call(environ(SPREAD))
    assert hub.reached[-1]["pihub.exact"] == wire_key(hub.secret, 77, 1, SPELT)
    assert hub.reached[-1]["pihub.body"] == SPREAD, "the upstream gets what the client sent"
    hub.call(environ(b'{"a": tr ue}'))
    assert hub.reached[-1]["pihub.exact"] == wire_key(hub.secret, 77, 1, b'{"a": tr ue}')


def test_a_body_that_is_too_long_to_be_respelled_has_its_own_key() -> None:
    hub = Hub()
    hub.edge = hub.build(ROUTES, max_body=1 << 20)
    for size, shorter in ((256 << 10, True), ((256 << 10) + 1, False)):
        spread = b"[1," + b" " * (size - 5) + b"2]"
        assert len(spread) == size
        hub.call(environ(spread))
        key = wire_key(hub.secret, 77, 1, b"[1,2]" if shorter else spread)
        assert hub.reached[-1]["pihub.exact"] == key


def test_whitespace_within_a_string_is_another_question() -> None:
    hub = Hub()
    hub.remember(SPELT, 7, b"answer")
    hub.call(environ(SPREAD.replace(b"x y", b"x  y")))
    assert len(hub.reached) == 1


def test_an_alias_is_checked_like_any_entry() -> None:
    hub = Hub()
    exact = wire_key(hub.secret, 77, 1, SPELT)
    itself = b"".join(half.to_bytes(8, "little") for half in exact)
    for value in (b"x" * 24, b"PHA1" + b"\xff" * 20, b"PHA1\0\0\0\0" + itself):
        hub.cache.put(*exact, 7, value, 60)
        hub.call(environ(SPELT))
    assert len(hub.reached) == 3, "nonsense, nowhere, and itself"


ORDERED = b'{"input":"x","model":"m"}'
REORDERED = b'{ "model": "m", "input": "x" }'


def any_order(hub: Hub, *models: bytes) -> Hub:
    hub.edge = hub.build(ROUTES, any_order=models)
    return hub


def test_members_in_another_order_hit_where_that_is_allowed_and_then_at_once() -> None:
    hub = any_order(Hub(), b"m")
    hub.remember(ORDERED, 7, b"answer")
    assert hub.call(environ(REORDERED)) == [b"answer"]
    alias = hub.cache.get(*wire_key(hub.secret, 77, 1, REORDERED), 7)
    assert alias is not None and len(alias) == 24, "the next time these bytes hit at once"
    assert hub.call(environ(REORDERED)) == [b"answer"]
    assert [event["cache"] for event in hub.events()] == [1, 1]
    hub.call(environ(REORDERED.replace(b'"m"', b'"other"')))
    assert len(hub.reached) == 1


@pytest.mark.parametrize("models", [(), (b"other",), (b"",)])
def test_and_miss_where_it_is_not(models: tuple[bytes, ...]) -> None:
    hub = any_order(Hub(), *models)
    hub.remember(ORDERED, 7, b"answer")
    hub.call(environ(REORDERED))
    assert hub.reached[-1]["pihub.exact"] == wire_key(
        hub.secret, 77, 1, b'{"model":"m","input":"x"}'
    )


def test_what_is_asked_in_any_order_is_kept_under_one_key() -> None:
    hub = any_order(Hub(), b"m")
    for body in (REORDERED, ORDERED):
        hub.call(environ(body))
        assert hub.reached[-1]["pihub.exact"] == wire_key(hub.secret, 77, 1, ORDERED)
        assert hub.reached[-1]["pihub.body"] == body, "the upstream gets what the client sent"


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","input":"x","input":"x"}',
        b'{"model":"m","input":"\\u0078"}',
        b'{"model":"m","inp\\u0075t":"x"}',
        b'{"model":"m","input":"x","input2":1}',
        b'{"model":"m","input":"x"} ]',
    ],
)
def test_another_spelling_is_another_question(body: bytes) -> None:
    hub = any_order(Hub(), b"m")
    hub.remember(ORDERED, 7, b"answer")
    hub.call(environ(body))
    assert len(hub.reached) == 1


def test_another_tenant_s_answer_is_not_found_by_any_order() -> None:
    hub = any_order(Hub(), b"m")
    hub.remember(ORDERED, 9, b"answer")
    hub.call(environ(REORDERED))
    assert len(hub.reached) == 1
