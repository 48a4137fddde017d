"""From a really fresh folder to a working key, on a phone: the set-up link and its steps."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page

from tests.dashboard.browser import OVERFLOW, PASSWORD, PATIENCE, PHONE
from tests.dashboard.test_accessibility import serious
from tests.system.hub import Upstreams, free_port

pytestmark = pytest.mark.slow


class Fresh(NamedTuple):
    folder: Path
    url: str
    link: str


@pytest.fixture
def fresh(upstreams: Upstreams, tmp_path: Path) -> Iterator[Fresh]:
    """`pihub serve` in an empty folder: no configuration, no database, no key."""
    port = free_port()
    kept = ("PATH", "LANG", "HOME", "CC")
    env = {name: value for name, value in os.environ.items() if name in kept}
    env["PIHUB_SERVER__LISTEN"] = f"127.0.0.1:{port}"
    env["PIHUB_SERVER__WORKERS"] = "1"
    env["PYTHONPATH"] = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-m", "pihub", "serve"],
        cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    text, end = "", time.monotonic() + 60
    assert process.stdout is not None
    while "/dashboard/setup/" not in text and time.monotonic() < end:
        if select.select([process.stdout], [], [], 1)[0]:
            text += os.read(process.stdout.fileno(), 4096).decode()
        assert process.poll() is None, text
    found = re.search(r"/dashboard/setup/\S+", text)
    assert found is not None, text
    yield Fresh(tmp_path, f"http://127.0.0.1:{port}", found[0])
    process.terminate()
    process.communicate(timeout=40)


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport=PHONE)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(3 * PATIENCE)
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda m: "Content Security" in m.text and said.append(m.text))
    yield page
    context.close()
    assert said == []


def step(page: Page, number: int) -> None:
    page.wait_for_selector(f"text=Step {number} of 5")
    assert page.evaluate(OVERFLOW) <= 0
    assert serious(page) == []


def test_from_the_link_to_a_working_key(
    fresh: Fresh, upstreams: Upstreams, phone: Page
) -> None:
    phone.goto(fresh.url + fresh.link)
    phone.fill("[name=user]", "olga")
    phone.fill("[name=password]", PASSWORD)
    phone.fill("[name=again]", PASSWORD)
    phone.click("text=Make the admin")
    step(phone, 2)
    # An Ollama elsewhere than on this machine's own port is not looked for on a page's word.
    foreign = phone.goto(f"{fresh.url}/dashboard/welcome?step=ollama&url={upstreams.ollama}")
    assert foreign is not None
    assert foreign.status == 400
    phone.goto(f"{fresh.url}/dashboard/welcome")
    phone.click("button:has-text('Go on')")
    step(phone, 3)
    phone.fill("[name=key]", "sk-ant-for-the-first-steps")
    phone.click("button:has-text('Go on')")
    step(phone, 4)
    phone.click("summary:has-text('What is written')")
    assert "+[upstreams.claude]" in (phone.text_content("pre") or "")
    phone.click("text=Take it over")
    step(phone, 5)
    text = (fresh.folder / "pihub.toml").read_text()
    assert 'api_key_file = "' in text
    assert "sk-ant" not in text
    secret = fresh.folder / ".pihub" / "secrets" / "claude"
    assert secret.read_text().strip() == "sk-ant-for-the-first-steps"
    assert secret.stat().st_mode & 0o077 == 0
    phone.click("text=Make the key")
    phone.wait_for_selector("text=Your key")
    assert phone.evaluate(OVERFLOW) <= 0
    token = phone.text_content(".token") or ""
    assert re.fullmatch(r"ph_[\w-]{40,}", token)
    example = phone.text_content("pre") or ""
    assert token in example
    assert fresh.url in example
    models = phone.request.get(
        f"{fresh.url}/v1/models", headers={"authorization": f"Bearer {token}"}
    )
    assert [one["id"] for one in models.json()["data"]] == ["assistant", "claude/claude-haiku-4-5"]
    phone.click("text=To the overview")
    phone.wait_for_selector("text=claude")
    assert not phone.is_visible(".made-up"), "nothing is simulated any more"
