"""What axe-core finds on the pages: nothing, on any screen and in any scheme."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.dashboard.browser import DESK, LIVE, OVERFLOW, PHONE, Open, ask, until
from tests.system.hub import HubProcess


def serious(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA and its best practices."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:150]}"
        for one in found
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/requests"])
def test_everybody_can_use_it(
    hub: HubProcess, open_page: Open, path: str, viewport: dict[str, int], scheme: str
) -> None:
    ask(hub, "for everybody")
    ask(hub, "for nobody", model="unknown-model")
    page = open_page(path, viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    if path == "/dashboard":
        until(page, f"{LIVE} === 'on'")
        page.click("summary")
        until(page, "document.querySelector('details').open")
    page.wait_for_selector("[data-list=requests] tr")
    assert serious(page) == []
    assert page.evaluate(OVERFLOW) <= 0


def test_the_accessibility_check_has_teeth(open_page: Open) -> None:
    page = open_page()
    page.evaluate("document.querySelector('nav a[aria-current]').textContent = ''")
    page.evaluate("document.documentElement.removeAttribute('lang')")
    assert {one.split()[0] for one in serious(page)} >= {"link-name", "html-has-lang"}


@pytest.mark.parametrize("path", ["health", "webhooks", "upstreams"])
def test_forced_colours_are_enough(hub: HubProcess, open_page: Open, path: str) -> None:
    """Where one is, and what a card is, is told by lines."""
    ask(hub, "for high contrast")
    page = open_page(f"/dashboard/{path}", forced_colors="active")
    here = page.locator("nav a[aria-current]")
    assert here.evaluate("(one) => getComputedStyle(one).outlineStyle") == "solid"
    drawn = "[...document.querySelectorAll('.card, .panel')].every((one) => "
    assert page.evaluate(drawn + "parseFloat(getComputedStyle(one).borderTopWidth) >= 1)")
    assert serious(page) == []


def test_what_is_printed_is_what_there_is_to_read(house: HubProcess, olga: Page) -> None:
    olga.goto(f"{house.url}/dashboard/upstreams")
    olga.wait_for_selector(".acts button")
    olga.emulate_media(media="print")
    for gone in ("nav", ".acts", "form", ".turn"):
        for one in olga.locator(gone).all():
            assert not one.is_visible(), gone
    assert olga.locator("main table").first.is_visible()
    assert olga.evaluate(OVERFLOW) <= 0
