"""The stream of events: framing, deltas, bounds, and one computation for all viewers."""

from __future__ import annotations

import copy
import json
import threading
import time
from typing import Any

import pytest

from pihub.dashboard import feed as feed_module
from pihub.dashboard.feed import MOST_VIEWERS, Feed, Viewer
from tests.dashboard.conftest import Parts
from tests.dashboard.test_view import request

HOSTILE = '</script><img src=x onerror=alert(1)>\r\n\ndata: {"forged": 1}\u2028\ud800'


class Scripted:
    """A source whose documents the test gives."""

    def __init__(self, picture: dict[str, Any]) -> None:
        self.picture = picture
        self.sequence = 1
        self.changed = threading.Condition()

    def document(self) -> bytes:
        return json.dumps(self.picture).encode()

    def advance(self, **changes: Any) -> None:
        with self.changed:
            self.picture = {**copy.deepcopy(self.picture), **changes}
            self.picture["at"] += 1
            self.sequence += 1
            self.changed.notify_all()

    def snapshot(self) -> tuple[int, bytes]:
        return self.sequence, self.document()

    def wait(self, after: int, timeout: float) -> tuple[int, bytes] | None:
        with self.changed:
            if self.changed.wait_for(lambda: self.sequence > after, timeout):
                return self.sequence, self.document()
        return None


@pytest.fixture
def source(picture: dict[str, Any]) -> Scripted:
    return Scripted(picture)


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def feed(source: Scripted, parts: Parts, stop: threading.Event) -> Feed:
    return Feed(source, parts.store, stop, "build-1")


def watch(feed: Feed) -> Viewer:
    viewer = feed.watch()
    assert viewer is not None
    return viewer


def parsed(data: bytes) -> tuple[str, int, dict[str, Any]]:
    """(event, id, data) by the rules of server-sent events; one event is expected."""
    lines = [one for one in data.decode().split("\n") if not one.startswith("retry:")]
    assert lines[-2:] == ["", ""] and "" not in lines[:-2], "one event, ended by one blank line"
    fields = dict(one.split(": ", 1) for one in lines[:-2])
    assert list(fields) == ["event", "id", "data"]
    return fields["event"], int(fields["id"]), json.loads(fields["data"])


def test_first_a_snapshot_then_only_what_changed(feed: Feed, source: Scripted) -> None:
    viewer = watch(feed)
    first = next(viewer)
    assert first.startswith(b"retry: 3000\n")
    kind, number, data = parsed(first)
    assert (kind, number, data["build"]) == ("snapshot", 1, "build-1")
    assert {"tone", "texts", "alerts", "upstreams", "processes", "requests", "chart"} <= set(data)

    source.advance()
    kind, number, data = parsed(next(viewer))
    assert (kind, number) == ("delta", 2)
    assert set(data) == {"at", "tick"}, "nothing changed but the time"

    source.advance(now={**source.picture["now"], "requests_per_s": 12.0})
    kind, number, data = parsed(next(viewer))
    assert data["texts"] == {"rps": "12"}
    viewer.close()


def test_an_open_alert_comes_and_goes_with_the_next_second(
    source: Scripted, parts: Parts, stop: threading.Event
) -> None:
    found = [{"tone": "look", "text": "The disk is full in 3 days.", "href": "/dashboard/health"}]
    viewer = watch(Feed(source, parts.store, stop, standing=lambda: list(found)))
    data = parsed(next(viewer))[2]
    assert (data["tone"], data["alerts"]) == ("look", found)
    found.clear()
    source.advance()
    data = parsed(next(viewer))[2]
    assert (data["tone"], data["alerts"]) == ("well", [])
    viewer.close()


def test_a_quiet_second_costs_few_bytes(feed: Feed, source: Scripted) -> None:
    viewer = watch(feed)
    next(viewer)
    source.advance()
    assert len(next(viewer)) < 150


def test_only_new_requests_are_sent(feed: Feed, source: Scripted) -> None:
    source.picture["requests"] = [request(id=2), request(id=1)]
    viewer = watch(feed)
    assert [one["id"] for one in parsed(next(viewer))[2]["requests"]] == [2, 1]
    source.advance(requests=[request(id=4), request(id=3), request(id=2), request(id=1)])
    assert [one["id"] for one in parsed(next(viewer))[2]["requests"]] == [4, 3]
    source.advance()
    assert "requests" not in parsed(next(viewer))[2]


def test_who_missed_a_document_gets_all_again(feed: Feed, source: Scripted) -> None:
    slow, quick = watch(feed), watch(feed)
    next(slow), next(quick)
    source.advance()
    assert parsed(next(quick))[0] == "delta"
    source.advance()
    assert parsed(next(quick))[0] == "delta"
    assert parsed(next(slow))[:2] == ("snapshot", 3)
    source.advance()
    assert parsed(next(slow))[0] == "delta"


def test_a_change_is_worked_out_once_for_all(
    feed: Feed, source: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    real = feed_module.view
    monkeypatch.setattr(feed_module, "view", lambda *asked: made.append(1) or real(*asked))
    viewers = [watch(feed) for _ in range(10)]
    for viewer in viewers:
        next(viewer)
    source.advance()
    sent = {next(viewer) for viewer in viewers}
    assert len(sent) == 1
    assert len(made) == 2


def test_hostile_text_stays_inside_its_event(feed: Feed, source: Scripted) -> None:
    source.picture["requests"] = [request(model=HOSTILE, served_by=HOSTILE)]
    kind, _, data = parsed(next(watch(feed)))
    assert kind == "snapshot"
    assert data["requests"][0]["model"] == HOSTILE


def test_a_silence_is_filled_with_comments(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "HEARTBEAT", 0.05)
    viewer = watch(feed)
    next(viewer)
    assert next(viewer) == b": still here\n\n"


def test_one_too_many_is_refused_until_one_leaves(feed: Feed) -> None:
    viewers = [watch(feed) for _ in range(MOST_VIEWERS)]
    assert feed.watch() is None
    viewers[3].close()
    viewers[3].close()  # once is enough
    again = watch(feed)
    assert feed.watch() is None
    del again  # a viewer that was forgotten makes room too
    assert feed.watch() is not None


def test_a_stream_ends_when_the_hub_stops(feed: Feed, stop: threading.Event) -> None:
    viewer = watch(feed)
    next(viewer)
    threading.Timer(0.1, stop.set).start()
    begin = time.monotonic()
    with pytest.raises(StopIteration):
        next(viewer)
    assert time.monotonic() - begin < 2.0


def test_a_stream_does_not_live_for_ever(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "LIFETIME", -1.0)
    viewer = watch(feed)
    assert next(viewer) == b"retry: 50\n\n"
    with pytest.raises(StopIteration):
        next(viewer)


def test_the_store_is_not_asked_for_each_viewer(
    feed: Feed, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = parts.store.usage
    monkeypatch.setattr(parts.store, "usage", lambda *a: asked.append(a) or real(*a))
    for _ in range(5):
        next(watch(feed))
    assert len(asked) == 1
