"""The edge's direct way against its WSGI way: the same answer, or none and nothing changed."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub._core import edge
from pihub._core.direct import Direct
from pihub._core.edge import pack_wire, wire_key
from pihub._core.scanner import Gate, Scanner
from pihub.security.scanner.keywords import load
from pihub.shared.scopes import QUOTA, RESTRICTED
from tests.core.test_edge import GOOD, LIMITED, OTHER, Hub, environ
from tests.directly import Offer, ask_capsule
from tests.effort import examples
from tests.model.edge import MAX_BODY, ROUTES

CHAT = b"/v1/chat/completions"
Fields = list[tuple[bytes, bytes]]
BEARER: Fields = [(b"Authorization", b"Bearer " + GOOD.encode())]


def direct(hub: Hub, body: bytes, fields: Fields = BEARER, path: bytes = CHAT) -> Any:
    return ask_capsule(hub.edge.direct, path, fields, body)


def lines(answer: tuple[bytes, bytes]) -> tuple[dict[str, str], bytes]:
    head, _, body = answer[1].partition(b"\r\n\r\n")
    pairs = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")]
    assert len(dict(pairs)) == len(pairs), "a header twice"
    return dict(pairs), body


def everything(hub: Hub) -> tuple[object, ...]:
    """All that a request may change."""
    return (
        hub.events(), [hub.counters.total(c) for c in range(20)],
        [hub.routes.total(c) for c in range(24)], [hub.latency.count(s) for s in range(9)],
        [hub.limits.remaining(r, time.monotonic_ns()) for r in range(16) if r != 6],
    )  # fmt: skip


TOKENS = st.sampled_from([GOOD, LIMITED, OTHER, "nobody", ""])
FIELDS = st.fixed_dictionaries(
    {
        "Authorization": st.one_of(
            st.none(),
            TOKENS.map(lambda t: f"Bearer {t}"),
            st.sampled_from(["Basic x", "Bearer", "bEARER  " + GOOD, "Bearerx " + GOOD]),
        ),
        "x-API-key": st.one_of(st.none(), TOKENS),
        "X-Pihub-Cache": st.sampled_from([None, None, None, "bypass"]),
        "X-Pihub-Deadline": st.sampled_from([None, None, None, "2"]),
        "Idempotency-Key": st.sampled_from([None, None, None, "k"]),
        "Anthropic-Beta": st.sampled_from([None, None, None, "x"]),
        "User-Agent": st.sampled_from([None, "test"]),
    }
)


@examples(150)
@given(
    fields=FIELDS,
    body=st.sampled_from([b"body"] * 4 + [b"", b"bod", b"x" * (MAX_BODY + 1)]),
    path=st.sampled_from(["/v1/chat/completions"] * 4 + ["/api/chat", "/", "/v1/chat/completion"]),
)
def test_answers_what_the_other_way_would_and_nothing_else(
    fields: dict[str, str | None], body: bytes, path: str
) -> None:
    given = [(k, v) for k, v in fields.items() if v is not None]
    hubs = Hub(), Hub()
    for hub in hubs:
        hub.remember(b"body", 7, b"answer")
        hub.remember(b"", 7, b"")
    before = everything(hubs[0])
    got = direct(hubs[0], body, [(k.encode(), v.encode()) for k, v in given], path.encode())
    env = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in given}
    other = hubs[1].call(environ(body, **{"HTTP_AUTHORIZATION": None, **env, "PATH_INFO": path}))
    if got is None:
        assert everything(hubs[0]) == before, "a no leaves nothing behind"
        assert dict(hubs[1].sent[0][1]).get("x-pihub-cache") is None
        return
    ((line, headers),) = hubs[1].sent
    said, sent = lines(got)
    assert (got[0].decode(), [sent]) == (line, other)
    ours, theirs = dict(said), dict(headers)
    assert list(said) == [name for name, _ in headers], "in the same order"
    rid = ours.pop("x-pihub-request-id")
    theirs.pop("x-pihub-request-id")
    assert ours == theirs
    (event,), (like,) = hubs[0].events(), hubs[1].events()
    assert event["rid"] == int(rid, 16)
    for name in ("rid", "ts_ns", "dur_us"):
        event.pop(name), like.pop(name)
    assert event == like
    assert everything(hubs[0])[1:] == everything(hubs[1])[1:]


def test_both_ways_share_one_row_of_ids() -> None:
    hub = Hub()
    hub.remember(b"q", 7, b"a")
    for _ in range(25):
        assert direct(hub, b"q") is not None
        assert hub.call(environ(b"q")) == [b"a"]
    ids = [event["rid"] for event in hub.events()]
    assert len(set(ids)) == 50


def test_a_limit_is_charged_once_and_a_refusal_charges_nothing() -> None:
    hub = Hub()
    hub.keys.put(hub.keys.hash(b"ph_quota"), 4, 2, QUOTA, 0)
    hub.limits.configure(4, 90 * 10**9, 5)
    hub.limits.configure(2, 90 * 10**9, 2)  # the same rows, by tenant, as its quotas
    hub.edge = hub.build(ROUTES, quotas=hub.limits)
    hub.remember(b"q", 2, b"a")
    fields = [(b"authorization", b"Bearer ph_quota")]
    assert [direct(hub, b"q", fields) is not None for _ in range(4)] == [True, True, False, False]
    now = time.monotonic_ns()
    assert (hub.limits.remaining(4, now), hub.limits.remaining(2, now)) == (3, 0)
    assert len(hub.events()) == 2
    hub.call(environ(b"q", HTTP_AUTHORIZATION="Bearer ph_quota"))
    assert hub.sent[-1][0] == "429 Too Many Requests"
    assert hub.limits.remaining(4, now) == 3


@pytest.mark.parametrize(
    "fields",
    [
        [*BEARER, *BEARER],
        [(b"x-api-key", GOOD.encode())] * 2,
        [*BEARER, (b"X-PIHUB-CACHE", b"")],
        [*BEARER, (b"anthropic-beta", b"")],
    ],
)
def test_in_doubt_no(fields: Fields) -> None:
    hub = Hub()
    hub.remember(b"q", 7, b"a")
    assert direct(hub, b"q", fields) is None
    assert direct(hub, b"q") is not None


@pytest.mark.native
def test_both_ways_know_the_same_fields() -> None:
    """Each field without which alone the edge looks into the cache."""
    source = Path(edge.__file__).with_name("edge.pyx").read_text()
    names = re.findall(r'environ, "HTTP_(\w+)"\) is NULL', source)
    assert {"X_PIHUB_CACHE", "ANTHROPIC_BETA", "IDEMPOTENCY_KEY"} <= set(names)
    hub = Hub()
    hub.remember(b"q", 7, b"a")
    for name in names:
        field = name.replace("_", "-").encode()
        for form in (field, field.lower(), field.title()):
            assert direct(hub, b"q", [*BEARER, (form, b"1")]) is None
            assert direct(hub, b"q", [*BEARER, (form + b"s", b"1")]) or b"PIHUB" in field
            assert direct(hub, b"q", [*BEARER, (form[:-1], b"1")]) or b"PIHUB" in field


def test_a_restricted_key_is_never_answered() -> None:
    hub = Hub()
    hub.remember(b"q", 7, b"a")
    hub.keys.put(hub.keys.hash(GOOD.encode()), 5, 7, RESTRICTED, 0)
    assert direct(hub, b"q") is None


def test_not_before_the_keys_are_there() -> None:
    hub = Hub(publish=False)
    hub.remember(b"q", 7, b"a")
    assert direct(hub, b"q") is None


@pytest.mark.parametrize(
    ("name", "value", "fine"),
    [
        (b"x-fine", b"v", True),
        (b"bad name", b"v", False),
        (b"x-nul", b"a\0b", False),
        (b"x-tab", b"a\tb", True),
        (b"x-latin", b"\xe9", True),
        (b"Date", b"today", False),
        (b"connection", b"close", False),
        (b"Transfer-Encoding", b"chunked", False),
        (b"Server", b"spy", False),
    ],
)
def test_headers_that_the_server_must_judge(name: bytes, value: bytes, fine: bool) -> None:
    hub = Hub()
    facts = {"model": 1, "upstream": 1, "alias": 1, "stream": False, "saved_nano": -1}
    packed = pack_wire(200, b"t", [(name, value)], b"a", **facts, in_tok=0, out_tok=0)
    assert hub.cache.put(*wire_key(hub.secret, 77, 1, b"q"), 7, packed, 60)
    got = direct(hub, b"q")
    assert (got is not None) == fine
    if got is not None:
        assert lines(got)[0][name.decode()] == value.decode("latin-1")


@pytest.mark.parametrize("status", [204, 304])
def test_no_answer_without_a_body(status: int) -> None:
    hub = Hub()
    facts = {"model": 1, "upstream": 1, "alias": 1, "stream": False, "saved_nano": -1}
    packed = pack_wire(status, b"t", [], b"", **facts, in_tok=0, out_tok=0)
    assert hub.cache.put(*wire_key(hub.secret, 77, 1, b"q"), 7, packed, 60)
    assert direct(hub, b"q") is None


def test_large_answers_go_the_long_way() -> None:
    hub = Hub()
    for size, direct_too in ((200_000, True), (255_000, False)):
        body = b"q%d" % size
        hub.remember(body, 7, b"a" * size)
        got = direct(hub, body)
        assert (got is not None) == direct_too
        if got is not None:
            assert lines(got)[1] == b"a" * size
        assert hub.call(environ(body)) == [b"a" * size]


def test_the_scanner_stands_in_front() -> None:
    """What is not clean is not answered directly, whatever lies in the cache."""
    hub = Hub()
    hub.remember(b"q", 7, b"a")
    gate = Gate(hub.edge, Scanner(load(), b"8 bytes or more"), lambda *_: None)
    capsule = gate.direct
    assert ask_capsule(capsule, CHAT, BEARER, b"q") is not None
    attack = b"<script>alert(document.cookie)</script>"
    for name in (b"user-agent", b"X-Anything", b"Cookie"):
        assert ask_capsule(capsule, CHAT, [*BEARER, (name, attack)], b"q") is None
        assert ask_capsule(capsule, CHAT, [*BEARER, (name, b"plain words, of a client")], b"q")
    assert len(hub.events()) == 4


ATTACK = "<script>alert(document.cookie)</script>"
NAMES = [
    "User-Agent", "X-Anything", "Cookie", "Accept", "Accept-Encoding", "Content-Type", "X-Api-Key",
    "Authorization", "Content-Encoding", "Proxy-Authorization", "Referer", "X-Ap", "Accept-Encodin",
]  # fmt: skip
"""What is judged and what is not, and beginnings of what is not. Those that frame the message
are no fields of a direct ask."""


@pytest.fixture(scope="module")
def judged() -> tuple[Gate, Scanner]:
    """A gate in front of an application that has an answer to all, and the gate's scanner."""

    class Answers:
        def __init__(self) -> None:
            self.offer = Offer(lambda ask: (b"200 OK", b"\r\n"))
            self.direct = self.offer.capsule

        def __call__(self, *_: object) -> list[bytes]:
            return []

    scanner = Scanner(load(), b"8 bytes or more")
    return Gate(Answers(), scanner, lambda *_: None), scanner


