"""The screen of upstreams: what an admin takes out is out for all workers, and for a while."""

from __future__ import annotations

import time

from playwright.sync_api import Page

from pihub.cli.control_client import call
from tests.dashboard.browser import ask
from tests.system.hub import HubProcess


def test_an_upstream_is_taken_out_asked_and_let_in_again(house: HubProcess, olga: Page) -> None:
    socket = house.folder / "run" / "control.sock"
    olga.goto(f"{house.url}/dashboard/upstreams")
    row = "tr:has(th:has-text('claude'))"
    olga.click(f"{row} >> summary:has-text('Hold')")
    olga.fill(f"{row} >> [name=minutes]", "5")
    olga.click(f"{row} >> button:has-text('Hold')")
    olga.wait_for_selector(f"{row} >> text=taken out, for")
    shown = olga.text_content(f"{row} >> [data-left]") or ""
    assert shown.startswith(("4:", "5:00"))
    held = call(socket, "GET", "/upstreams/claude")["hold"]
    assert held["state"] == "open"
    assert 250 < held["seconds_left"] <= 300
    body = {"model": "cloud", "messages": [{"role": "user", "content": f"out {time.time()}"}]}
    for _ in range(6):  # whichever worker takes it
        refused = house.post("/v1/chat/completions", body)
        assert refused.status == 503
        assert b"taken out by an admin" in refused.body
    olga.click(f"{row} >> text=Ask it now")
    olga.wait_for_selector(f"{row} >> text=answers")
    assert call(socket, "GET", "/upstreams/claude")["hold"]["state"] == "open"
    olga.click(f"{row} >> text=End the hold")
    olga.wait_for_selector(f"{row} >> text=in use")
    assert house.post("/v1/chat/completions", body).status == 200
    trail = [one["action"] for one in call(socket, "GET", "/audit?limit=10")["items"]]
    assert "post_upstreams_name_hold" in trail
    assert "delete_upstreams_name_hold" in trail


def test_a_countdown_counts_between_two_looks(house: HubProcess, olga: Page) -> None:
    socket = house.folder / "run" / "control.sock"
    call(socket, "POST", "/upstreams/ollama/hold", {"state": "closed", "minutes": 10})
    try:
        olga.goto(f"{house.url}/dashboard/upstreams")
        cell = olga.wait_for_selector("tr:has(th:has-text('ollama')) >> [data-left]")
        assert cell is not None
        olga.evaluate("document.querySelector('.list').closest('.wide').focus()")  # no look now
        seen = {cell.text_content()}
        end = time.monotonic() + 10
        while len(seen) < 2 and time.monotonic() < end:
            olga.wait_for_timeout(200)
            seen.add(cell.text_content())
        assert len(seen) == 2
        ask(house, "still answered", model="assistant")
    finally:
        call(socket, "DELETE", "/upstreams/ollama/hold")
