"""The page in a real Chromium, as people meet it: on a phone, at a desk, by day and night."""

from __future__ import annotations

import json
import time

import pytest
from playwright.sync_api import Browser, Route

from tests.dashboard.browser import (
    DESK,
    LIVE,
    NARROW,
    OVERFLOW,
    PATIENCE,
    PHONE,
    Open,
    ask,
    until,
)
from tests.system.hub import HubProcess


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_the_page_lives_and_fits(
    hub: HubProcess, open_page: Open, viewport: dict[str, int], scheme: str
) -> None:
    page = open_page(viewport=viewport, color_scheme=scheme)
    until(page, f"{LIVE} === 'on'")
    recorded = page.text_content("[data-t=stored]")
    newest = "document.querySelector('[data-list=requests] time')?.dataset.at ?? ''"
    before = page.evaluate(newest)
    ask(hub, f"numbers change {viewport} {scheme}")
    ask(hub, f"numbers change {viewport} {scheme}")
    until(page, f"({newest}) !== {json.dumps(before)}")
    until(page, f"document.querySelector('[data-t=stored]').textContent !== {json.dumps(recorded)}")
    assert page.text_content("[data-t=hits]") not in ("", "–")
    assert page.text_content("[data-list=requests] [data-f=model]") == "assistant"
    assert "simulated" in (page.text_content(".made-up") or "")
    assert page.evaluate(OVERFLOW) <= 0
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert page.evaluate(OVERFLOW) <= 0


def test_the_policy_is_in_force(open_page: Open) -> None:
    page = open_page(quiet=False)
    seen = page.evaluate(
        """async () => {
          const seen = new Promise(done => addEventListener("securitypolicyviolation",
            event => done(event.effectiveDirective)));
          const script = document.createElement("script");
          script.textContent = "window.broken = true";
          document.body.append(script);
          return [await seen, window.broken];
        }"""
    )
    assert seen == ["script-src-elem", None]


def test_the_page_tells_all_without_scripts(hub: HubProcess, open_page: Open) -> None:
    ask(hub, "no script")
    page = open_page(quiet=False, java_script_enabled=False, viewport=PHONE)
    assert "reload for newer" in (page.text_content("[data-live]") or "")
    assert page.text_content("[data-t=headline]")
    assert page.locator("[data-list=upstreams] li").count() == 3
    end = time.monotonic() + PATIENCE / 1000
    while not page.locator("[data-list=requests] tr").count():
        assert time.monotonic() < end, "the request is stored within a second or two"
        page.reload()
    page.click("text=All requests")
    page.wait_for_url("**/dashboard/requests")
    page.click("summary:has-text('Filter')")
    page.fill("[name=model]", "assist")
    page.press("[name=model]", "Enter")
    page.wait_for_url("**model=assist**")
    assert page.locator("[data-list=requests] tr").count() >= 1


def test_a_hidden_page_holds_no_stream(open_page: Open) -> None:
    page = open_page()
    until(page, f"{LIVE} === 'on'")
    hide = """hidden => {
      Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with page.expect_event("requestfailed", lambda r: r.url.endswith("/events")):
        page.evaluate(hide, True)
    assert page.evaluate(LIVE) == "paused"
    page.evaluate(hide, False)
    until(page, f"{LIVE} === 'on'")


def test_a_refused_stream_is_tried_again(hub: HubProcess, chromium: Browser) -> None:
    page = chromium.new_page()
    refused: list[str] = []

    def answer(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.fulfill(status=503, body="{}")

    page.route("**/dashboard/events", answer)
    page.goto(hub.url + "/dashboard")
    until(page, f"{LIVE} === 'waiting'")
    until(page, f"{LIVE} === 'on'")
    assert refused
    page.close()


def test_hostile_names_stay_text(hub: HubProcess, chromium: Browser) -> None:
    hostile = "<img src=x onerror='window.broken = true'><b>x</b>"
    page = chromium.new_page()
    page.goto(hub.url + "/dashboard")
    build = page.get_attribute("body", "data-build")
    row = dict.fromkeys(("model", "served", "reason", "status", "cache", "cost"), hostile)
    data = {
        "build": build,
        "at": 1_700_000_000.5,
        "tone": hostile,
        "texts": {"headline": hostile, "rps": hostile},
        "alerts": [{"tone": "look", "text": hostile}],
        "upstreams": [{"tone": hostile, "name": hostile, "word": hostile}],
        "requests": [{"id": 1, "at": 1_700_000_000, "tone": "well", **row}],
    }
    text = f"event: snapshot\nid: 1\ndata: {json.dumps(data)}\n\n"
    page.route(
        "**/dashboard/events",
        lambda route: route.fulfill(body=text, content_type="text/event-stream"),
    )
    page.reload()
    until(page, "document.querySelector('[data-t=headline]').textContent.startsWith('<img')")
    for place in ("[data-t=rps]", "[data-list=alerts]", "[data-f=name]", "[data-f=model]"):
        assert hostile in (page.text_content(place) or "")
    assert page.locator("main img, main b").count() == 0
    assert page.evaluate("window.broken") is None
    page.close()


def test_the_keyboard_is_enough(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.focus("summary")
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('details').open")
    assert page.locator("[data-table] tr").count() == 15


def test_who_wants_no_motion_sees_none(open_page: Open) -> None:
    page = open_page(reduced_motion="reduce")
    until(page, f"{LIVE} === 'on'")
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.beat')).animationName") == "none"
    )


def test_shapes_stay_visible_in_high_contrast(open_page: Open) -> None:
    page = open_page(forced_colors="active")
    style = "getComputedStyle(document.querySelector('.verdict .shape'))"
    shown = page.evaluate(f"[{style}.backgroundColor, {style}.borderRadius]")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert shown[0] not in ("rgba(0, 0, 0, 0)", "transparent", ground)
    assert shown[1] == "50%"
