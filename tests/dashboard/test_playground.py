"""The playground: two conversations, the route explained, the cost, and a stop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.dashboard.browser import NARROW, OVERFLOW, PHONE, torn, until
from tests.dashboard.test_accessibility import serious
from tests.system.hub import HubProcess, Upstreams

SIDES = ("left", "right")
RIGHT = "document.querySelector('[data-side=right]"


@pytest.fixture
def playground(house: HubProcess, olga: Page) -> Iterator[Page]:
    olga.goto(f"{house.url}/dashboard/playground")
    olga.fill("[name=key]", house.key)
    olga.select_option("[data-side=left] select", "local")
    olga.select_option("[data-side=right] select", "cloud")
    yield olga


def ask(page: Page, text: str) -> None:
    page.fill("[name=text]", text)
    page.click("#ask button[type=submit]")


def chats(upstreams: Upstreams, server: str) -> list[dict[str, Any]]:
    """The bodies of the chats that a simulated upstream got."""
    found = [one["body"] for one in upstreams.log(server)]
    return [json.loads(body) for body in found if '"messages"' in body]


def told(page: Page, side: str, turns: int) -> None:
    """So many answers stand there, and the last one is whole."""
    until(page, f"document.querySelectorAll('[data-side={side}] .told').length === {turns}")
    page.wait_for_selector(f"[data-side={side}] th:has-text('in all')")


def test_two_models_answer_and_remember(
    house: HubProcess, upstreams: Upstreams, playground: Page
) -> None:
    ask(playground, "What is a banana?")
    for side in SIDES:
        told(playground, side, 1)
        # Cost and tokens are the record's.
        playground.wait_for_selector(f"[data-side={side}] th:text-is('tokens')")
        facts = playground.inner_text(f"[data-side={side}] tbody >> nth=0")
        assert "route" in facts and "first choice" in facts and "tokens" in facts
    assert "claude/" in playground.inner_text("[data-side=right] tbody >> nth=0")
    assert serious(playground) == []
    upstreams.clear_log()
    ask(playground, "And a bent one?")
    for side in SIDES:
        told(playground, side, 2)
    for server in ("ollama", "claude"):
        roles = [one["role"] for one in chats(upstreams, server)[-1]["messages"]]
        assert roles == ["user", "assistant", "user"], server
    playground.click("text=where its time went >> nth=0")
    playground.wait_for_selector("text=Where the time went")


def test_the_route_is_explained_without_asking(upstreams: Upstreams, playground: Page) -> None:
    upstreams.clear_log()
    playground.select_option("[data-side=left] select", "assistant")
    playground.fill("[name=text]", "Prove that every bounded sequence has a limit point.")
    playground.click("text=Only explain the route")
    until(playground, f"{RIGHT} .whys p').textContent.length > 9")
    why = playground.inner_text("[data-side=right] .whys")
    assert "claude/claude-haiku-4-5 answers" in why
    assert "known prompts gain less by a strong model" in why
    assert "$0.00" in why
    assert chats(upstreams, "claude") == []
    playground.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert playground.evaluate(OVERFLOW) <= 0
    playground.set_viewport_size(PHONE)  # type: ignore[arg-type]
    # As of a target that was not asked yet, which is the longest.
    playground.evaluate(
        "document.querySelectorAll('.whys td:nth-child(3)')"
        ".forEach((time) => time.textContent = 'not measured')"
    )
    assert playground.evaluate(torn(".whys thead th, .whys td", r"[A-Za-z]{2,24}")) == []


def test_stop_ends_the_stream_and_a_new_conversation_forgets(
    house: HubProcess, upstreams: Upstreams, playground: Page
) -> None:
    upstreams.pace(5.0)  # half a minute for an answer
    try:
        ask(playground, "for long [[tokens:150]]")
        until(playground, f"{RIGHT} .told')?.textContent.length > 9")
        playground.click("text=Stop")
        until(playground, f"{RIGHT}').innerText.includes('[stopped]')")
        until(playground, "document.querySelector('[data-do=stop]').disabled")
    finally:
        upstreams.pace(0.0)
    playground.click("text=New conversation")
    assert playground.inner_text("[data-side=right] .answer").strip() == ""
    playground.select_option("[data-side=right] select", "")
    ask(playground, "alone")
    told(playground, "left", 1)
    assert playground.inner_text("[data-side=right] .answer").strip() == ""
