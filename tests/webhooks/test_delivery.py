"""Couriers against targets that answer, refuse, hang and come back; actions; templates."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pihub.server.waiter_poll import PollWaiter
from pihub.settings.schema import Api
from pihub.settings.webhooks import Action, Delivery, Subscriber
from pihub.store.group import GroupCommit
from pihub.store.hooks import Due, HookDatabase, NewEvent, bury, replay
from pihub.upstream.connector.connector import Connector
from pihub.upstream.connector.origin import Origin
from pihub.webhooks import template
from pihub.webhooks.actions import ActionTarget, own_origin
from pihub.webhooks.again import backoff
from pihub.webhooks.attempt import HttpTarget, Verdict
from pihub.webhooks.courier import Courier
from pihub.webhooks.pause import Pause
from pihub.webhooks.resolve import SystemResolver
from tests.system.hookparts import Subscriber as Receiver

QUICK = Delivery(attempts=3, backoff=0.01, max_backoff=0.02, failures=1000, pause=0.05)
OK = Verdict(True, 200)
DOWN = Verdict(False, 503, "status 503", down=True)


class Plain:
    """A target made of a function."""

    def __init__(self, answer: Callable[[Due], Verdict]) -> None:
        self.answer = answer
        self.got: list[Due] = []
        self.lock = threading.Lock()

    def attempt(self, due: Due) -> Verdict:
        with self.lock:
            self.got.append(due)
        return self.answer(due)


class Post:
    """A store, its committer, and couriers on it."""

    def __init__(self, folder: Path) -> None:
        self.store = HookDatabase(folder / "hooks.db")
        self.group = GroupCommit(self.store.database)
        self.couriers: list[Courier] = []
        self.threads = [threading.Thread(target=self.group.run, daemon=True)]
        self.threads[0].start()
        self.counted: dict[str, int] = {}
        self.number = 0

    def courier(
        self, target: Any, settings: Delivery = QUICK, concurrency: int = 3, settle: int = 0
    ) -> Courier:
        made = Courier("crm", target, concurrency, settings, self.store, self.group,
                       self._count, {"hubspot": settle})  # fmt: skip
        self.couriers.append(made)
        for thread in made.threads():
            self.threads.append(thread)
            thread.start()
        return made

    def _count(self, what: str, number: int) -> None:
        self.counted[what] = self.counted.get(what, 0) + number

    def put(self, *abouts: str, at: int = 1000) -> None:
        now = int(time.time() * 1000)
        events = []
        for about in abouts:
            self.number += 1
            events.append(
                NewEvent(self.number.to_bytes(16, "big"), about, "contact.creation",
                         at + self.number, json.dumps({"n": self.number, "objectId": about}),
                         ("crm",))
            )
        self.group.call(lambda c: self.store.add(c, "hubspot", events, now, now), 10)
        for courier in self.couriers:
            courier.wake()

    def rows(self, state: int) -> int:
        sql = "SELECT count(*) FROM deliveries WHERE state = ?"
        return int(self.store.database.read(sql, (state,))[0][0])

    def until(self, done: Callable[[], bool], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, [c.state() for c in self.couriers]
            time.sleep(0.005)

    def close(self) -> None:
        for courier in self.couriers:
            courier.stop()
        for thread in self.threads[1:]:
            thread.join(10)
        self.group.close()
        self.threads[0].join(10)
        self.store.close()


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    made = Post(tmp_path)
    yield made
    made.close()


def test_everything_arrives_and_no_lane_is_left(post: Post) -> None:
    target = Plain(lambda due: OK)
    post.courier(target)
    post.put(*(f"7/contact/{n % 9}" for n in range(100)))
    post.until(lambda: post.rows(1) == 100)
    assert len(target.got) == 100
    assert post.store.database.read("SELECT count(*) FROM lanes")[0][0] == 0
    assert post.counted == {"delivered": 100}


def test_an_object_s_events_wait_for_its_first_and_others_do_not(post: Post) -> None:
    open_ = threading.Event()
    target = Plain(lambda due: OK if due.object != "slow" or open_.is_set() else DOWN)
    post.courier(target, Delivery(attempts=1000, backoff=0.01, max_backoff=0.02, failures=10**6))
    post.put("slow", "a", "slow", "b", "slow")
    post.until(lambda: post.rows(1) == 2)
    assert {due.object for due in target.got if due.key[-1] > 1} == {"a", "b"}
    open_.set()
    post.until(lambda: post.rows(1) == 5)
    good = [due.key[-1] for due in target.got if due.object == "slow"][-3:]
    assert good == [1, 3, 5]


def test_a_dead_letter_lets_the_next_pass_and_comes_back_by_a_replay(post: Post) -> None:
    bad = {b"\x01"}
    target = Plain(lambda due: DOWN if due.key[-1:] in bad else OK)
    courier = post.courier(target)
    post.put("x", "x")
    post.until(lambda: post.rows(1) == 1 and post.rows(2) == 1)
    assert [due.key[-1] for due in target.got] == [1, 1, 1, 2]
    assert post.counted == {"failed": 3, "dead": 1, "delivered": 1}
    bad.clear()
    now = int(time.time() * 1000)
    assert post.group.call(lambda c: replay(c, "crm", now, None), 5) == 1
    courier.wake()
    post.until(lambda: post.rows(1) == 2)


def test_what_says_gone_is_not_tried_again(post: Post) -> None:
    target = Plain(lambda due: Verdict(False, 410, "status 410", final=True))
    post.courier(target)
    post.put("x")
    post.until(lambda: post.rows(2) == 1)
    assert len(target.got) == 1


def test_a_target_in_trouble_is_left_alone_as_a_whole(post: Post) -> None:
    down = threading.Event()
    down.set()
    target = Plain(lambda due: DOWN if down.is_set() else OK)
    settings = Delivery(attempts=1000, backoff=0.001, max_backoff=0.002, failures=4, pause=0.2)
    courier = post.courier(target, settings, concurrency=4)
    post.put(*(f"o{n}" for n in range(50)))
    post.until(lambda: courier.state().breaker == "open")
    # Four of these may be on their way already; between the others lies a pause each.
    start, before = time.monotonic(), len(target.got)
    post.until(lambda: len(target.got) >= before + 8)
    assert time.monotonic() - start > 0.6, "one attempt a pause"
    down.clear()
    post.until(lambda: post.rows(1) == 50)
    assert courier.state().breaker == "closed"


def test_retry_after_is_waited_for(post: Post) -> None:
    times: list[float] = []

    def answer(due: Due) -> Verdict:
        times.append(time.monotonic())
        return OK if len(times) > 1 else Verdict(False, 429, "status 429", retry_after=0.4)

    post.courier(Plain(answer), Delivery(backoff=0.001))
    post.put("x")
    post.until(lambda: post.rows(1) == 1)
    assert times[1] - times[0] >= 0.39


def test_older_ones_that_are_on_their_way_are_waited_for(post: Post) -> None:
    target = Plain(lambda due: OK)
    post.courier(target, settle=400)
    post.put("x", at=5000)
    post.put("x", at=1000)
    post.until(lambda: post.rows(1) == 2)
    assert [due.key[-1] for due in target.got] == [2, 1]


def test_outcomes_that_the_disk_does_not_take_are_kept(post: Post) -> None:
    target = Plain(lambda due: OK)
    post.put("x")
    with post.store.database.write() as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON deliveries BEGIN"
            " SELECT RAISE(ABORT, 'as good as full'); END"
        )
    courier = post.courier(target)
    post.until(lambda: post.group.failures >= 2)
    assert post.rows(0) == 1
    with post.store.database.write() as connection:
        connection.execute("DROP TRIGGER full")
    post.until(lambda: post.rows(1) == 1)
    assert len(target.got) == 1, "it was sent again"
    post.until(lambda: courier.state().busy == 0)


def test_targets_that_are_gone_leave_dead_letters(post: Post) -> None:
    post.put("x", "y")
    assert post.group.call(lambda c: bury(c, ["other"], 5), 5) == 2
    assert post.rows(2) == 2
    assert post.store.due("crm", 10**15, 10) == []


@given(st.integers(1, 200), st.floats(0, 1e9), st.floats(0, 1))
def test_backoff_has_bounds(tries: int, retry_after: float, luck: float) -> None:
    settings = Delivery(backoff=1.0, max_backoff=60.0)
    wait = backoff(settings, tries, retry_after, luck)
    assert min(retry_after, 60.0) <= wait <= 60.0
    assert backoff(settings, 3, 0.0, 1.0) == 4.0


def test_pause_lets_one_decide() -> None:
    pause = Pause(2, 10.0)
    for now in (0.0, 1.0):
        assert pause.wait(now) <= 0
        pause.began()
        pause.ended(False, now)
    assert pause.state(1.0) == "open" and pause.wait(1.0) == 10.0
    assert pause.wait(11.0) <= 0
    pause.began()
    assert pause.wait(11.0) > 0 and pause.state(11.0) == "half-open"
    pause.ended(True, 11.0)
    assert pause.state(11.0) == "closed" and pause.wait(11.0) <= 0


# ---- the wire --------------------------------------------------------------------------


def due(body: dict[str, Any], **fields: Any) -> Due:
    found = {"id": 1, "key": b"k" * 16, "source": "hubspot", "object": "7/contact/1",
             "kind": "contact.creation", "at": 1_700_000_000_123, "body": json.dumps(body),
             "attempts": 0, "received": 0}  # fmt: skip
    return Due(**{**found, **fields})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


@pytest.fixture
def connector() -> Iterator[Connector]:
    made = Connector(PollWaiter(), SystemResolver())
    yield made
    made.close()


def test_a_subscriber_gets_standard_webhooks(receiver: Receiver, connector: Connector) -> None:
    secret = base64.b64encode(b"s" * 24)
    settings = Subscriber(url=f"http://localhost:{receiver.port}/a/b/")
    target = HttpTarget(settings, b"whsec_" + secret, connector)
    assert target.attempt(due({"objectId": 1})) == Verdict(True, 200)
    [headers], [body] = receiver.headers, receiver.done
    assert body == {
        "type": "contact.creation", "timestamp": "2023-11-14T22:13:20.123Z",
        "source": "hubspot", "object": "7/contact/1", "data": {"objectId": 1},
    }  # fmt: skip
    assert headers["webhook-id"] == headers["idempotency-key"] == "evt_" + "6b" * 16
    raw = json.dumps(body, separators=(",", ":")).replace('{"objectId":1}', '{"objectId": 1}')
    source = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{raw}".encode()
    mac = base64.b64encode(hmac.new(b"s" * 24, source, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"


def test_every_way_to_fail_is_a_verdict(receiver: Receiver, connector: Connector) -> None:
    target = HttpTarget(
        Subscriber(url=f"http://127.0.0.1:{receiver.port}", timeout=0.5), None, connector
    )
    for status, down, final in ((500, True, False), (429, True, False), (404, False, False),
                                (302, False, False), (410, False, True)):  # fmt: skip
        receiver.status = status
        verdict = target.attempt(due({}))
        assert (verdict.ok, verdict.status, verdict.down, verdict.final) == (
            False, status, down, final,
        )  # fmt: skip
    receiver.status, receiver.retry_after = 503, "7"
    assert target.attempt(due({})).retry_after == 7.0
    receiver.retry_after = "Fri, 31 Dec 1999 23:59:59 GMT"
    assert target.attempt(due({})).retry_after == 0.0
    receiver.stop()
    verdict = target.attempt(due({}))
    assert (verdict.ok, verdict.down, verdict.status) == (False, True, 0)
    assert verdict.error.startswith("upstream_")


class Own(http.server.BaseHTTPRequestHandler):
    """The hub itself, as an action sees it."""

    protocol_version = "HTTP/1.1"
    calls: list[tuple[str, str, dict[str, str], bytes]]
    answers: dict[str, tuple[int, bytes]]

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {k.lower(): v for k, v in self.headers.items()}
        type(self).calls.append((self.command, self.path, headers, body))
        status, out = type(self).answers.get(self.command, (200, b"{}"))
        self.send_response(status)
        self.send_header("content-length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    do_GET = do_POST = do_PATCH = do_any  # noqa: N815

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def own() -> Iterator[Origin]:
    Own.calls, Own.answers = [], {}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield own_origin(f"0.0.0.0:{server.server_address[1]}")
    server.shutdown()
    server.server_close()


ACTION = Action(
    api="crm", write="/contacts/{objectId}", body='{"properties": {"summary": {answer}}}',
    fetch="/contacts/{objectId}", model="assistant", prompt="Sum up: {object}",
)  # fmt: skip
API = Api(prefix="/apis/crm", url="http://127.0.0.1:1")


def test_an_action_fetches_asks_and_writes(own: Origin, connector: Connector) -> None:
    said = {"choices": [{"message": {"content": ' A "good" contact. '}}]}
    Own.answers = {"GET": (200, b'{"name":"Ada"}'), "POST": (200, json.dumps(said).encode())}
    target = ActionTarget("sum", ACTION, API, b"ph_key", own, connector)
    assert target.attempt(due({"objectId": "a/b"})).ok
    (get, ask, write) = Own.calls
    assert get[:2] == ("GET", "/apis/crm/contacts/a%2Fb")
    assert ask[1] == "/v1/chat/completions"
    asked = json.loads(ask[3])
    assert asked["messages"][0]["content"] == 'Sum up: {"name":"Ada"}'
    assert (asked["model"], asked["temperature"], asked["max_tokens"]) == ("assistant", 0, 256)
    assert write[:2] == ("PATCH", "/apis/crm/contacts/a%2Fb")
    assert json.loads(write[3]) == {"properties": {"summary": 'A "good" contact.'}}
    assert write[2]["idempotency-key"] == "evt_" + "6b" * 16 + "-sum"
    assert {call[2]["authorization"] for call in Own.calls} == {"Bearer ph_key"}


@pytest.mark.parametrize(
    ("answers", "body", "words", "final"),
    [
        ({"GET": (503, b"")}, {"objectId": 1}, "fetch: status 503", False),
        ({"POST": (429, b"")}, {"objectId": 1}, "model: status 429", False),
        ({"POST": (200, b"{}")}, {"objectId": 1}, "the model said nothing", True),
        ({"POST": (200, b'{"choices":[{"message":{"content":"x"}}]}'), "PATCH": (500, b"")},
         {"objectId": 1}, "write: status 500", False),
        ({}, {}, "the event has no field objectId", True),
        ({}, {"objectId": ".."}, "a field of the path is empty", True),
    ],
)  # fmt: skip
def test_an_action_says_where_it_failed(
    own: Origin, connector: Connector, answers: dict[str, tuple[int, bytes]],
    body: dict[str, Any], words: str, final: bool,
) -> None:  # fmt: skip
    Own.answers = answers
    verdict = ActionTarget("sum", ACTION, API, None, own, connector).attempt(due(body))
    assert (verdict.ok, verdict.error, verdict.final) == (False, words, final)


@given(st.text(max_size=40))
def test_values_cannot_leave_their_place(value: str) -> None:
    values = {"v": value, "deep": {"er": value}}
    made = json.loads(template.body('{"a": {v}, "b": [{deep.er}]}', values))
    assert made == {"a": value, "b": [value]}
    if value and value not in (".", ".."):
        try:
            value.encode()
        except UnicodeEncodeError:
            return
        path = template.path("/x/{v}/y", values)
        assert path.count("/") == 3 and "?" not in path and "#" not in path
