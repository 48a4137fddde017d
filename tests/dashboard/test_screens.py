"""Every screen of the menu, on a phone and at a desk; what its buttons do to the hub."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from pihub.cli.control_client import call
from pihub.dashboard.entries import ENTRIES
from tests.dashboard.browser import (
    BROKEN,
    DESK,
    NARROW,
    OVERFLOW,
    PHONE,
    SPILT,
    TORN,
    Open,
    ask,
    join,
    seated,
    until,
)
from tests.dashboard.test_accessibility import serious
from tests.system.hub import HubProcess, Upstreams


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.name)
def test_every_screen_fits_and_everybody_can_use_it(
    hub: HubProcess, open_page: Open, entry: object, viewport: dict[str, int]
) -> None:
    ask(hub, "for the screens")
    name = entry.name  # type: ignore[attr-defined]
    scheme = "dark" if viewport is PHONE else "light"
    page = open_page(f"/dashboard/{name}", viewport=viewport, color_scheme=scheme)
    page.wait_for_selector(f"nav a[aria-current=page][href='/dashboard/{name}']", state="attached")
    until(page, "document.querySelectorAll('main .panel').length > 0")
    assert page.text_content("h1")
    assert serious(page) == []
    assert page.evaluate(OVERFLOW) <= 0
    assert viewport is PHONE or page.evaluate(BROKEN) == []
    assert page.evaluate(SPILT) == page.evaluate(TORN) == []
    # Also 200 % zoom of a window of 640 pixels. Whatever opens is open.
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate(SPILT) == []
    assert viewport is DESK or serious(page) == []


def test_a_budget_is_set_raised_and_removed_on_the_page(house: HubProcess, olga: Page) -> None:
    socket = house.folder / "run" / "control.sock"
    olga.click("summary:has-text('Set a budget')")
    olga.fill(".make [name=name]", "test")
    olga.fill(".make [name=per_day_usd]", "0.25")
    olga.select_option(".make [name=at_limit]", "ask")
    olga.click(".make button")
    olga.wait_for_selector("text=Done.")
    (row,) = call(socket, "GET", "/budgets")["items"]
    assert (row["scope"], row["per_day_usd"], row["at_limit"]) == ("key", 0.25, "ask")
    olga.fill(".acts [name=usd]", "2")
    olga.click("text=Allow more today")
    olga.wait_for_selector("text=of $2.25")
    olga.on("dialog", lambda dialog: dialog.accept())
    olga.click("text=Remove")
    olga.wait_for_selector("text=No budget is set")
    assert call(socket, "GET", "/budgets")["items"] == []


def test_a_key_is_shown_once_and_revoked(house: HubProcess, olga: Page) -> None:
    olga.goto(f"{house.url}/dashboard/keys")
    olga.click("summary:has-text('Make a key')")
    olga.fill(".make [name=name]", "from the page")
    olga.click(".make button")
    olga.wait_for_selector(".said code")
    token = olga.text_content(".said code") or ""
    assert re.fullmatch(r"ph_[\w-]{40,}", token)
    headers = {"authorization": f"Bearer {token}"}
    assert house.request("GET", "/v1/models", **headers).status == 200
    olga.on("dialog", lambda dialog: dialog.accept())
    olga.click("tr:has-text('from the page') >> text=Revoke")
    olga.wait_for_selector("tr:has-text('from the page'):has-text('revoked')")
    assert house.request("GET", "/v1/models", **headers).status == 401


def test_what_the_hub_refuses_is_told_and_changes_nothing(house: HubProcess, olga: Page) -> None:
    olga.click("summary:has-text('Set a budget')")
    olga.fill(".make [name=name]", "nobody's key")
    olga.fill(".make [name=per_day_usd]", "1")
    with olga.expect_response("**/budgets") as seen:
        olga.click(".make button")
    assert seen.value.status == 400
    olga.wait_for_selector(".said:has-text(\"nobody's key\")")
    assert call(house.folder / "run" / "control.sock", "GET", "/budgets")["items"] == []


def test_a_live_stream_is_seen_and_ended(
    house: HubProcess, upstreams: Upstreams, olga: Page
) -> None:
    upstreams.pace(5.0)  # half a minute for an answer
    body = {
        "model": "cloud",
        "stream": True,
        "max_tokens": 500,
        "messages": [{"role": "user", "content": "for long [[tokens:150]]"}],
    }
    olga.on("dialog", lambda dialog: dialog.accept())
    olga.goto(f"{house.url}/dashboard/streams")
    try:
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(house.post, "/v1/chat/completions", body)
            olga.wait_for_selector("main table:has-text('claude-haiku-4-5')")
            olga.click("text=End it")
            assert b"stream_cancelled" in answer.result(timeout=30).body
        olga.wait_for_selector("text=No stream is open")
    finally:
        upstreams.pace(0.0)


def test_a_viewer_gets_no_buttons(house: HubProcess, chromium: Browser) -> None:
    join(house.folder, "vera", "analyst")
    with seated(chromium, house, "costs", "vera", minds=lambda one: "403" not in one) as page:
        assert "Budgets" in (page.text_content("main") or "")
        assert page.query_selector_all("form.act") == []
        assert page.goto(f"{house.url}/dashboard/audit").status == 403  # type: ignore[union-attr]


def test_the_documentation_lists_every_operation(hub: HubProcess, open_page: Open) -> None:
    page = open_page("/dashboard/reference")
    document = hub.get("/admin/api/openapi.json", authorization="")
    paths = document.json["paths"]
    count = sum(1 for methods in paths.values() for what in methods.values() if "responses" in what)
    until(page, f"document.querySelectorAll('#operations details').length === {count}")
    assert count > 20


def test_who_was_turned_away_is_counted(hub: HubProcess, open_page: Open) -> None:
    refused = hub.request("POST", "/v1/chat/completions", b"{}", authorization="Bearer ph_nobody")
    assert refused.status == 401
    page = open_page("/dashboard/security")
    card = "document.querySelector('.card:last-child')"
    until(page, f"{card}?.innerText.includes('Turned away') && !{card}.innerText.match(/\\n0\\n/)")


def test_a_card_shows_how_it_stands(hub: HubProcess, open_page: Open) -> None:
    page = open_page("/dashboard/health")
    looks = page.evaluate(
        """["", "look", "down"].map((tone) => {
  const card = document.querySelector(".card");
  card.dataset.tone = tone;
  return [getComputedStyle(card).borderTopColor, getComputedStyle(card.querySelector("dd")).color];
})"""
    )
    for one in zip(*looks, strict=True):
        assert len(set(one)) == 3, looks


def test_the_screens_need_no_file_of_elsewhere() -> None:
    for path in (Path(__file__).parents[2] / "pihub" / "dashboard").rglob("*.html"):
        assert "http://" not in path.read_text() and "https://" not in path.read_text(), path


def test_the_cache_says_what_more_memory_would_buy_and_forgets(
    house: HubProcess, olga: Page
) -> None:
    socket = house.folder / "run" / "control.sock"
    for n in range(4):
        ask(house, f"for the cache {n % 2}")

    def hot() -> list[dict[str, object]]:
        items: list[dict[str, object]] = call(socket, "GET", "/cache/keys")["items"]
        return items

    end = time.monotonic() + 15
    while not any(row["hits"] for row in hot()):
        assert time.monotonic() < end, "the records never came"
        olga.wait_for_timeout(100)
    olga.goto(f"{house.url}/dashboard/cache")
    # Folded where all sizes would do the same.
    olga.wait_for_selector("tr:has-text('As it is'):has-text('measured')", state="attached")
    olga.on("dialog", lambda dialog: dialog.accept())
    before = call(socket, "GET", "/cache")["entries"]
    key = olga.text_content("section:has-text('Asked for most') tbody tr:first-child .below")
    olga.click(f"tr:has-text('{key}') >> text=Purge")
    olga.wait_for_selector("text=Done.")
    after = call(socket, "GET", "/cache")["entries"]
    assert after < before
    olga.select_option("select[name=tag]", "cloud")
    olga.click("text=Purge a model or an API")
    olga.wait_for_selector("tr:has-text('Model or API'):has-text('assistant')")
    until(olga, "!document.body.innerText.match(/Model or API\\s+cloud/)")
    tags = {row["name"] for row in call(socket, "GET", "/cache")["by_tag"]}
    assert "cloud" not in tags
    olga.click("text=Purge everything")
    olga.wait_for_selector("text=The cache is empty.")
    assert call(socket, "GET", "/cache")["entries"] == 0
