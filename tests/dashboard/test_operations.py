"""Webhooks and health on the page: a dead letter is sent again, a rule is silenced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from pihub.cli.control_client import call
from tests.dashboard.browser import PHONE, SPILT, TORN, join, seated, until
from tests.dashboard.test_accessibility import serious
from tests.system.hookparts import CONFIG, ENV, Subscriber, event, post, signed
from tests.system.hub import HubProcess, Upstreams

TARGETS = """
[subscribers.crm]
url = "http://127.0.0.1:{port}/secret-path"
secret_env = "TEST_HOOK_SECRET"
sources = ["hubspot"]
"""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Subscriber]:
    made = Subscriber()
    made.status = 410
    yield made
    made.stop()


@pytest.fixture(scope="module")
def office(
    upstreams: Upstreams, receiver: Subscriber, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubProcess]:
    """A hub with an owner, a sender, and a subscriber that wants nothing any more."""
    folder = tmp_path_factory.mktemp("office")
    extra = CONFIG + TARGETS.format(port=receiver.port)
    with HubProcess(folder, upstreams, extra=extra, env=ENV) as hub:
        join(folder, "olga")
        assert post(hub.port, [event(1, 11)])[0] == 200
        yield hub


@pytest.fixture
def page(office: HubProcess, chromium: Browser) -> Iterator[Page]:
    with seated(chromium, office, "webhooks") as made:
        yield made


def test_a_dead_letter_is_looked_at_and_sent_again(
    page: Page, office: HubProcess, receiver: Subscriber
) -> None:
    until(page, "document.body.innerText.includes('status 410')")
    text = page.inner_text("main")
    assert f"posts to http://127.0.0.1:{receiver.port}" in text
    assert "secret-path" not in text, "a receiver's path may be its password"
    assert serious(page) == []
    page.click("text=contact.propertyChange >> nth=0")
    page.wait_for_url("**/dashboard/webhooks?event=1")
    assert '"objectId": 11' in page.inner_text("pre")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert page.evaluate(SPILT) == page.evaluate(TORN) == [], "a long kind of event fits its card"
    receiver.status = 200
    page.click("button:has-text('Send it again')")
    until(page, "document.querySelector('main').innerText.includes('delivered')")
    assert [one["data"]["objectId"] for one in receiver.done] == [11]
    page.goto(f"{office.url}/dashboard/webhooks?state=dead")
    assert "None." in page.inner_text("main")


def test_refused_signatures_are_told_with_their_source_and_why(
    page: Page, office: HubProcess
) -> None:
    body = json.dumps([event(9, 11)]).encode()
    stale = {**signed(body), "x-hubspot-request-timestamp": "1700000000000"}
    assert office.request("POST", "/webhooks/code", body).status == 401
    for fields in (signed(body + b" "), stale):
        refused = office.request("POST", "/webhooks/hubspot", body, **fields)  # type: ignore[arg-type]
        assert refused.status == 401
    page.goto(f"{office.url}/dashboard/webhooks")
    row = page.locator("section:has-text('Senders') tr", has_text="/webhooks/hubspot")
    until(page, "document.querySelector('.cards').innerText.includes('Refused, 24 h\\n3')")
    assert "its timestamp is more than five minutes off" in row.inner_text()
    other = page.locator("section:has-text('Senders') tr", has_text="/webhooks/code")
    assert "not signed as its kind signs" in other.inner_text()
    assert serious(page) == []
    row.get_by_role("link", name="2").click()
    page.wait_for_url("**/dashboard/requests?route=webhook*")
    assert page.locator("tbody tr").count() == 2
    assert "stale signature" in page.inner_text("tbody")


def test_a_rule_is_silenced_and_the_silence_ended(page: Page, office: HubProcess) -> None:
    page.goto(f"{office.url}/dashboard/health")
    until(page, "document.querySelector('main').innerText.includes('What makes the scores')")
    assert serious(page) == []
    page.click("summary:has-text('Silence a rule')")
    page.select_option("select[name=rule]", "disk")
    page.fill("input[name=reason]", "the disk is being changed")
    page.click("button:has-text('Silence a rule')")
    until(page, "document.querySelector('.said')?.textContent === 'Done.'")
    socket = office.folder / "run" / "control.sock"
    (silence,) = call(Path(socket), "GET", "/alert-silences")["items"]
    assert (silence["rule"], silence["by"]) == ("disk", "olga")
    page.click("button:has-text('End it')")
    until(page, "document.querySelector('main').innerText.includes('Nothing is silenced.')")
    assert call(Path(socket), "GET", "/alert-silences")["items"] == []
