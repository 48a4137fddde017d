"""A request's page: its steps fill its time, its curl holds no secret and works."""

from __future__ import annotations

import os
import subprocess

import pytest
from playwright.sync_api import Page

from pihub.cli.control_client import call
from pihub.dashboard.onerequest import as_curl, steps, summary
from pihub.shared.events import CacheState, Flag
from pihub.shared.metrics import Route
from pihub.store.rows import RequestRow, RequestTimes
from tests.dashboard.browser import OVERFLOW, PHONE, Open, ask, until
from tests.dashboard.test_accessibility import serious
from tests.system.hub import HubProcess

ROW = RequestRow(
    1, 10**18, 0xABC, 1, 2, Route.OPENAI_CHAT, 200, CacheState.MISS, 0, 1, 1, 1,
    "haiku", "claude", "cloud", "", 9_000, 7_000, 3, 4, 0, 0, 5, 6,
)  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
def test_the_steps_fill_the_time_without_gaps(stream: bool) -> None:
    row = ROW._replace(flags=Flag.STREAM if stream else 0)
    found = steps(row, RequestTimes(30, 100, 10, 6_500, 60, 1, 1))
    assert [one.label for one in found][-1] == ("Stream" if stream else "Send and record")
    at = 0
    for one in found:
        assert one.start == at
        assert one.length >= 0
        at += one.length
    assert at == row.dur_us


def test_waits_and_connections_are_steps_of_their_own() -> None:
    row = ROW._replace(flags=Flag.STREAM, stalls=2)
    times = RequestTimes(30, 100, 10, 6_500, 60, 1, 1, queued=2_000, dialed=700)
    way = steps(row, times)
    by_name = {one.label: one.length for one in way}
    shares = [by_name[name] for name in ("Wait for a turn", "Connect", "Upstream")]
    assert shares == [2_000, 700, 3_800]
    assert sum(one.length for one in way) == row.dur_us
    assert summary(row, way) == (
        "9.0 ms in all: claude took 3.8 ms to its first content, its stream 1.9 ms, waiting for"
        " a turn 2.0 ms, a new connection 700 µs, the hub itself 560 µs."
    )
    # More than the whole call, as a byte's rounding may tell, is the whole call.
    late = {one.label: one.length for one in steps(row, times._replace(queued=9_000))}
    assert (late["Wait for a turn"], late["Connect"], late["Upstream"]) == (6500, 0, 0)


def test_an_api_s_request_shows_its_upstream() -> None:
    row = ROW._replace(route=Route.API, model="", upstream="crm", dur_us=900, ttft_us=800)
    way = steps(row, RequestTimes(0, 0, 0, 0, 0, 1, 1, dialed=300))
    assert [(one.label, one.length) for one in way] == [
        ("Wait for a turn", 0), ("Connect", 300), ("Upstream", 500), ("Send and record", 100),
    ]  # fmt: skip


def test_an_answer_of_the_edge_is_one_step() -> None:
    found = steps(ROW._replace(cache=CacheState.HIT, dur_us=20, ttft_us=0), RequestTimes(*[0] * 7))
    assert [(one.label, one.length) for one in found] == [("Edge", 20)]


def test_a_curl_quotes_what_a_client_named() -> None:
    text = as_curl(ROW._replace(alias="it's $(reboot)"), "http://pi:8080")
    assert "$PIHUB_KEY" in text
    assert text.count("$(reboot)") == 1
    shell = text.replace("curl -i", "printf '%s\\n'")
    said = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout
    assert '"model": "it\'s $(reboot)"' in said
    assert as_curl(ROW._replace(route=Route.API), "http://pi:8080") == ""


def test_from_the_list_to_a_request_and_again_by_curl(hub: HubProcess, open_page: Open) -> None:
    ask(hub, "for the waterfall", model="cloud")
    page: Page = open_page("/dashboard/requests?model=cloud&status=2&route=openai_chat")
    until(page, "document.querySelectorAll('.requests tbody tr').length > 0")
    page.click(".requests tbody tr:first-child td.model a")
    page.wait_for_selector("text=Where the time went")
    assert serious(page) == []
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert page.evaluate(OVERFLOW) <= 0
    curl = page.text_content("pre") or ""
    assert hub.key not in page.content()
    done = subprocess.run(
        ["sh", "-c", curl],
        capture_output=True, text=True, env={**os.environ, "PIHUB_KEY": hub.key}, timeout=60,
    )  # fmt: skip
    assert " 200 " in done.stdout.splitlines()[0]
    number = int(page.url.rpartition("/")[2])
    told = call(hub.folder / "run" / "control.sock", "GET", f"/requests/{number}")
    assert told["request"]["id"] == number
    assert told["stages_ms"]["call"] > 0


def test_filters_are_the_hub_s_and_wrong_ones_are_refused(hub: HubProcess) -> None:
    ask(hub, "for the filters")
    for bad in ("status=7", "route=nowhere", "slower=-1", "key=x", "color=red"):
        assert hub.request("GET", f"/dashboard/requests?{bad}").status == 400, bad
    none = hub.request("GET", "/dashboard/requests?slower=3600000").text
    assert "Nothing matches" in none


def test_the_list_is_live_and_can_be_paused(hub: HubProcess, open_page: Open) -> None:
    page = open_page("/dashboard/requests")
    first = "document.querySelector('.requests td.model a').href"
    page.wait_for_selector(".requests td.model a")
    seen = page.evaluate(first)
    ask(hub, "one more for the live list")
    until(page, f"{first} !== '{seen}'")
    page.click("[data-pause]")
    page.wait_for_selector("text=Paused: go on")
    paused = page.evaluate(first)
    ask(hub, "one that is not shown")
    page.wait_for_timeout(2500)
    assert page.evaluate(first) == paused
