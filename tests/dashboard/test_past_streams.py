"""Past streams: how each ended, how fast it was, and from there to its request."""

from __future__ import annotations

import pytest

from pihub.dashboard.onerequest import pace
from pihub.dashboard.screens.streams import ending
from pihub.shared.events import CacheState, Flag
from tests.dashboard.browser import Open, until
from tests.dashboard.test_one_request import ROW
from tests.system.hub import HubProcess


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ("complete", "well")),
        ({"cache": CacheState.HIT}, ("from the cache", "well")),
        ({"flags": Flag.STREAM | Flag.CLIENT_GONE, "status": 499}, ("the client left", "look")),
        ({"error": "stream_cancelled", "status": 503}, ("ended by hand", "look")),
        ({"error": "upstream_incomplete", "status": 502}, ("upstream incomplete", "down")),
    ],
)
def test_how_a_stream_ended(change: dict[str, object], told: tuple[str, str]) -> None:
    assert ending(ROW._replace(flags=Flag.STREAM)._replace(**change)) == told  # type: ignore[arg-type]


def test_the_pace_is_that_after_the_first_content() -> None:
    assert pace(ROW._replace(dur_us=3_000_000, ttft_us=1_000_000, out_tok=80)) == 40
    assert pace(ROW._replace(dur_us=5, ttft_us=0)) == 0


def test_a_past_stream_leads_to_its_request(hub: HubProcess, open_page: Open) -> None:
    body = {"model": "local", "stream": True, "messages": [{"role": "user", "content": "past"}]}
    hub.post("/v1/chat/completions", body)
    page = open_page("/dashboard/streams")
    row = "section:has(h2:text('Past streams')) tbody tr:first-child"
    until(page, "document.body.innerText.includes('complete')")
    assert "llama3.2:3b" in page.inner_text(row)
    page.click(f"{row} a")
    page.wait_for_selector("text=Where the time went")
    told = page.inner_text("main")
    assert "the hub itself" in told and "tokens/s" in told and "no stall" in told