@examples(300)
@given(
    fields=st.dictionaries(
        st.sampled_from(NAMES),
        st.sampled_from(["plain words, of one", "gzip", ATTACK, "' or 1=1 --", "../etc/passwd"]),
        max_size=6,
    ),
    upper=st.booleans(),
    path=st.sampled_from(["/v1/chat/completions"] * 3 + ["/v1/../../etc/passwd", "/.git/config"]),
)
def test_the_scanner_finds_the_same_both_ways(
    judged: tuple[Gate, Scanner], fields: dict[str, str], upper: bool, path: str
) -> None:
    """Whether the scanner's memory of clean values knows the value or not."""
    gate, scanner = judged
    sent = [((k.upper() if upper else k).encode(), v.encode()) for k, v in fields.items()]
    env = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in fields.items()}
    if "HTTP_CONTENT_TYPE" in env:  # as servers name it (PEP 3333)
        env["CONTENT_TYPE"] = env.pop("HTTP_CONTENT_TYPE")
    env |= {"PATH_INFO": path, "QUERY_STRING": "", "HTTP_HOST": "t", "CONTENT_LENGTH": "1"}
    for _ in range(2):
        direct_too = ask_capsule(gate.direct, path.encode(), sent, b"q") is not None
        assert direct_too == (scanner.request(env) is None)


def test_no_offer_behind_no_offer() -> None:
    gate = Gate(lambda *_: [], Scanner(load(), b"8 bytes or more"), lambda *_: None)
    with pytest.raises(AttributeError):
        _ = gate.direct


def test_only_plain_paths_are_known() -> None:
    hub = Hub({"/v1/a": 1, "/v1/%41": 1, "/v1/a b": 1})
    hub.remember(b"q", 7, b"a")
    assert direct(hub, b"q", path=b"/v1/a") is not None
    assert direct(hub, b"q", path=b"/v1/%41") is None
    assert issubclass(type(hub.edge), Direct)
