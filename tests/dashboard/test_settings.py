"""The Settings screen: tried, applied by a reload, rolled back; a hub of its own."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from pihub.cli.control_client import call
from pihub.cli.exits import Failure
from tests.dashboard.browser import PATIENCE, PHONE, join, seated
from tests.dashboard.test_accessibility import serious
from tests.system.hub import HubProcess, Upstreams

pytestmark = pytest.mark.slow  # each of them reloads a hub


@pytest.fixture(scope="module")
def office(upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    folder = tmp_path_factory.mktemp("office")
    with HubProcess(folder, upstreams, workers=1) as hub:
        join(folder, "olga")
        yield hub


@pytest.fixture
def page(office: HubProcess, chromium: Browser) -> Iterator[Page]:
    """While a hub reloads, a request may fail: only the policy's reports are minded."""

    def minds(said: str) -> bool:
        return "Content Security" in said or said.startswith("pageerror")

    with seated(chromium, office, "settings", minds=minds, patience=2 * PATIENCE) as made:
        yield made


def test_a_value_is_tried_applied_and_rolled_back(office: HubProcess, page: Page) -> None:
    before = office.config.read_text()
    page.goto(f"{office.url}/dashboard/settings?part=cache")
    assert "How long a deterministic chat answer is kept" in (page.text_content("main") or "")
    assert serious(page) == []
    page.fill("[data-key='cache.ttl']", "-5")
    page.click("text=Show what would change")
    page.wait_for_selector("#trial .faults >> text=cache.ttl")
    assert not page.is_visible("[data-apply]")
    page.fill("[data-key='cache.ttl']", "1234")
    page.click("text=Show what would change")
    page.wait_for_selector("#trial pre >> text=+ttl = 1234")
    assert office.config.read_text() == before, "nothing is written by a trial"
    page.click("[data-apply]")
    page.wait_for_selector(".said >> text=is in force")
    assert page.input_value("[data-key='cache.ttl']") == "1234"
    assert "ttl = 1234" in office.config.read_text()
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{office.url}/dashboard/settings?part=versions")
    assert "as it was found" in (page.text_content("main") or "")
    page.click("tr:has-text('as it was found') >> text=Go back to it")
    page.wait_for_selector("tr:has-text('back to version 1')")
    assert office.config.read_text() == before
    kept = office.folder / "config-versions" / "1.toml"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_the_whole_text_is_edited(office: HubProcess, page: Page) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(f"{office.url}/dashboard/settings?part=text")
    text = page.input_value("textarea")
    page.fill("textarea", text + "\n[server\n")
    page.click("text=Show what would change")
    page.wait_for_selector("#trial .faults >> text=no valid TOML")
    page.fill("textarea", text + "\n# a note of mine\n")
    page.click("text=Show what would change")
    page.wait_for_selector("#trial pre >> text=+# a note of mine")
    page.click("[data-apply]")
    page.wait_for_selector(".said >> text=is in force")
    assert office.config.read_text().endswith("# a note of mine\n")


def test_a_secret_goes_in_and_never_comes_out(office: HubProcess, page: Page) -> None:
    secret = "sk-ant-a-very-secret-thing"
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{office.url}/dashboard/settings?part=secrets")
    row = "tr:has(th:has-text('claude'))"
    page.fill(f"{row} >> [name=secret]", secret)
    page.click(f"{row} >> button:has-text('New key')")
    page.wait_for_selector(f"{row} >> text=secrets/claude")
    page.wait_for_selector(f"{row} >> text=is set")
    file = office.folder / "secrets" / "claude"
    assert file.read_text() == secret + "\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret not in office.config.read_text()
    socket = office.folder / "run" / "control.sock"
    for path in ("/config", "/config/secrets", "/config/versions", "/audit?limit=50",
                 "/config/fields?limit=500"):  # fmt: skip
        assert secret not in str(call(socket, "GET", path)), path
    assert secret not in page.content()
    assert secret not in office.log


def test_what_may_not_be_written_says_what_to_do(office: HubProcess) -> None:
    socket = office.folder / "run" / "control.sock"
    if os.geteuid() == 0:
        # Root may write everything: what is left is the judgement of a missing If-Match.
        with pytest.raises(Failure, match="If-Match"):
            call(socket, "PUT", "/config", {"text": office.config.read_text()})
        return
    office.config.chmod(0o400)
    try:
        assert "SIGHUP" in call(socket, "GET", "/config")["advice"]
    finally:
        office.config.chmod(0o600)


def test_a_file_that_changed_meanwhile_is_not_overwritten(office: HubProcess) -> None:
    old = office.get("/admin/api/v1/config", authorization=f"Bearer {admin_key(office)}")
    tag = old.headers["etag"]
    office.config.write_text(office.config.read_text() + "# by hand\n")
    answer = office.request(
        "PATCH",
        "/admin/api/v1/config",
        b'{"changes": {"cache.ttl": 99}}',
        **{
            "authorization": f"Bearer {admin_key(office)}",
            "content-type": "application/json",
            "if-match": tag,
        },
    )
    assert answer.status == 412
    assert "# by hand" in office.config.read_text()


def admin_key(hub: HubProcess) -> str:
    path = Path(hub.folder / "admin.key")
    if not path.exists():
        made = call(
            hub.folder / "run" / "control.sock",
            "POST",
            "/keys",
            {
                "tenant": "default",
                "name": "admin",
                "scope": {"admin": ["config:read", "config:write"]},
            },
        )
        path.write_text(made["token"])
    return path.read_text()
