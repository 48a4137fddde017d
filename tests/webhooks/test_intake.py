"""From verified bodies to committed events: keys, order, privacy, full disks, grouped commits."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pihub.errors import BadRequest, ControlUnavailable, NotFound, TooLarge
from pihub.settings.webhooks import Webhook
from pihub.store.group import Closed, GroupCommit
from pihub.store.hooks import DAY_MS, HookDatabase, prune
from pihub.webhooks.inbox import Inbox
from pihub.webhooks.parse import PARSERS
from pihub.webhooks.routing import Routes, Wish

NOW = 1_700_000_000_000


def event(**fields: Any) -> dict[str, Any]:
    return {
        "eventId": 1, "subscriptionId": 12, "portalId": 62515, "appId": 5,
        "occurredAt": NOW - 1000, "subscriptionType": "contact.propertyChange",
        "attemptNumber": 0, "objectId": 123, "propertyName": "email", "propertyValue": "a@b.c",
        **fields,
    }  # fmt: skip


class Hooks:
    """An inbox on a real file, with one target for everything."""

    def __init__(self, folder: Path) -> None:
        self.store = HookDatabase(folder / "hooks.db")
        self.group = GroupCommit(self.store.database)
        self.thread = threading.Thread(target=self.group.run, daemon=True)
        self.thread.start()
        self.counted: dict[str, int] = {}
        self.woken: list[str] = []
        self.now = NOW
        self.forgot = 0
        kinds = ("hubspot", "github", "stripe", "slack", "standard")
        self.inbox = Inbox(
            {kind: Webhook(kind=kind, secret_env="X") for kind in kinds},
            self.store, self.group, Routes([Wish("crm", (), ()), Wish("deals", (), ("deal.*",))]),
            self.woken.extend, self._count, self._forget, clock=lambda: self.now / 1000,
            patience=20.0,
        )  # fmt: skip

    def _forget(self) -> None:
        self.forgot += 1

    def _count(self, what: str, number: int) -> None:
        self.counted[what] = self.counted.get(what, 0) + number

    def take(self, *events: dict[str, Any]) -> dict[str, int]:
        found: dict[str, int] = json.loads(
            self.inbox.take("hubspot", {}, json.dumps(events).encode())
        )
        return found

    def lanes(self, target: str = "crm") -> list[str]:
        return self.store.due(target, self.now + 10**9, 10_000)

    def close(self) -> None:
        self.group.close()
        self.thread.join(10)
        self.store.close()


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Hooks]:
    made = Hooks(tmp_path)
    yield made
    made.close()


def test_a_batch_is_committed_and_goes_to_whom_it_concerns(hooks: Hooks) -> None:
    answer = hooks.take(event(), event(objectId=7, subscriptionType="deal.creation"))
    assert answer == {"accepted": 2, "duplicates": 0, "ignored": 0}
    assert hooks.lanes() == ["hubspot/62515/contact/123", "hubspot/62515/deal/7"]
    assert hooks.lanes("deals") == ["hubspot/62515/deal/7"]
    assert sorted(hooks.woken) == ["crm", "deals"]
    assert hooks.counted == {"accepted": 2}


def test_a_retry_is_a_duplicate_and_the_same_id_with_other_content_is_not(hooks: Hooks) -> None:
    hooks.take(event())
    assert hooks.take(event(attemptNumber=3))["duplicates"] == 1
    # HubSpot: "eventId: this is not guaranteed to be unique"
    assert hooks.take(event(objectId=124))["accepted"] == 1
    assert hooks.take(event(occurredAt=NOW - 999))["accepted"] == 1
    assert hooks.take(event(propertyName="phone"))["accepted"] == 1
    assert hooks.take(event(), event(attemptNumber=1))["duplicates"] == 2


def test_an_object_s_events_stand_in_the_order_of_their_time(hooks: Hooks) -> None:
    times = list(range(NOW - 50, NOW))
    random.Random(3).shuffle(times)
    for start in range(0, 50, 10):
        hooks.take(*(event(occurredAt=at) for at in times[start : start + 10]))
    found = [due.at for due in hooks.store.head("crm", hooks.lanes()[0], 100)]
    assert found == sorted(times)


def test_what_is_kept_of_apis_is_let_go_before_the_sender_is_answered(hooks: Hooks) -> None:
    hooks.take(event())
    assert hooks.forgot == 0
    gone = event(subscriptionType="contact.privacyDeletion", occurredAt=NOW - 500)
    hooks.take(gone)
    assert hooks.forgot == 1
    # The first answer may have been lost together with what should have been done.
    assert hooks.take({**gone, "attemptNumber": 1})["duplicates"] == 1
    assert hooks.forgot == 2


def test_a_hundred_and_no_more(hooks: Hooks) -> None:
    assert hooks.take(*(event(objectId=n) for n in range(100)))["accepted"] == 100
    with pytest.raises(TooLarge):
        hooks.take(*(event(objectId=n) for n in range(101)))


def test_what_cannot_be_told_from_a_replay_is_ignored(hooks: Hooks) -> None:
    old = NOW - 8 * DAY_MS
    assert hooks.take(event(occurredAt=old))["ignored"] == 1
    assert hooks.lanes() == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"null", b'"x"', b"[" * 100_000, b"\xff\xfe", b"[[]]"]
)
def test_bodies_that_are_no_events(hooks: Hooks, body: bytes) -> None:
    with pytest.raises(BadRequest):
        hooks.inbox.take("hubspot", {}, body)
    with pytest.raises(NotFound):
        hooks.inbox.take("nobody", {}, b"[]")
    assert hooks.take() == {"accepted": 0, "duplicates": 0, "ignored": 0}


def test_odd_values_are_kept_not_trusted(hooks: Hooks) -> None:
    odd = [
        event(objectId=None, portalId=[], subscriptionType=7, occurredAt="soon"),
        event(objectId="x" * 10_000, occurredAt=10**30),
        event(objectId=-1, occurredAt=-5),
        event(objectId=True, subscriptionType=""),
        event(objectId="\ud800"),
    ]
    assert hooks.take(*odd)["accepted"] == len(odd)
    assert len(hooks.lanes()) >= 3


def test_who_asks_to_be_forgotten_is(hooks: Hooks) -> None:
    hooks.take(event(), event(occurredAt=NOW - 900, eventId=2), event(objectId=9))
    lane = "hubspot/62515/contact/123"
    answer = hooks.take(event(subscriptionType="contact.privacyDeletion", occurredAt=NOW - 500))
    assert answer["accepted"] == 1
    left = hooks.store.head("crm", lane, 10)
    assert [due.kind for due in left] == ["contact.privacyDeletion"]
    rows = hooks.store.database.read("SELECT kind, body FROM events WHERE object LIKE '%/123'")
    assert [kind for kind, body in rows if body is not None] == ["contact.privacyDeletion"]
    # a late retry of an older event is not taken in again
    assert hooks.take(event(occurredAt=NOW - 800, eventId=5))["ignored"] == 1
    # nobody else is
    assert len(hooks.store.head("crm", "hubspot/62515/contact/9", 10)) == 1
    assert hooks.take(event(occurredAt=NOW - 100, eventId=6))["accepted"] == 1


def test_the_forgotten_are_not_on_the_disk(hooks: Hooks, tmp_path: Path) -> None:
    hooks.take(event(propertyValue="unmistakable-7731"))
    hooks.store.database.checkpoint()
    path = tmp_path / "hooks.db"
    assert b"unmistakable-7731" in path.read_bytes()
    hooks.take(event(subscriptionType="contact.privacyDeletion", propertyValue=None,
                     occurredAt=NOW))  # fmt: skip
    hooks.store.database.checkpoint()
    assert b"unmistakable-7731" not in path.read_bytes()
    wal = path.with_name("hooks.db-wal")
    assert not wal.exists() or b"unmistakable-7731" not in wal.read_bytes()


@pytest.mark.parametrize(
    ("kind", "headers", "body", "wanted"),
    [
        ("github", {"x-github-event": "issues", "x-github-delivery": "d1"},
         {"action": "opened", "repository": {"full_name": "a/b"}}, ("a/b", "issues.opened")),
        ("stripe", {}, {"id": "evt_1", "type": "charge.succeeded", "created": 1_699_999_000,
                        "data": {"object": {"id": "ch_1"}}}, ("ch_1", "charge.succeeded")),
        ("slack", {}, {"event_id": "E1", "event_time": 1_699_999_000,
                       "event": {"type": "message", "channel": "C1"}}, ("C1", "message")),
        ("standard", {"webhook-id": "m1", "webhook-timestamp": "1699999000"},
         {"type": "user.created", "data": {"id": 5}}, ("5", "user.created")),
    ],
)  # fmt: skip
def test_other_senders(
    hooks: Hooks, kind: str, headers: dict[str, str], body: dict[str, Any],
    wanted: tuple[str, str],
) -> None:  # fmt: skip
    data = json.dumps(body).encode()
    [found] = PARSERS[kind](kind, headers, data, NOW).events
    assert (found.object, found.kind) == wanted
    assert json.loads(hooks.inbox.take(kind, headers, data))["accepted"] == 1
    assert json.loads(hooks.inbox.take(kind, headers, data))["duplicates"] == 1


def test_slack_s_challenge_is_answered(hooks: Hooks) -> None:
    said = hooks.inbox.take("slack", {}, b'{"type":"url_verification","challenge":"abc"}')
    assert json.loads(said) == {"challenge": "abc"}


def test_one_commit_serves_many(hooks: Hooks) -> None:
    gate, entered = threading.Event(), threading.Event()
    hooks.group.submit(lambda connection: (entered.set(), gate.wait(30)), lambda *_: None)
    assert entered.wait(10)  # else the first transaction takes some of the 30 with it
    threads = [
        threading.Thread(target=hooks.take, args=(event(objectId=n),)) for n in range(30)
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 10
    while len(hooks.group._waiting) < 30:
        assert time.monotonic() < end
        time.sleep(0.005)
    before = hooks.group.transactions
    gate.set()
    for thread in threads:
        thread.join(10)
    assert hooks.counted["accepted"] == 30
    assert hooks.group.transactions - before == 2


def test_one_caller_s_mistake_is_his_alone(hooks: Hooks) -> None:
    gate = threading.Event()
    found: list[Any] = []
    hooks.group.submit(lambda connection: gate.wait(10), lambda *_: None)

    def broken(connection: Any) -> None:
        connection.execute("DELETE FROM events")
        raise ValueError("mine")

    hooks.group.submit(broken, lambda value, error: found.append(error))
    thread = threading.Thread(target=hooks.take, args=(event(objectId=2),))
    thread.start()
    gate.set()
    thread.join(10)
    assert isinstance(found[0], ValueError)
    assert hooks.counted == {"accepted": 1}


def test_a_disk_that_takes_nothing_promises_nothing(hooks: Hooks) -> None:
    hooks.take(event(objectId=1))
    with hooks.store.database.write() as connection:
        pages = connection.pragma("page_count")
        connection.pragma("max_page_count", pages)
    refused = 0
    for n in range(2, 300):
        try:
            hooks.take(event(objectId=n, propertyValue="x" * 3000))
        except ControlUnavailable as error:
            assert error.retry_after
            refused = n
            break
    assert refused
    with hooks.store.database.write() as connection:
        connection.pragma("max_page_count", 1_000_000)
    assert hooks.take(event(objectId=refused, propertyValue="x" * 3000))["accepted"] == 1


def test_after_its_end_nothing_is_promised(tmp_path: Path) -> None:
    hooks = Hooks(tmp_path)
    hooks.close()
    with pytest.raises(ControlUnavailable):
        hooks.take(event())
    with pytest.raises(Closed):
        hooks.group.call(lambda connection: None, 1)


def test_old_events_go_and_those_that_somebody_waits_for_stay(hooks: Hooks) -> None:
    hooks.take(*(event(objectId=n) for n in range(5)))
    with hooks.store.database.write() as connection:
        connection.execute("UPDATE deliveries SET state = 1 WHERE id <= 3")
        connection.execute("UPDATE deliveries SET state = 2, ended = ? WHERE id = 4", (NOW,))
    later = NOW + 8 * DAY_MS

    def work(connection: Any) -> int:
        return prune(connection, "hubspot", later - 7 * DAY_MS, later, 500)

    assert hooks.group.call(work, 5) == 3
    assert hooks.store.database.read("SELECT count(*) FROM events")[0][0] == 2
    assert hooks.store.database.read("SELECT count(*) FROM deliveries")[0][0] == 2
