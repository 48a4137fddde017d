"""The hub's own events: from an alert to a signed request, once by its key."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pihub.compose.alerts import teller
from pihub.compose.webhooks import wanted
from pihub.ops.alerts import Word
from pihub.server.waiter_poll import PollWaiter
from pihub.settings.schema import Settings, Store
from pihub.settings.webhooks import Subscriber, Webhook
from pihub.store.alerts import AlertRow
from pihub.upstream.connector.connector import Connector
from pihub.webhooks.resolve import SystemResolver
from pihub.webhooks.routing import Routes, wishes
from pihub.webhooks.service import Webhooks
from tests.system.hookparts import Subscriber as Receiver

SECRET = base64.b64encode(b"a secret of some length!").decode()
ROW = AlertRow(7, "disk", "box", "warning", "Full in 3 days.", 3.0, 1000, 0, 1, 0, "", 0, 0, 0)


class Half:
    """What compose.webhooks.ControlWebhooks offers to a teller."""

    def __init__(self, service: Webhooks | None) -> None:
        self.service = service


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


@pytest.fixture
def service(tmp_path: Path, receiver: Receiver) -> Iterator[Webhooks]:
    url = f"http://127.0.0.1:{receiver.port}/hook"
    settings = Settings(
        store=Store(url=f"sqlite://{tmp_path}/pihub.db"),
        subscribers={
            "phone": Subscriber(url=url, secret_env="X", sources=["pihub"], types=["alert.*"]),
            "crm": Subscriber(url="http://127.0.0.1:1/"),
        },
    )
    made = Webhooks(
        settings, {"subscribers.phone": f"whsec_{SECRET}".encode()}, tmp_path,
        Connector(PollWaiter(), SystemResolver()), Connector(PollWaiter(), SystemResolver()),
        lambda what, number: None, lambda pending, dead: None, lambda: None,
    )  # fmt: skip
    made.start()
    yield made
    made.finish()


def test_an_alert_arrives_signed_and_the_same_word_once(
    service: Webhooks, receiver: Receiver
) -> None:
    tell = teller(Half(service), "https://pi.example")  # type: ignore[arg-type]
    word = Word(ROW, "alert.opened", 1, int(time.time()))
    assert tell(word) and tell(word)
    closed = ROW._replace(closed=2000)
    assert tell(Word(closed, "alert.closed", 2, int(time.time())))
    end = time.monotonic() + 20
    while len(receiver.done) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert [one["type"] for one in receiver.done] == ["alert.opened", "alert.closed"]
    assert set(receiver.seen.values()) == {1}
    first = receiver.done[0]
    assert (first["source"], first["object"]) == ("pihub", "disk/box")
    assert first["data"] == {
        "alert": 7, "rule": "disk", "subject": "box", "subject_name": "box", "severity": "warning",
        "state": "open",
        "text": "Full in 3 days.", "value": 3.0, "opened": 1000, "closed": None, "times": 1,
        "word": 1, "page": "https://pi.example/dashboard/health",
    }  # fmt: skip
    head = {name.lower(): value for name, value in receiver.headers[0].items()}
    assert head["webhook-signature"].startswith("v1,")
    assert head["webhook-id"] == head["idempotency-key"]


def test_nobody_who_did_not_ask_is_told(service: Webhooks) -> None:
    assert service.announce("other.kind", "x", 1000, "{}", bytes(16))
    assert service.store.pending() == 0, "no subscriber wants that type, so nothing is kept"
    routes = Routes(wishes(Settings(subscribers={"crm": Subscriber(url="http://h/")})))
    assert routes.of("pihub", "alert.opened") == ()
    assert routes.of("hubspot", "contact.creation") == ("crm",)


def test_without_a_service_words_are_dropped_not_kept() -> None:
    assert teller(Half(None), "")(Word(ROW, "alert.opened", 1, 1))  # type: ignore[arg-type]


def test_the_machinery_runs_where_an_event_can_come() -> None:
    phone = Subscriber(url="http://h/", sources=["pihub"])
    assert not wanted(Settings(subscribers={"crm": Subscriber(url="http://h/")}))
    assert wanted(Settings(subscribers={"phone": phone}))
    assert wanted(Settings(webhooks={"hubspot": Webhook(kind="hubspot", secret_env="X")}))
