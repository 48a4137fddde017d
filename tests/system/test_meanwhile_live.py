"""Kept answers past their time, through the whole hub: given at once, fetched anew by one call."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pihub.demo.harness import Demo
from pihub.domain.event import Reason
from tests.system.hub import HubProcess, Reply

ENV = {"PIHUB_CACHE__TTL": "1", "PIHUB_CACHE__STALE_WHILE_REVALIDATE": "600"}


def asking(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "cloud", "max_tokens": 50, "temperature": 0,
            "messages": [{"role": "user", "content": text}], **more}  # fmt: skip


@pytest.fixture
def stale(engine: str, upstreams: Demo, tmp_path: Path) -> Iterator[HubProcess]:
    with HubProcess(tmp_path, upstreams, engine=engine, env=ENV) as running:
        yield running


def ask(hub: HubProcess, text: str, **more: Any) -> Reply:
    reply = hub.post("/v1/chat/completions", asking(text, **more))
    assert reply.status == 200, reply.text
    return reply


def calls(upstreams: Demo, text: str) -> int:
    return sum(text in one["body"] for one in upstreams.log("claude"))


def until_stale(hub: HubProcess, text: str) -> Reply:
    end = time.monotonic() + 10
    while True:
        reply = ask(hub, text)
        if reply.headers["x-pihub-cache"].startswith("STALE"):
            return reply
        assert time.monotonic() < end, reply.headers
        time.sleep(0.2)


def stored(hub: HubProcess, *reasons: Reason) -> list[tuple[int, int]]:
    """(status, cost) of the requests with these reasons, once they are in the database."""
    wanted = ",".join(str(int(reason)) for reason in reasons)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with sqlite3.connect(f"file:{hub.folder}/pihub.db?mode=ro", uri=True) as database:
            rows = database.execute(
                f"SELECT status, cost_nano FROM requests WHERE reason IN ({wanted})"
            ).fetchall()
        if rows:
            return rows
        time.sleep(0.1)
    raise AssertionError(f"no record with a reason of {reasons}")


def test_at_once_and_one_call(stale: HubProcess, upstreams: Demo) -> None:
    text = f"past its time {stale.engine}"
    assert ask(stale, text).headers["x-pihub-cache"].startswith("MISS")
    assert calls(upstreams, text) == 1
    found = until_stale(stale, text)
    assert found.headers["x-pihub-cache"] == "STALE; stale-while-revalidate"
    assert found.headers["x-pihub-cost"] == "0"
    end = time.monotonic() + 10
    while calls(upstreams, text) < 2:
        assert time.monotonic() < end, "nothing was fetched anew"
        time.sleep(0.05)
    status, cost = stored(stale, Reason.REFRESHED)[0]
    assert status == 200 and cost > 0
    assert 'pihub_cache_results_total{result="stale"}' in stale.get("/metrics").text


def test_a_hub_that_stops_ends_them(stale: HubProcess, upstreams: Demo) -> None:
    """The call is given up, paid for and recorded, and nothing waits for it. A worker without a
    connection is gone before the call notices: then the table of live streams tells of it."""
    text = f"[[tokens:50]] slow {stale.engine}"
    ask(stale, text)
    upstreams.pace(0.5)
    try:
        until_stale(stale, text)
        end = time.monotonic() + 10
        while calls(upstreams, text) < 2:
            assert time.monotonic() < end, "nothing was fetched anew"
            time.sleep(0.05)
        began = time.monotonic()
        stale.stop()
        assert time.monotonic() - began < 10
    finally:
        upstreams.pace(0)
    assert "Traceback" not in stale.log
    ((_, cost),) = stored(stale, Reason.CLIENT_GONE, Reason.FAILED)
    assert cost > 0
