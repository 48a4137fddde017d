"""From a sender through the hub to a subscriber and an action, and the admin API on the way."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.hookparts import CONFIG, ENV, Subscriber, event, post
from tests.system.hub import HubProcess, Upstreams

EXTRA = """
[egress]
allow = ["127.0.0.0/8"]

[subscribers.crm]
url = "http://127.0.0.1:{port}/events"
secret_env = "TEST_HOOK_SECRET"
types = ["contact.*"]
[subscribers.crm.delivery]
attempts = 2
backoff = 0.01
failures = 1000

[apis.crm]
prefix = "/apis/crm"
url = "http://127.0.0.1:{port}"

[actions.sum]
types = ["deal.creation"]
key_file = "{key_file}"
api = "crm"
model = "local"
prompt = "Sum up deal {{objectId}}"
method = "POST"
write = "/deals/{{objectId}}"
body = '{{"summary": {{answer}}}}'
"""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Subscriber]:
    made = Subscriber()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def hooked(
    upstreams: Upstreams, receiver: Subscriber, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    folder: Path = tmp_path_factory.mktemp("delivery")
    key_file = folder / "action.key"
    key_file.touch(mode=0o600)
    key_file.write_text("ph_none")
    extra = CONFIG + EXTRA.format(port=receiver.port, key_file=key_file)
    hub = HubProcess(folder, upstreams, extra=extra, env=ENV)
    hub.write_config()
    key_file.write_text(hub.create_key("actions"))
    with hub:
        yield hub


def admin(hub: HubProcess, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Through the control socket, as the hub's own user."""
    connection = http.client.HTTPConnection("localhost", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(hub.folder / "run" / "control.sock"))
    try:
        data = None if body is None else json.dumps(body)
        headers = {} if body is None else {"content-type": "application/json"}
        connection.request(method, "/admin/api/v1" + path, data, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def until(check: Any, seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_subscriber_gets_what_it_asked_for(hooked: HubProcess, receiver: Subscriber) -> None:
    batch = [event(n, 77, occurredAt=int(time.time() * 1000) - 50 + n) for n in (3, 1, 2)]
    assert post(hooked.port, [*batch, event(4, 5, subscriptionType="company.creation")])[0] == 200
    receiver.wait(3)
    assert [one["data"]["eventId"] for one in receiver.done[:3]] == [1, 2, 3]
    assert all(h["webhook-signature"].startswith("v1,") for h in receiver.headers)


def test_an_action_asks_the_hub_s_own_model_and_writes_back(
    hooked: HubProcess, receiver: Subscriber
) -> None:
    before = len(receiver.done)
    assert post(hooked.port, [event(9, 900, subscriptionType="deal.creation")])[0] == 200
    receiver.wait(before + 1)
    assert receiver.done[-1]["summary"]
    # It went through the hub as everybody's requests do.
    rows = until(lambda: [
        row for row in admin(hooked, "GET", "/requests")[1]["items"]
        if row["route"] in ("api", "openai_chat")
    ][1:])  # fmt: skip
    assert {row["route"] for row in rows} <= {"api", "openai_chat"}


def test_a_dead_letter_is_seen_and_replayed(hooked: HubProcess, receiver: Subscriber) -> None:
    receiver.status = 500
    assert post(hooked.port, [event(1, 4242)])[0] == 200
    path = "/webhooks/deliveries?target=crm&state=dead"
    [letter] = until(lambda: admin(hooked, "GET", path)[1]["items"])
    assert (letter["attempts"], letter["status"], letter["error"]) == (2, 500, "status 500")
    status, whole = admin(hooked, "GET", f"/webhooks/events/{letter['event']}")
    assert status == 200 and whole["body"]["objectId"] == 4242
    assert whole["sent"] == [letter]
    receiver.status = 200
    before = len(receiver.done)
    assert admin(hooked, "POST", "/webhooks/replay", {"target": "nobody"})[0] == 404
    found = admin(hooked, "POST", "/webhooks/replay", {"target": "crm", "deliveries": [10**9]})
    assert found == (200, {"replayed": 0})
    assert admin(hooked, "POST", "/webhooks/replay", {"target": "crm"})[1] == {"replayed": 1}
    receiver.wait(before + 1)
    until(lambda: not admin(hooked, "GET", path)[1]["items"])


def test_lists_and_overview(hooked: HubProcess) -> None:
    status, found = admin(hooked, "GET", "/webhooks")
    assert status == 200
    assert [one["name"] for one in found["senders"]] == ["code", "hubspot"]
    assert {one["name"]: one["breaker"] for one in found["targets"]} == {
        "crm": "closed", "sum": "closed",
    }  # fmt: skip
    post(hooked.port, [event(n, 31) for n in range(5)])
    query = "/webhooks/events?source=hubspot&object=7/contact/31&limit=2"
    seen, cursor = [], ""
    while True:
        page = admin(hooked, "GET", query + (f"&cursor={cursor}" if cursor else ""))[1]
        seen += [one["id"] for one in page["items"]]
        cursor = page["next"]
        if not cursor:
            break
    assert len(seen) == 5 and seen == sorted(seen, reverse=True)
    assert admin(hooked, "GET", "/webhooks/events?object=x")[0] == 400
    assert admin(hooked, "GET", "/webhooks/events/999999")[0] == 404
