"""The menu: beside the page where there is room, a page of its own on a phone, no script."""

from __future__ import annotations

from playwright.sync_api import Page

from pihub.dashboard.entries import ENTRIES, menu
from tests.dashboard.browser import PHONE, Open


def test_every_screen_is_in_the_menu_once() -> None:
    names = [name for _, links in menu(ENTRIES) for name, _ in links]
    assert ("jobs", "Deferred") in dict(menu(ENTRIES))["Traffic"]
    assert sorted(names) == sorted(["requests", "account", *(one.name for one in ENTRIES)])


def test_on_a_phone_the_menu_opens_and_leads_on(open_page: Open) -> None:
    page: Page = open_page("/dashboard/system", viewport=PHONE)
    assert not page.is_visible("nav")
    page.click("text=Menu")
    assert page.is_visible("nav a[href='/dashboard/cache']")
    page.click("text=Close the menu")
    assert not page.is_visible("nav")
    page.click("text=Menu")
    page.click("nav a[href='/dashboard/cache']")
    page.wait_for_url("**/dashboard/cache")
    assert not page.is_visible("nav")
