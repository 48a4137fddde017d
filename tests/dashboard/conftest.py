"""A real live picture for the page's parts; a real hub and a real browser for the whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from pihub.insight.live import Live, UpstreamInfo
from pihub.insight.recorder import Recorder
from pihub.settings.schema import Breaker
from pihub.shared.health import HealthBoard, configure_breaker, upstream_rows
from pihub.shared.state import Plan, SharedState
from pihub.store.metrics import MetricsStore
from tests.dashboard.browser import DESK, PATIENCE, Open, ask, join, seated
from tests.system.hub import HubProcess, Upstreams

CHROMIUM = os.environ.get("PIHUB_TEST_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
QUIET = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)


class Parts:
    """What the control process has, without its processes."""

    def __init__(self, folder: Path) -> None:
        self.state = SharedState.create(Plan(workers=2, cache_bytes=1 << 22))
        self.store = MetricsStore(folder / "pihub.db")
        rows = upstream_rows(["ollama", "claude"])
        for row in rows.values():
            configure_breaker(self.state, row, Breaker())
        self.recorder = Recorder(
            self.state.events,
            self.state.arena.boot_id,
            self.state.names,
            self.store,
            self.state.counters,
            flush=0.05,
            retention_days=30,
        )
        self.health = HealthBoard(self.state, rows)
        self.live = Live(
            self.state,
            self.health,
            {"ollama": UpstreamInfo("ollama", True), "claude": UpstreamInfo("anthropic", True)},
            self.store,
            self.recorder,
        )

    def close(self) -> None:
        self.store.close()
        for fd in self.state.eventfds:
            os.close(fd)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    found = Parts(tmp_path)
    yield found
    found.close()


@pytest.fixture
def picture(parts: Parts) -> dict[str, Any]:
    """A live document, with one living worker."""
    found: dict[str, Any] = json.loads(parts.live.snapshot()[1])
    found["processes"] = [process(0, "control"), process(1, "worker")]
    return found


def process(slot: int, role: str) -> dict[str, Any]:
    return {
        "slot": slot,
        "role": role,
        "pid": 1000 + slot,
        "rss_bytes": 40_000_000,
        "beat_age_ms": 500,
        "requests": 7,
        "in_flight": 1,
        "streams": 0,
    }


@pytest.fixture(scope="session")
def upstreams() -> Iterator[Upstreams]:
    with Upstreams() as running:
        yield running


@pytest.fixture(scope="session")
def hub(upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with HubProcess(tmp_path_factory.mktemp("hub"), upstreams) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The distribution's own: nothing is downloaded."""
    if not os.access(CHROMIUM, os.X_OK):
        reason = (
            f"the page's tests need Chromium at {CHROMIUM}: install it (apt-get install "
            "chromium), or say where it is in PIHUB_TEST_CHROMIUM"
        )
        # A developer's machine may lack it, and the summary says so; CI installs it.
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET.split())
        yield running
        running.close()


@pytest.fixture
def open_page(hub: HubProcess, chromium: Browser) -> Iterator[Open]:
    """Opens pages of the hub; a console message or a broken policy fails the test."""
    contexts: list[BrowserContext] = []
    said: list[str] = []

    def make(path: str = "/dashboard", quiet: bool = True, **options: Any) -> Page:
        context = chromium.new_context(**{"viewport": DESK, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        if quiet:
            page.on("console", lambda m: said.append(f"{m.type}: {m.text}"))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("requestfailed", lambda r: said.append(f"{r.url}: {r.failure}"))
        page.on(
            "request",
            lambda r: r.url.startswith((hub.url, "data:")) or said.append(f"foreign: {r.url}"),
        )
        page.goto(hub.url + path)
        return page

    yield make
    for context in contexts:
        context.close()
    assert [one for one in said if "ERR_ABORTED" not in one] == []


@pytest.fixture(scope="session")
def house(upstreams: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub with an owner, so that its pages ask for a login."""
    folder = tmp_path_factory.mktemp("house")
    with HubProcess(folder, upstreams) as hub:
        join(folder, "olga")
        for n in range(3):
            ask(hub, f"question {n % 2}")
            ask(hub, f"paid question {n % 2}", model="cloud")
        yield hub


@pytest.fixture
def olga(house: HubProcess, chromium: Browser) -> Iterator[Page]:
    """Her browser, logged in; a message of the console fails the test."""
    with seated(chromium, house, "costs", minds=lambda one: "400 (Bad Request)" not in one) as page:
        yield page


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What Chromium makes of a page is the browser's work; what the hub sends is tested without."""
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker("one_python")
