"""A hub that is offline: the overview, the upstreams and the deferred requests say so."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from pihub.cli.control_client import call
from tests.dashboard.browser import OVERFLOW, PHONE, ask, until
from tests.dashboard.test_accessibility import serious
from tests.system.hub import HubProcess


@pytest.fixture
def cut(house: HubProcess) -> Iterator[HubProcess]:
    """The hub is taken offline by hand, and online again."""
    socket = house.folder / "run" / "control.sock"
    call(socket, "PUT", "/offline", {"mode": "on", "minutes": 30})
    end = time.monotonic() + 10
    while not house.get("/readyz").json["offline"]:
        assert time.monotonic() < end
        time.sleep(0.05)
    yield house
    call(socket, "PUT", "/offline", {"mode": "auto"})


def later(hub: HubProcess, text: str) -> int:
    messages = [{"role": "user", "content": text}]
    body = {"model": "cloud", "max_tokens": 50, "messages": messages}
    return hub.post("/v1/chat/completions", body, x_pihub_offline="queue").status


def test_the_overview_says_so_at_once_and_what_answers(cut: HubProcess, olga: Page) -> None:
    olga.goto(f"{cut.url}/dashboard")
    told = olga.inner_text(".outage")
    assert "Offline for " in told and "set by hand, for 29 min more" in told
    assert "claude is not asked. ollama, openai and kept answers serve on." in told
    until(olga, "document.querySelector('.verdict').innerText.includes('Offline')")
    row = "[...document.querySelectorAll('[data-list=upstreams] li')].find((li) => li.innerText"
    assert olga.evaluate(f"{row}.includes('claude')).innerText").count("offline, not asked") == 1
    assert olga.locator(".alerts", has_text="offline").count() == 0, "it is said once"
    ask(cut, "nobody here knows that", model="cloud")
    until(olga, "document.querySelector('.outage').innerText.includes('So far 1 refused.')")
    assert serious(olga) == []
    olga.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert olga.evaluate(OVERFLOW) <= 0
    call(cut.folder / "run" / "control.sock", "PUT", "/offline", {"mode": "auto"})
    until(olga, "document.querySelector('.outage').hidden")
    until(olga, "!document.querySelector('.verdict').innerText.includes('Offline')")


def test_what_waits_for_the_line_is_not_called_a_batch(cut: HubProcess, olga: Page) -> None:
    assert later(cut, "this may wait for the line") == 202
    olga.goto(f"{cut.url}/dashboard/jobs")
    until(olga, "document.querySelector('main').innerText.includes('claude, asked while offline')")
    cards = olga.inner_text(".cards")
    assert "1 until the hub is online" in cards and "at the usual price" in cards
    assert "batch" not in olga.inner_text("main")
    id_ = call(cut.folder / "run" / "control.sock", "GET", "/jobs")["items"][0]["id"]
    assert len(id_) == 36
    whole = olga.locator(f"code:text-is('{id_}')")
    whole.click()
    assert olga.evaluate("getSelection().toString()") == id_, "it is selected whole, to be copied"
    olga.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert olga.evaluate(OVERFLOW) <= 0


def test_the_hub_is_set_offline_and_back_on_the_page(house: HubProcess, olga: Page) -> None:
    socket = house.folder / "run" / "control.sock"
    olga.goto(f"{house.url}/dashboard/upstreams")
    olga.click("summary:has-text('Set it by hand')")
    olga.fill("[name=minutes] >> nth=-1", "5")
    olga.click("button:has-text('Set it by hand')")
    olga.wait_for_selector("tr:has-text('offline'):has-text('set offline by hand, for')")
    assert call(socket, "GET", "/offline")["offline"] is True
    assert serious(olga) == []
    olga.click("button:has-text('Back to automatic')")
    olga.wait_for_selector("tr:has-text('online'):has-text('by what is reached')")
    assert call(socket, "GET", "/offline")["offline"] is False
