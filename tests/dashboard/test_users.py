"""The screen of users: a person is added on the page, gets another password, is logged out."""

from __future__ import annotations

from playwright.sync_api import Page

from pihub.cli.control_client import call
from tests.dashboard.browser import PASSWORD
from tests.system.hub import HubProcess


def test_a_person_is_added_and_given_another_password(house: HubProcess, olga: Page) -> None:
    socket = house.folder / "run" / "control.sock"
    olga.on("dialog", lambda dialog: dialog.accept())
    olga.goto(f"{house.url}/dashboard/users")
    olga.wait_for_selector("tr:has-text('olga') >> text=Log out")
    olga.click("summary:has-text('Add a person')")
    olga.fill(".make [name=subject]", "peter")
    olga.fill(".make [name=password]", PASSWORD)
    olga.select_option(".make [name=role]", "analyst")
    olga.click(".make button")
    olga.wait_for_selector("tr:has(th:has-text('peter')) >> text=analyst")
    olga.fill("tr:has(th:has-text('peter')) >> [name=password]", f"another {PASSWORD}")
    with olga.expect_response("**/password") as seen:
        olga.click("tr:has(th:has-text('peter')) >> button:has-text('New password')")
    assert seen.value.ok
    people = {one["subject"]: one["role"] for one in call(socket, "GET", "/users")["items"]}
    assert people["peter"] == "analyst"
    trail = str(call(socket, "GET", "/audit?limit=20"))
    assert PASSWORD not in trail
