"""The page through a worker of a running hub: streams, bounds, and the hub's end."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from pihub.dashboard.feed import MOST_VIEWERS
from tests.system.hub import HubProcess, Upstreams


class Stream:
    """One open page."""

    def __init__(self, hub: HubProcess) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=10)
        self._connection.request(
            "GET", "/dashboard/events", headers={"accept": "text/event-stream"}
        )
        self.answer = self._connection.getresponse()
        self.status = self.answer.status

    def event(self) -> tuple[str, dict[str, Any]]:
        """The next (kind, data)."""
        fields: dict[str, str] = {}
        while True:
            line = self.answer.readline().decode().rstrip("\n")
            assert line or fields, "the stream ended"
            if not line and "data" in fields:
                return fields["event"], json.loads(fields["data"])
            name, _, value = line.partition(": ")
            fields[name] = value

    def close(self) -> None:
        self.answer.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


def ask(hub: HubProcess, text: str, model: str = "assistant") -> None:
    body = {"model": model, "temperature": 0, "messages": [{"role": "user", "content": text}]}
    hub.post("/v1/chat/completions", body)


def test_a_request_shows_up_within_seconds(hub: HubProcess) -> None:
    with Stream(hub) as stream:
        assert stream.status == 200
        headers = {name.lower(): value for name, value in stream.answer.getheaders()}
        assert headers["content-type"].startswith("text/event-stream")
        assert headers["cache-control"] == "no-store"
        assert headers["x-accel-buffering"] == "no"
        kind, first = stream.event()
        assert kind == "snapshot"
        before = first["requests"][0]["id"] if first["requests"] else 0
        ask(hub, "a request that shows up")
        begin = time.monotonic()
        rows: list[dict[str, Any]] = []
        while not rows:
            assert time.monotonic() - begin < 5
            kind, data = stream.event()
            assert kind == "delta"
            rows = data.get("requests", [])
        assert rows[0]["id"] > before
        assert rows[0]["model"] == "assistant" and rows[0]["sim"] == "simulated"


@pytest.fixture
def crowd(hub: HubProcess) -> Iterator[list[Stream]]:
    streams: list[Stream] = []
    yield streams
    for one in streams:
        one.close()


def test_one_viewer_too_many_is_told_when_to_come_again(
    hub: HubProcess, crowd: list[Stream]
) -> None:
    def full() -> bool:
        # Streams of earlier tests may still be leaving.
        while len(crowd) < MOST_VIEWERS:
            one = Stream(hub)
            if one.status != 200:
                one.close()
                return False
            one.event()
            crowd.append(one)
        return True

    until(full)
    refused = Stream(hub)
    assert refused.status == 503
    assert int(refused.answer.getheader("retry-after") or 0) > 0
    refused.close()
    assert hub.get("/dashboard").status == 200  # the page itself is still there
    crowd.pop().close()

    def room() -> bool:
        with Stream(hub) as one:
            return one.status == 200

    until(room)


def test_files_come_packed_through_the_worker(hub: HubProcess) -> None:
    text = hub.get("/dashboard").text
    urls = sorted(set(re.findall(r'"(/dashboard/static/[^"]+)"', text)))
    assert len(urls) >= 5
    for url in urls:
        packed = hub.get(url, accept_encoding="gzip")
        assert packed.status == 200 and packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.body) == hub.get(url).body
        assert "immutable" in packed.headers["cache-control"]
        again = hub.get(url, accept_encoding="gzip", if_none_match=packed.headers["etag"])
        assert again.status == 304


def test_the_door_leads_to_the_page(hub: HubProcess) -> None:
    assert hub.get("/", accept="text/html").headers["location"] == "/dashboard"
    assert hub.get("/dashboard", host="evil.example").status == 403


@pytest.mark.parametrize("engine", ["meinheld", "gthread"])
def test_an_open_page_does_not_hold_up_the_hub_s_end(
    engine: str, upstreams: Upstreams, tmp_path: Path
) -> None:
    patient = {"PIHUB_SERVER__GRACEFUL_TIMEOUT": "60"}  # the stream must not use it up
    with HubProcess(tmp_path, upstreams, engine=engine, workers=1, env=patient) as hub:
        stream = Stream(hub)
        assert stream.event()[0] == "snapshot"
        assert stream.event()[0] == "delta"
        begin = time.monotonic()
        hub.stop()
        assert time.monotonic() - begin < 30
        with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
            while True:
                stream.event()
        stream.close()
